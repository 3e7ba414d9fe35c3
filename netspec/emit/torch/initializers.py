"""How torch writes what is done to a tensor before training: filled by torch.nn.init, wrapped by torch.nn.utils."""

from __future__ import annotations

import ast
from typing import Final

from netspec.initializers import Initializer, LecunNormal, PartialDirac
from netspec.python.nodes import attribute, call, item, keyword, named, valued
from netspec.wraps import ADAPTED, Wrap

WRAPPING: Final = {
    "WeightNorm": "nn.utils.parametrizations.weight_norm",
    "WeightNormHook": "nn.utils.weight_norm",
    "SpectralNorm": "nn.utils.parametrizations.spectral_norm",
    "SpectralNormHook": "nn.utils.spectral_norm",
    "Orthogonal": "nn.utils.parametrizations.orthogonal",
}
"""The functions that wrap a module's weight, by the classes of wraps."""
ADAPTERS: Final = {f"nn.{name}": f"Lora{name}" for name in ADAPTED}
"""The classes that stand in place of torch's own where small matrices stand beside a weight."""


def wrapped(wrap: Wrap, made: ast.Call) -> ast.Call:
    """The call that makes a module, with what wraps it: `nn.utils.parametrizations.weight_norm(nn.Linear(8, 4))`."""
    if not wrap.beside:
        given = [keyword(name, valued(value)) for name, value in wrap.given.items()]
        return call(WRAPPING[type(wrap).__name__], made, *given)
    options = [keyword(name, valued(value)) for name, value in wrap.given.items() if name not in ("rank", "alpha")]
    needed = [keyword(name, valued(getattr(wrap, name))) for name in ("rank", "alpha")]
    return ast.Call(named(ADAPTERS[ast.unparse(made.func)]), made.args, [*made.keywords, *needed, *options])


def wrap_names(wrap: Wrap, layer: str) -> frozenset[str]:
    """What the text of a wrapped layer may name besides that, the layer itself being called `layer` there."""
    return frozenset({ADAPTERS[layer] if wrap.beside else WRAPPING[type(wrap).__name__]})


def fill_name(cls: type[Initializer]) -> str:
    """The function that fills a tensor: `nn.init.normal_`."""
    if cls is LecunNormal:
        return "nn.init.kaiming_normal_"  # of gain 1, where its nonlinearity is none
    if cls is PartialDirac:
        return "nn.init.dirac_"
    return f"nn.init.{cls.called()}_"


def filled(initializer: Initializer, tensor: ast.expr) -> ast.Call:
    """`nn.init.normal_(tensor, std=0.02)`."""
    fields = initializer.fields
    leading = [valued(getattr(initializer, name)) for name, field in fields.items() if field.required]
    others = {name: value for name, value in initializer.given.items() if not fields[name].required}
    named = [keyword(name, valued(value)) for name, value in others.items()]
    if isinstance(initializer, LecunNormal):
        named.append(keyword("nonlinearity", valued("linear")))
    if isinstance(initializer, PartialDirac):
        tensor = item(tensor, ast.Slice(None, item(attribute(tensor, "shape"), valued(1)), None))
    return call(fill_name(type(initializer)), tensor, *leading, *named)
