"""Values of places alone, made for the new tokens only: of which part of its inputs a part of a result is made.

Positions, angles of rotary embeddings and masks depend on where a token stands, and on no text. A network over whole
texts makes them for all places; one that goes on needs those of the new tokens alone. So each operation on the way to
such a value is asked which part of its inputs makes a part of its result, back to a count of places that begins later.
What is not in the table is made whole, and cut at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from netspec.dims import named
from netspec.emit.table import Table
from netspec.graph.model import Step, Value

Parts = list[int | None]
"""For each input the axis that is to be cut alike; None for what is taken whole."""
Axes = Callable[[Value], tuple[int, ...]]


def parts_of(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """The parts of the inputs of which a step makes the new tokens' part of its result, cut along an axis.

    None where nothing is known of that; nothing in it for a count of places, which then begins later.
    """
    assert step.op is not None
    try:
        return CUTS.of(type(step.op))(step, axis, axes, letter)
    except StopIteration:
        return None


def _rank(value: Value) -> int:
    """How many axes a value has."""
    value = value.actual
    assert value.tensor is not None
    return len(value.tensor.shape)


def _counted(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """A count of all places."""
    op: Any = step.op
    return [] if op.start == 0 and op.step == 1 and op.end == named(letter) else None


def _meeting(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """An operation on each element: axes are counted from the end."""
    offsets = [_rank(step.value) - _rank(value) for value in step.inputs]
    return [axis - n if axis - n in axes(value.actual) else None for n, value in zip(offsets, step.inputs, strict=True)]


def _same(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """What leaves the axes before the last where they are."""
    return [axis] if axis < _rank(step.inputs[0]) - (getattr(step.op, "family", "") != "embedding") else None


def _inserted(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """A new axis of 1."""
    dim = getattr(step.op, "dim", 0) % _rank(step.value)
    return [axis if axis < dim else axis - 1]


def _joined(step: Step, axis: int, axes: Axes, letter: str) -> Parts | None:
    """Inputs beside one another along another axis."""
    if getattr(step.op, "dim", 0) % _rank(step.value) == axis:
        return None
    return [axis if axis in axes(value.actual) else None for value in step.inputs]


Cut = Callable[[Step, int, Axes, str], Parts | None]
CUTS: Final[Table[Cut]] = Table(
    {
        "Arange": _counted,
        **dict.fromkeys(("Elementwise", "Arithmetic", "Where", "LogicalNot", "LogicalAnd", "LogicalOr"), _meeting),
        **dict.fromkeys(("Linear", "Embedding"), _same),
        "Unsqueeze": _inserted,
        "Concat": _joined,
    }
)
