"""How torch writes what is done to a tensor before training: filled by torch.nn.init, wrapped by torch.nn.utils."""

from __future__ import annotations

import ast
from typing import Final

from netspec.initializers import Initializer, LecunNormal
from netspec.python.nodes import call, keyword, valued

WRAPS: Final = {
    "weight_norm": "nn.utils.parametrizations.weight_norm",
    "weight_norm_hook": "nn.utils.weight_norm",
    "spectral_norm": "nn.utils.parametrizations.spectral_norm",
    "spectral_norm_hook": "nn.utils.spectral_norm",
    "orthogonal": "nn.utils.parametrizations.orthogonal",
}
"""What wraps a module's weight."""


def fill_name(cls: type[Initializer]) -> str:
    """The function that fills a tensor: `nn.init.normal_`."""
    if cls is LecunNormal:
        return "nn.init.kaiming_normal_"  # of gain 1, where its nonlinearity is none
    return f"nn.init.{cls.called()}_"


def filled(initializer: Initializer, tensor: ast.expr) -> ast.Call:
    """`nn.init.normal_(tensor, std=0.02)`."""
    fields = initializer.fields
    leading = [valued(getattr(initializer, name)) for name, field in fields.items() if field.required]
    others = {name: value for name, value in initializer.given.items() if not fields[name].required}
    named = [keyword(name, valued(value)) for name, value in others.items()]
    if isinstance(initializer, LecunNormal):
        named.append(keyword("nonlinearity", valued("linear")))
    return call(fill_name(type(initializer)), tensor, *leading, *named)
