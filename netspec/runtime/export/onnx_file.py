"""Writes a network to an ONNX file: traced, its sizes opened again, its names tidied, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from torch import nn

from netspec.errors import ExportFailed, UsageError
from netspec.runtime.export import onnx_graph
from netspec.runtime.export.onnx_blame import stumbled
from netspec.runtime.export.subject import TRACED_BATCH, Subject, Written, tensors
from netspec.runtime.network.remove_parametrizations import unwrapped

ONE_FILE: Final = 2**31 - 2**20
"""What a single file of ONNX can hold, in bytes."""


def write(subject: Subject, opset: int, file: Path) -> Written:
    """Write the file, and what is too large for one beside it. Raises ExportFailed and UsageError."""
    model = _traced(unwrapped(subject.network), subject, opset)
    onnx_graph.reopen(model, subject.inputs, _results(subject))
    if subject.end and subject.end.activation != "identity":
        onnx_graph.append(model, subject.end)
    onnx_graph.tidy(model, subject.name, subject.metadata)
    _save(model, file)
    nodes = sum(1 for _ in model.graph.all_nodes())
    facts = {"opset": model.opset_imports[""], "nodes": nodes}
    return Written(_shapes(model.graph.inputs), _shapes(model.graph.outputs), facts)


def _traced(network: nn.Module, subject: Subject, opset: int) -> Any:
    """The network as onnx_ir's model. Raises ExportFailed, with the step that could not be written."""
    try:
        model = onnx_graph.traced(network, subject.example, subject.inputs, subject.outputs, opset)
    except ModuleNotFoundError as error:
        raise ExportFailed(f"export needs the package {error.name}: pip install {error.name}") from None
    except Exception as error:  # the exporter wraps whatever went wrong in types of its own
        with onnx_graph.quiet():
            step, reason = stumbled(network, subject.example, error)
        hint = " Take steps in its place that ONNX has, or let it run in training alone: when training." if step else ""
        raise ExportFailed(f"torch cannot write {step or 'this network'} as ONNX: {reason}.{hint}") from error
    if model.opset_imports.get("") != opset:
        found = model.opset_imports.get("")
        raise ExportFailed(f"the network cannot be written with opset {opset}, only with {found}. Write opset: {found}")
    return model


def _results(subject: Subject) -> onnx_graph.Varied:
    """What the network gives for the example, for one more sample, and for the other sizes."""
    free = frozenset(onnx_graph.dimension_name(name) for name in subject.examples.free)
    batch = frozenset({onnx_graph.BATCH_NAME})
    sizes = subject.sizes
    choices = [(frozenset[str](), TRACED_BATCH, sizes[0]), (batch, TRACED_BATCH + 1, sizes[0])]
    choices += [(free, TRACED_BATCH, other) for other in sizes[1:]]
    draw = subject.examples.draw
    return [(names, tensors(subject.network(*draw(count, each)))) for names, count, each in choices]


def _save(model: Any, file: Path) -> None:
    """Write a model, its weights in a file beside it where one file cannot hold them. Raises UsageError."""
    import onnx_ir as ir

    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    try:
        ir.save(model, file, external_data=f"{file.name}.data" if size > ONE_FILE else None)
    except OSError as error:
        raise UsageError(f"{file.name} cannot be written: {error.strerror or error}") from None


def _shapes(values: Any) -> dict[str, str]:
    """The shapes of values by their names, as a person reads them: `batch x 1 x 8 x 8`."""
    return {v.name: " x ".join(str(getattr(s, "value", s) or "?") for s in v.shape or ()) for v in values}
