"""Holds the nodes that are written for one operation against torch, through ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from netspec.dims import BATCH
from netspec.errors import At
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.layers.base import Layer, Op
from netspec.tensors import Misfit, Tensor
from netspec.views.onnx import Unwritable, emit
from tests import written
from tests.layers import reference as modules
from tests.ops import reference as functions

NAME = "op"
RTOL, ATOL = 2e-5, 1e-6
Array = np.ndarray[Any, Any]


def graph_of(op: Op, inputs: Sequence[Tensor]) -> Graph:
    """A network of this operation alone."""
    level = Level("root", inputs={}, steps=[])
    values = [Value(f"x{i}", tensor, level) for i, tensor in enumerate(inputs)]
    results = _values(op.shape(*inputs), level)
    step = Step(NAME, level, tuple(values), results, At(()), op=op, member=NAME)
    given = tuple(v for v in flat(results) if v.tensor is not None)
    object.__setattr__(level, "inputs", {value.name: value for value in values})
    object.__setattr__(level, "steps", [step])
    object.__setattr__(level, "outputs", {f"y{i}": value for i, value in enumerate(given)})
    return Graph("Net", level)


def _values(shapes: Any, level: Level) -> Any:
    if isinstance(shapes, tuple):
        return tuple(_values(part, level) for part in shapes)
    return Value(NAME, shapes, level)


def difference(op: Op, inputs: Sequence[Tensor], opset: int = 20) -> str:
    """How far the file is from torch, with the batch open too; empty where they agree or it is refused."""
    tensors = [modules.sample(x) for x in inputs]
    weights, expected = torch_gives(op, tensors)
    for described in (inputs, _open(inputs)):
        try:
            fitted = op.fitted(*described) if isinstance(op, Layer) else op
            graph = graph_of(fitted, described)
        except Misfit:
            continue
        try:
            found = run(graph, weights, tensors, opset)
        except Unwritable:
            continue
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            if getattr(op, "sorted", True) is False:  # in whatever order they come
                one, other = (np.sort(each, getattr(op, "dim", -1)) for each in (one, other))
            text = apart(one, other)
            if text and not (_ties(op) and one.dtype == np.int64) and not _nearer(op, tensors, place, one, other):
                return text
    return ""


def run(graph: Graph, weights: Mapping[str, Array], tensors: Sequence[torch.Tensor], opset: int) -> list[Array]:
    """What ONNX Runtime makes of the file."""
    model = emit(graph, weights, opset=opset, outputs=list(graph.outputs), metadata={})
    onnx.checker.check_model(model, full_check=True)
    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    given = {x.name for x in session.get_inputs()}
    named = {f"x{i}": x.numpy() for i, x in enumerate(tensors) if f"x{i}" in given}
    return list(session.run(None, named))


def _nearer(op: Op, tensors: Sequence[torch.Tensor], place: int, one: Array, other: Array) -> bool:
    """Whether a result is as near as torch's to what torch computes in float64.

    Where large numbers cancel, as in the norm of a single number, torch's own float32 is noise, and the file need not
    have the same.
    """
    if one.shape != other.shape or one.dtype != np.float32 or other.dtype != np.float32:
        return False
    exact = torch_gives(op, [x.double() if x.is_floating_point() else x for x in tensors])[1][place]
    away = [np.abs(x.astype(np.float64) - exact) for x in (one, other)]
    return bool(np.isfinite(away[1]).all() and away[0].max() <= away[1].max())


def torch_gives(op: Op, tensors: Sequence[torch.Tensor]) -> tuple[dict[str, Array], list[Array]]:
    """The weights of the operation, and what torch computes with them outside training, in the dtype of its inputs."""
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)  # it makes nan of a mask of floats for each head
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if isinstance(op, Layer):
            module = modules.build(op).eval()
            module = module.double() if any(x.dtype == torch.float64 for x in tensors) else module
            result = modules.run_module(op, module, tensors)
            owned = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
            return {f"{NAME}.{n}": t.numpy() for n, t in owned}, _flat(result)
        names = {f"x{i}": tensor for i, tensor in enumerate(tensors)}
        text = written.construct(op) if op.owned else written.called(op, [*names], "some" if op.needs_device else "")
        this = SimpleNamespace(training=False)
        made = functions.evaluate(text, written.helpers(op), self=this, some=torch.zeros(1), **names)
        return ({NAME: made.numpy()} if op.owned else {}), _flat(made)


def apart(one: Array, other: Array) -> str:
    """How two arrays differ; empty where they do not."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return f"{one.dtype} {one.shape} and not {other.dtype} {other.shape}"
    a, b = one.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        far = np.where(same, 0.0, np.abs(a - b))
    largest = float(np.abs(b).max(initial=0, where=np.isfinite(b)))
    worst = float(np.nan_to_num(far, nan=np.inf).max(initial=0))
    return f"differs by {worst:.3g} where {largest:.3g} is largest" if worst > ATOL + RTOL * largest else ""


def _open(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs with an open batch, where all have one size on their first axis."""
    first = {x.shape[:1] for x in inputs}
    return [x.with_shape(BATCH, *x.shape[1:]) if len(first) == 1 and x.shape else x for x in inputs]


def _ties(op: Op) -> bool:
    """Whether equal numbers may come in any order."""
    return type(op).__name__ in ("TopK", "Sort", "ArgSort")


def _flat(result: Any) -> list[Array]:
    if isinstance(result, torch.Tensor):
        return [result.detach().numpy()]
    return [x for part in result or () for x in _flat(part)]
