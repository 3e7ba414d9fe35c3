"""What a join of the values of all rounds comes to: the size of one, so many times as the repeat has rounds."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.dims import Dim, Size
from netspec.graph.combining import key, symbols
from netspec.graph.model import Level, Repeat, Step, Value, flat
from netspec.graph.symbols import counted, node_of, traced
from netspec.tensors import Tensor


def gathered(step: Step, level: Level) -> Tensor | None:
    """What a join of values gives, with sizes over the counts of repeats whose rounds it joins.

    For `n` rounds that give `mid` channels each, `concat(in convs.*)` has `in.c + mid * n` instead of as many summands.
    A size that only the run knows, and one that grows from round to round, is as it was.
    """
    tensor, axis = step.value.tensor, getattr(step.op, "dim", None)
    repeats = [repeat for repeat in level.repeats if symbols(repeat.times)]
    if tensor is None or axis is None or not repeats or any(value.tensor is None for value in step.inputs):
        return tensor
    sizes = [value.tensor.shape[axis] for value in step.inputs if value.tensor is not None]
    # The shape is known; only the expression of its size is made again, over the counts.
    total: Size = 0
    at = 0
    while at < len(sizes):
        rounds = next((repeat for repeat in repeats if _is_all(repeat, step.inputs[at : at + repeat.count])), None)
        if rounds is not None and _is_one(sizes[at : at + rounds.count], rounds):
            total = total + sizes[at] * traced(rounds.count, rounds.times)
            at += rounds.count
        else:
            total = total + sizes[at]
            at += 1
    shape = list(tensor.shape)
    shape[axis] = total
    return Tensor(tuple(shape), tensor.dtype)


def _is_all(repeat: Repeat, values: Sequence[Value]) -> bool:
    """Whether these are the same value of each round of a repeat, in order."""
    if not values or len(values) != repeat.count:
        return False
    rounds = [repeat.steps[a:b] for a, b in zip((0, *repeat.ends), repeat.ends, strict=False)]
    made = [[value for step in each for value in flat(step.results)] for each in rounds]
    places = [
        next((i for i, own in enumerate(each) if own is value), -1) for each, value in zip(made, values, strict=True)
    ]
    return places[0] >= 0 and len({*places}) == 1


def _is_one(sizes: Sequence[Size], repeat: Repeat) -> bool:
    """Whether sizes are the same in every round, not only here."""
    if any(isinstance(size, Dim) for size in sizes):
        return False
    nodes = [node_of(size) for size in sizes]
    asked = frozenset[str]().union(*map(symbols, nodes))
    counts = any((known := counted(symbol)) is not None and known[0] == repeat.number for symbol in asked)
    return "?" not in asked and not counts and len({*map(key, nodes)}) == 1
