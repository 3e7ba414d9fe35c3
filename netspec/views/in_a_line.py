"""A network in one line: what goes in, what comes out, how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from netspec.dims import BATCH
from netspec.graph.model import Graph
from netspec.tensors import Tensor, show


def in_a_line(graph: Graph) -> str:
    """`1 x 28 x 28 -> 10, 1,234 parameters`, and how many of these are trained, and what a sample costs."""
    given, made = _sizes(graph.inputs), _sizes(graph.outputs)
    macs = graph.macs()
    cost = f", {macs:,} MACs" if isinstance(macs, int) else ""
    count = sum(prod(shape) for shape in graph.trained().values()) if graph.weights.freeze else graph.parameter_count
    trained = f", {count:,} of them trained" if count != graph.parameter_count else ""
    return f"{given} -> {made}, {graph.parameter_count:,} parameters{trained}{cost}"


def _sizes(tensors: Mapping[str, Tensor]) -> str:
    """The shapes, of which the batch is shown where it is not the first size."""
    return ", ".join(show(t.shape[t.shape[:1] == (BATCH,) :]) for t in tensors.values())
