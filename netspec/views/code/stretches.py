"""Rows of modules whose rounds are counted by arguments: what uses share that have more of them, or fewer.

A row of this kind is a few segments: a unit of steps by itself, or the rounds of a repeat, each of which is the same
units. Two rows share a class if their segments do, and the row with fewer rounds has none in the place of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from netspec.graph.combining import symbols
from netspec.graph.model import Level, Repeat, Step
from netspec.views.code.sequences import around, is_sequential, positional


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps of a row: those of a repeat, round by round, or of a single unit, in one round."""

    repeated: bool
    rounds: tuple[tuple[Step, ...], ...]


def stretches(level: Level, fixed: Collection[tuple[str, str]]) -> bool:
    """Whether a level is a row with rounds that a parameter counts, which is none of the `fixed` ones of its block."""
    asked = {symbol for repeat in level.repeats for symbol in symbols(repeat.times)}
    if level.kind == "root" or level.tables or not asked:
        return False
    block = around(level)
    if block is not None and block.header is not None and any((block.header.name, name) in fixed for name in asked):
        return False
    return is_sequential(level) and positional(level)


def segments(level: Level) -> list[Segment]:
    """What a row is made of, in order."""
    return list(_segments(level.steps, level.repeats))


def _segments(steps: Sequence[Step], repeats: Sequence[Repeat]) -> Iterator[Segment]:
    """What steps are with these repeats among them: of two that begin at the same step the outer one is a segment.

    A repeat without rounds that symbols count is a segment as well, so that a use of it is like those that have some.
    """
    outer = {id(repeat.steps[0]): repeat for repeat in repeats if repeat.steps}  # of two that begin there the outer one
    # A repeat without rounds has no step to be found by.
    none = {repeat.begin for repeat in repeats if not repeat.steps and symbols(repeat.times)}
    at = 0
    while at < len(steps) or at in none:
        if at in none:
            none.discard(at)
            yield Segment(True, ())
            continue
        if (repeat := outer.get(id(steps[at]))) is None:
            yield Segment(False, ((steps[at],),))
            at += 1
            continue
        begins = zip((0, *repeat.ends), repeat.ends, strict=False)
        yield Segment(True, tuple(repeat.steps[a:b] for a, b in begins))
        at += len(repeat.steps)
