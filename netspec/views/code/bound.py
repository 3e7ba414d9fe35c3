"""The sizes of its inputs that a printed network is bound to, since numbers or steps in it follow from them.

An expression may ask for a size where forward cannot read it: for the size of a kernel, a count, a condition.
Whether another size would be computed wrongly is found by trying it: the same spec, for inputs twice or half as
large, has the same parameters and yet another program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from netspec.graph.model import Graph, Level
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.tensors import Tensor
from netspec.views.code.module import program
from netspec.views.code.trials import traced

Axes = tuple[int, ...]


def bound(document: Document, graph: Graph, live: Sequence[str]) -> Mapping[str, Axes]:
    """For each input the axes whose sizes no other may have, where torch itself would not refuse it."""
    if not any(level.asked for level in _levels(graph.root)):
        return {}
    found: dict[str, Axes] = {}
    meant = program(graph, live).parts
    for name, tensor in graph.inputs.items():
        for axes in _candidates(tensor):
            if not set(axes).isdisjoint(found.get(name, ())):
                continue
            others = (_resized(document, graph, name, tensor, axes, scale) for scale in (Fraction(2), Fraction(1, 2)))
            if any(other is not None and not same(meant, program(other, live).parts) for other in others):
                found[name] = tuple(sorted({*found.get(name, ()), *axes}))
    return found


def _resized(document: Document, graph: Graph, name: str, tensor: Tensor, axes: Axes, scale: Fraction) -> Graph | None:
    """The graph for an input that is larger or smaller on some axes; None where torch would refuse that one."""
    resized = (
        int(size * scale) if axis in axes and isinstance(size, int) else size for axis, size in enumerate(tensor.shape)
    )
    shape = tuple(resized)
    if 0 in shape:
        return None
    other = traced(document, {name: replace(tensor, shape=shape)})
    if other is None:
        return None
    same = other.parameters() == graph.parameters() and other.buffers() == graph.buffers()
    return other if same else None


def _candidates(tensor: Tensor) -> Iterator[Axes]:
    """The axes to try: each alone, and those of space together. The channels of a map are fixed by its layers."""
    first = 2 if len(tensor.shape) > 3 else 1
    axes = tuple(axis for axis, size in enumerate(tensor.shape) if axis >= first and isinstance(size, int))
    yield from ((axis,) for axis in axes)
    if len(axes) > 1 and first == 2:
        yield axes


def _levels(level: Level) -> Iterator[Level]:
    """A level and all levels below it."""
    yield level
    for step in level.steps:
        if step.body is not None:
            yield from _levels(step.body)
