"""How torch writes an initialiser: a function of torch.nn.init that fills a tensor."""

from __future__ import annotations

import ast

from netspec.initializers import Initializer
from netspec.python.nodes import call, keyword, valued


def filled(initializer: Initializer, tensor: ast.expr) -> ast.Call:
    """`nn.init.normal_(tensor, std=0.02)`."""
    fields = initializer.fields
    leading = [valued(getattr(initializer, name)) for name, field in fields.items() if field.required]
    others = {name: value for name, value in initializer.given.items() if not fields[name].required}
    named = [keyword(name, valued(value)) for name, value in others.items()]
    return call(f"nn.init.{initializer.function}", tensor, *leading, *named)
