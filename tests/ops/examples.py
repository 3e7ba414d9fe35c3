"""The example of each operation, read as a spec would read it."""

from __future__ import annotations

from netspec import ops
from netspec.catalogue import Catalogue
from netspec.errors import At
from netspec.graph.inputs import read_input
from netspec.language import calls, rows
from netspec.layers.base import Op
from netspec.tensors import Tensor

OPERATIONS: Catalogue[Op] = Catalogue(
    "operation", Op, {f"netspec.ops.{file}": words for file, words in ops.FAMILIES.items()}
)
CLASSES: list[type[Op]] = OPERATIONS.classes()


def read(row: str) -> Op:
    """The operation that a row says."""
    (call,) = rows.parse(row)
    assert isinstance(call.op, str)
    (cls,) = OPERATIONS.find(call.op)
    return calls.construct(cls, calls.arguments(call, cls, calls.nothing, ()), At())


def example_inputs(cls: type[Op]) -> list[Tensor]:
    """The inputs of the example: one text for all, or `{name: text, ...}` for each."""
    text = cls.example_input
    if not text:
        return []
    (call,) = rows.parse(cls.example)
    if text.startswith("{"):
        return [_input(pair.split(": ")[1]) for pair in text[1:-1].split(", ")]
    return [_input(text)] * (len(call.inputs or ()) or cls.inputs[0])


def _input(text: str) -> Tensor:
    """What a text stands for: an input, or a source without a batch."""
    if text.split()[0] in ("parameter", "buffer"):
        found = read(text).shape()
        assert isinstance(found, Tensor)
        return found
    return read_input(int(text) if text.isdecimal() else text, (), calls.nothing)


def example(cls: type[Op]) -> tuple[Op, list[Tensor]]:
    """The example, fitted to its inputs, and those inputs."""
    inputs = example_inputs(cls)
    return read(cls.example).fitted(*inputs), inputs
