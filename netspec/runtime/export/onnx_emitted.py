"""Writes a network to an ONNX file from its graph and its weights. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.errors import UsageError
from netspec.runtime.export.emission import Array, Emission
from netspec.runtime.export.report import Written
from netspec.views.onnx import emit, save

if TYPE_CHECKING:
    from onnx import ValueInfoProto


def write_emitted(of: Emission, opset: int, file: Path) -> Written:
    """Write the file, and what is too large for one beside it. Raises Unwritable and UsageError."""
    arrays: dict[str, Array] = {}
    behind = {place: list(end.operators()) for place, end in of.ends.items()}
    about: dict[str, Any] = {"outputs": of.outputs, "metadata": of.metadata, "behind": behind, "apart": arrays}
    model = emit(of.graph, of.weights, opset=opset, **about)
    taken, given = ({x.name: _read(x) for x in values} for values in (model.graph.input, model.graph.output))
    facts = {"opset": opset, "nodes": len(model.graph.node)}
    with writing(file):
        save(model, arrays, file)
    return Written(taken, given, facts)


def _read(value: ValueInfoProto) -> str:
    """The shape of a value, as a person reads it: `batch x 1 x 8 x 8`."""
    return " x ".join(str(size.dim_param or size.dim_value) for size in value.type.tensor_type.shape.dim)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Let a file that cannot be written be the user's to mend. Raises UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{file.name} cannot be written: {error.strerror or error}") from None
