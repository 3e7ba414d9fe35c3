"""Writes a network to an ONNX file: from its graph, or traced by torch, its sizes opened again, its names tidied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from torch import nn

from netspec.errors import ExportFailed
from netspec.graph.model import Graph
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export import onnx_graph
from netspec.runtime.export.emission import Emission, End
from netspec.runtime.export.onnx_blame import stumbled
from netspec.runtime.export.onnx_emitted import write_emitted, writing
from netspec.runtime.export.report import Written
from netspec.runtime.export.subject import TRACED_BATCH, Probabilities, Subject, tensors
from netspec.runtime.network.remove_parametrizations import unwrapped
from netspec.views.onnx import Unwritable
from netspec.views.onnx.file import ONE_FILE
from netspec.views.onnx.model import BATCH_NAME, dimension_name


def write(subject: Subject, opset: int, file: Path) -> Written:
    """Write the file, and what is too large for one beside it. Raises ExportFailed and UsageError.

    It is written from the graph where there is one and ONNX has a form for all its steps, else traced by torch.
    """
    note = ""
    if subject.graph is not None:
        try:
            return _emitted(subject.graph, subject, opset, file)
        except Unwritable as error:
            note = f"traced by torch, because {error}"
    model = _traced(unwrapped(subject.network), subject, opset)
    onnx_graph.reopen(model, subject.inputs, _results(subject))
    for place, end in _ends(subject):
        onnx_graph.append(model, place, end)
    onnx_graph.tidy(model, subject.name, subject.metadata)
    _save(model, file)
    nodes = sum(1 for _ in model.graph.all_nodes())
    facts = {"opset": model.opset_imports[""], "nodes": nodes}
    return Written(_shapes(model.graph.inputs), _shapes(model.graph.outputs), facts, note)


def _emitted(graph: Graph, subject: Subject, opset: int, file: Path) -> Written:
    """Write the file from the graph. Raises Unwritable."""
    network, ends = subject.network, dict[int, End]()
    if isinstance(network, InOwnUnits):
        ends = {place: _units(network, place) for place in network.places}
        network = network.network
    for place, end in _ends(subject):
        ends[place] = replace(ends.get(place, End()), activation=end.activation, axis=end.axis)
    plain = unwrapped(network)
    owned = chain(plain.named_parameters(remove_duplicate=False), plain.named_buffers(remove_duplicate=False))
    weights = {name: tensor.detach().numpy() for name, tensor in owned}
    return write_emitted(Emission(graph, weights, subject.outputs, ends, subject.metadata), opset, file)


def _ends(subject: Subject) -> Iterator[tuple[int, Probabilities]]:
    """What is put behind outputs that do not stay as they are, with their places."""
    return ((place, end) for place, end in subject.ends.items() if end.activation != "identity")


def _units(network: InOwnUnits, place: int) -> End:
    """What puts an output back into the units of its target."""
    scale = network.scale(place)
    return End(scale.mean.numpy(), scale.deviation.numpy())


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
    free = frozenset(dimension_name(name) for name in subject.examples.free)
    batch = frozenset({BATCH_NAME})
    sizes = subject.sizes
    choices = [(frozenset[str](), TRACED_BATCH, sizes[0]), (batch, TRACED_BATCH + 1, sizes[0])]
    choices += [(free, TRACED_BATCH, other) for other in sizes[1:]]
    draw = subject.examples.draw
    return [(names, tensors(subject.network(*draw(count, each)))) for names, count, each in choices]


def _save(model: Any, file: Path) -> None:
    """Write a model, its weights in a file beside it where one file cannot hold them. Raises UsageError."""
    import onnx_ir as ir

    size = sum(v.const_value.nbytes for v in model.graph.initializers.values() if v.const_value is not None)
    with writing(file):
        ir.save(model, file, external_data=f"{file.name}.data" if size > ONE_FILE else None)


def _shapes(values: Any) -> dict[str, str]:
    """The shapes of values by their names, as a person reads them: `batch x 1 x 8 x 8`."""
    return {v.name: " x ".join(str(getattr(s, "value", s) or "?") for s in v.shape or ()) for v in values}
