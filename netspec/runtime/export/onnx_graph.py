"""A network as an ONNX graph: traced by torch, with names that a person reads, and nothing of this machine in it."""

from __future__ import annotations

import ast
import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any, Final

import torch
from torch import nn

from netspec.dims import Dim, Name
from netspec.runtime.export.onnx_attention import FourAxes
from netspec.runtime.export.scan_loops import as_scans
from netspec.runtime.export.subject import Probabilities, tensors
from netspec.tensors import Tensor as Described
from netspec.views.onnx.model import dimension_name

INNER: Final = "network"
SCOPES: Final = "pkg.torch.onnx.name_scopes"
_WORD = re.compile(r"[A-Za-z_]\w*")


def traced(
    network: nn.Module,
    example: tuple[torch.Tensor, ...],
    inputs: Mapping[str, Described],
    outputs: Sequence[str],
    opset: int,
) -> Any:
    """The network as onnx_ir's model. Raises whatever the exporter does."""
    with quiet(), FourAxes(), as_scans(network):
        program = torch.onnx.export(
            _Inner(network),
            example,
            dynamo=True,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=dynamic(inputs),
            opset_version=opset,
            verbose=False,
        )
        assert program is not None
        for value in list(program.model.graph.initializers.values()):
            value.name = (value.name or "").removeprefix(f"{INNER}.")
        return program.model


class _Inner(nn.Module):
    """A network one level down, because at the top a member called `meta` or `graph` would hide torch.fx's own."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensors(self.network(*inputs)))


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps warnings, log lines and prints of libraries off the screen."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def append(model: Any, place: int, end: Probabilities) -> None:
    """Put `end` behind the model's output at a place, which keeps its name."""
    import onnx_ir as ir

    scores = model.graph.outputs[place]
    attributes = [ir.AttrInt64("axis", end.axis)] if end.activation == "softmax" else []
    node = ir.Node("", end.activation.title(), [scores], attributes)
    model.graph.append(node)
    result = node.outputs[0]
    result.name, result.shape, result.type = scores.name, scores.shape, scores.type
    scores.name = f"scores_{place}"
    model.graph.outputs[place] = result


Varied = Sequence[tuple[frozenset[str], Sequence[torch.Tensor]]]
"""Results of a network, each with the names of the sizes that differ from those of the first."""


def reopen(model: Any, inputs: Mapping[str, Described], results: Varied) -> None:
    """Open again the sizes that tracing took for fixed, as it does with the steps of an LSTM.

    An axis of an output that `results` show to differ is open, and what the exporter said of it is kept only if it
    names what it differs with. Whether the graph really holds for other sizes is for the comparison to find out.
    """
    fixed = False
    for value, described in zip(model.graph.inputs, inputs.values(), strict=True):
        for axis, size in enumerate(described.shape):
            if isinstance(size, Dim) and isinstance(value.shape[axis], int):
                value.shape[axis] = dimension_name(str(size))
                fixed = True
    (_, first), *others = results
    for names, other in others:
        for value, x, y in zip(model.graph.outputs, first, other, strict=True):
            for axis in range(x.ndim):
                said = set(_WORD.findall(str(value.shape[axis])))
                if x.shape[axis] != y.shape[axis] and not said & names:
                    value.shape[axis] = None
                    fixed = True
    for node in model.graph.all_nodes() if fixed else ():
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None


def tidy(model: Any, name: str, metadata: Mapping[str, str]) -> None:
    """Name nodes and values after the modules they come from, and keep no metadata but `metadata`.

    torch notes the stack of every node, which holds the paths of the machine.
    """
    graph = model.graph
    kept = {id(value) for value in (*graph.inputs, *graph.outputs, *graph.initializers.values())}
    count: Counter[str] = Counter()
    for node in list(graph.all_nodes()):
        node.name = _unique("/".join([*_module(node), node.op_type]), count)
        for position, value in enumerate(node.outputs):
            if id(value) not in kept and value.name:
                value.name = node.name if len(node.outputs) == 1 else f"{node.name}:{position}"
            value.metadata_props.clear()
        node.metadata_props.clear()
        node.doc_string = None
    constants = [v for key, v in graph.initializers.items() if "." not in key and key.startswith("val_")]
    for value in constants:
        value.name = _unique("constant", count)
    for value in (*graph.inputs, *graph.initializers.values()):
        value.metadata_props.clear()
    graph.metadata_props.clear()
    graph.name, model.producer_name, model.producer_version = name, "netspec", metadata.get("netspec.version", "")
    model.metadata_props.clear()
    model.metadata_props.update(metadata)


def _module(node: Any) -> list[str]:
    """The path of the module that a node comes from, empty for the network itself."""
    noted = node.metadata_props.get(SCOPES)
    scopes = ast.literal_eval(noted) if noted else []
    path = scopes[-2].removeprefix(INNER).removeprefix(".") if len(scopes) > 1 else ""
    return [path] if path else []


def _unique(name: str, count: Counter[str]) -> str:
    """A name, with a number behind it from the second time on."""
    count[name] += 1
    return name if count[name] == 1 else f"{name}_{count[name]}"


def dynamic(inputs: Mapping[str, Described]) -> tuple[tuple[dict[int, Any], ...]]:
    """For each of `*inputs` the axes that only the run decides, by torch's names of dimensions."""
    known: dict[str, Any] = {}

    def dimension(size: Dim) -> Any:
        (monomial, factor), *more = size.terms.items()
        if more or len(monomial) != 1 or not isinstance(monomial[0], Name):
            return torch.export.Dim.DYNAMIC
        name = dimension_name(monomial[0].text)
        letter = known.setdefault(name, torch.export.Dim(name))
        return letter if factor == 1 else factor * letter

    return (tuple({i: dimension(s) for i, s in enumerate(x.shape) if isinstance(s, Dim)} for x in inputs.values()),)
