"""Writes a network to a C file and its header, from its graph and its weights. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from netspec.errors import ExportFailed, UsageError
from netspec.graph.model import Step
from netspec.runtime.export.emission import Emission, End
from netspec.runtime.export.onnx_emitted import writing
from netspec.runtime.export.report import Written
from netspec.tensors import Tensor, sample
from netspec.text.reader import read_text
from netspec.text.report import SpecError
from netspec.views.c import Behind, Unwritable, emit

ODD: Final = frozenset('"\\*?<>')
"""Signs that a file which another includes cannot have in its name."""


def write(of: Emission, file: Path, scales: Mapping[str, float] | None = None) -> Written:
    """Write both files. Raises ExportFailed for a network without a form in C, UsageError for a name that is none.

    `scales` are for layers in 8 bits, as `views.c.emit` has them.
    """
    if ODD & {*file.name} or any(c < " " or c == "\x7f" for c in file.name):
        raise UsageError(f"{file.name!r} is no name for a file that C includes: leave out {' '.join(sorted(ODD))}")
    try:
        program = emit(
            of.graph,
            of.weights,
            stem=file.stem,
            outputs=of.outputs,
            metadata=of.metadata,
            behind={place: list(_behind(end)) for place, end in of.ends.items()},
            line=_lines(of.metadata.get("netspec.spec", "")),
            scales=scales,
        )
    except Unwritable as error:
        raise ExportFailed(f"the network cannot be written as C: {error}") from None
    with writing(file):
        file.with_suffix(".h").write_text(program.header, "utf-8")
        file.write_text(program.source, "utf-8")
    facts = {"memory": program.memory, "constants": program.weights, "steps": program.steps}
    if scales:
        facts["int8"] = program.integers
    return Written(_shapes(program.inputs), _shapes(program.outputs), facts)


def _behind(end: End) -> Iterator[Behind]:
    """What is done to an output, in the words of the emitter."""
    if end.mean is not None and end.deviation is not None:
        yield "scale", (end.deviation, end.mean)
    if end.activation != "identity":
        yield end.activation, end.axis


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """The shapes of one sample, as a person reads them."""
    return {
        name: sample(x.shape[1:] if x.shape[:1] == (1,) and len(x.shape) > 1 else x.shape)
        for name, x in tensors.items()
    }


def _lines(text: str) -> Callable[[Step], str]:
    """What says in which line of the spec a step stands."""
    try:
        source = read_text(text) if text else None
    except SpecError:  # it is one of several files together, or of a program
        source = None
    return lambda step: f"line {source.place(step.at).line}" if source is not None and step.at.path else ""
