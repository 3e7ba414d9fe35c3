"""The text of operations, as a printed network has it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from netspec.emit import torch as emitted
from netspec.initializers import Initializer
from netspec.layers.base import Op
from netspec.python import expressions
from netspec.python.nodes import call


def read(text: str) -> ast.expr:
    """The tree of an expression."""
    return ast.parse(text, mode="eval").body


def construct(op: Op) -> str:
    """What makes the module or the tensor of an operation: `nn.Conv2d(1, 6, 5)`."""
    return expressions.text(emitted.construct(op))


def called(op: Op, inputs: Sequence[str] = (), like: str = "") -> str:
    """What computes an operation that needs no module: `F.relu(x)`."""
    where = emitted.Where(read(like) if like else None)
    return expressions.text(emitted.called(op, [read(text) for text in inputs], where))


def arguments(op: Op, inputs: Sequence[str]) -> list[str]:
    """What a module is called with, argument by argument."""
    passed = [call("f", argument) for argument in emitted.arguments(op, [read(text) for text in inputs])]
    return [expressions.text(each)[2:-1] for each in passed]


def helpers(op: Op) -> str:
    """The source of the functions that the text of an operation calls."""
    return "\n".join(emitted.HELPERS[name] for name in emitted.helpers(type(op)))


def filled(entry: Initializer, tensor: str) -> str:
    """The statement that fills a tensor."""
    return expressions.text(emitted.filled(entry, read(tensor)))
