"""What an operation is written with is what its rule says it may be written with."""

from __future__ import annotations

import ast

from netspec.emit.torch import HELPERS, Where, arguments, called, construct, helpers, torch_names
from netspec.layers.base import Layer, Op
from netspec.python.allowlist import paths
from netspec.python.nodes import call, named


def assert_declared(op: Op, inputs: int) -> None:
    """The text of an operation, as function and as module, names nothing of torch that its rule does not give."""
    names = [named(f"x{i}") for i in range(inputs)]
    where = Where(named("some")) if op.needs_device else Where()
    trees: list[ast.expr] = [construct(op)] if isinstance(op, Layer) or op.owned else []
    trees += [] if op.owned or op.needs_module() else [called(op, names, where)]
    trees += [call("module", *arguments(op, names))] if names else []
    for tree in trees:
        undeclared = paths(tree) - {".training", ".shape"} - torch_names(type(op))
        assert not undeclared, f"{type(op).__name__} names {sorted(undeclared)}: {ast.unparse(tree)}"
        unknown = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & HELPERS.keys() - {*helpers(type(op))}
        assert not unknown, f"{type(op).__name__} calls {unknown}"
