"""The sizes of its inputs that a printed network is bound to, since numbers or steps in it follow from them.

An expression may ask for a size where forward cannot read it: for the size of a kernel, a count, a condition.
Whether another size would be computed wrongly is found by trying it: the same spec, for inputs twice or half as
large, has the same parameters and yet another program.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from netspec.graph.model import Graph, Level
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.tensors import Tensor
from netspec.views.code.module import program
from netspec.views.code.program import Rules
from netspec.views.code.trials import traced

Axes = tuple[int, ...]
Scales = Mapping[int, Fraction]
"""By how much a size is larger, by its axis."""
TWICE, HALF = Fraction(2), Fraction(1, 2)


def bound(document: Document, graph: Graph, live: Sequence[str], rules: Rules) -> Mapping[str, Axes]:
    """For each input the axes whose sizes no other may have, where torch itself would not refuse it.

    `live` and `rules` are those of the program that is printed, which others are held against.
    """
    if not any(level.asked for level in _levels(graph.root)):
        return {}
    found: dict[str, Axes] = {}
    meant = program(graph, live, rules).parts
    for name, tensor in graph.inputs.items():

        def differs(scales: Scales, name: str = name, tensor: Tensor = tensor) -> bool | None:
            """Whether the program is another where the input has other sizes; None where it may not have them."""
            other = _resized(document, graph, name, tensor, scales, rules.formulas)
            return None if other is None else not same(meant, program(other, live, rules).parts)

        # Nothing follows from the sizes of most networks, which two trials show where each axis alone takes six.
        if all(differs(scales) is False for scales in _opposite(tensor)):
            continue
        for axes in _candidates(tensor):
            if not set(axes).isdisjoint(found.get(name, ())):
                continue
            if any(differs(dict.fromkeys(axes, scale)) for scale in (TWICE, HALF)):
                found[name] = tuple(sorted({*found.get(name, ()), *axes}))
    return found


def _opposite(tensor: Tensor) -> Iterator[Scales]:
    """Every axis larger and smaller, its neighbours the other way round: if nothing follows from these, none does."""
    axes = [axes[0] for axes in _candidates(tensor) if len(axes) == 1]
    for scales in ((TWICE, HALF), (HALF, TWICE)) if axes else ():
        yield {axis: scales[place % 2] for place, axis in enumerate(axes)}


def _resized(
    document: Document, graph: Graph, name: str, tensor: Tensor, scales: Scales, free: Collection[str]
) -> Graph | None:
    """The graph for an input that is larger or smaller on some axes; None where torch would refuse that one."""
    resized = (
        int(size * scales[axis]) if axis in scales and isinstance(size, int) else size
        for axis, size in enumerate(tensor.shape)
    )
    shape = tuple(resized)
    if 0 in shape:
        return None
    other = traced(document, {name: replace(tensor, shape=shape)}, free=free)
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
