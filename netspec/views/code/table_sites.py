"""What the rounds of tables have in common: the places in the loops that a person writes for them.

A level whose members stand in a row, some of them made by a repeat of rows, is a body of such places; each place is
come to in passes, one for each module that it makes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netspec.graph.combining import Node
from netspec.graph.model import Guard, Level, Repeat, Step
from netspec.views.code.patterns import Pattern, is_chosen, rigid
from netspec.views.code.sequences import is_inline, positional


class Unsaid(Exception):
    """Passes of a loop that no statement says all of."""


Place = tuple[tuple[Repeat, int], ...]
"""A pass of loops inside each other: the round of each, the outermost first."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of the body of a loop."""

    place: Place
    before: Place | None
    """The pass before it; None for the first."""


Left = dict[str, tuple[Node, Node]]
"""Variables by their symbols: what they are at first, and what a pass leaves in them."""


@dataclass(slots=True)
class Body:
    """What is done in every pass of a loop, or once outside of all."""

    passes: Sequence[Pass]
    sites: list[Site] = field(default_factory=list)
    left: Left = field(default_factory=dict)
    """The variables that a pass leaves for the next."""


@dataclass(slots=True)
class Site:
    """One place in a body: a module, a list of modules that is made by loops, or a loop."""

    passes: Sequence[Pass]
    """The passes that come here."""
    steps: Sequence[Step]
    """The step of each; none for a loop."""
    tested: Sequence[tuple[Pass, Guard, bool]] = ()
    """All passes, with whether the condition lets each come here, where there is a condition."""
    repeats: Sequence[Repeat] = ()
    """The repeat of each pass, if it is a loop."""
    body: Body | None = None
    """What is inside of it."""
    parts: Sequence[Site] = ()
    """The modules of a row in which there is a loop further in."""


Item = Step | tuple[Repeat, list[list["Item"]]]
"""A step, or a repeat with what each of its rounds does."""


def items_of(steps: Sequence[Step], repeats: Sequence[Repeat]) -> list[Item]:
    """Steps in a row, those of a repeat together."""
    found: list[Item] = []
    at = 0
    while at < len(steps):
        mine = [repeat for repeat in repeats if repeat.steps and repeat.steps[0] is steps[at]]
        if not mine:
            found.append(steps[at])
            at += 1
            continue
        outer = min(mine, key=lambda repeat: repeat.number)
        inner = [repeat for repeat in repeats if repeat is not outer]
        begins = (0, *outer.ends[:-1])
        rounds = [items_of(outer.steps[a:b], inner) for a, b in zip(begins, outer.ends, strict=True)]
        found.append((outer, rounds))
        at += len(outer.steps)
    return found


def body_of(
    passes: Sequence[Pass], rows: Sequence[Sequence[Item]], serving: Mapping[Level, Pattern], left: Left | None = None
) -> Body:
    """What all these passes do, each of which does the items of its row. Raises Unsaid.

    `left` are the variables of the loop that it stands in, if it is not the body of a loop itself.
    """
    body = Body(passes, left={} if left is None else left)
    rows = [list(_joined(row)) for row in rows]
    if len(set(map(len, rows))) > 1:
        raise Unsaid
    for column in zip(*rows, strict=True):
        body.sites += _sites(passes, column, serving, body.left)
    return body


def _joined(row: Sequence[Item]) -> Iterator[Any]:
    """A row with the steps of one condition as one list."""
    run: list[Step] = []
    for each in row:
        alike = isinstance(each, Step) and each.guard is not None and run and each.guard.at == run[-1].guard.at  # type: ignore[union-attr]
        if run and not alike:
            yield run
            run = []
        if isinstance(each, Step) and each.guard is not None:
            run.append(each)
        else:
            yield each
    if run:
        yield run


def _sites(
    passes: Sequence[Pass], column: Sequence[Any], serving: Mapping[Level, Pattern], left: Left
) -> Iterator[Site]:
    """The places that one item of all passes is. Raises Unsaid."""
    if all(isinstance(each, tuple) for each in column):
        yield _loop(passes, column, serving)
        return
    rows = [each if isinstance(each, list) else [each] for each in column]
    if any(isinstance(each, tuple) for each in column) or len({isinstance(each, list) for each in column}) > 1:
        raise Unsaid
    there = [at for at, row in enumerate(rows) if not row[0].left_out]
    tested = [(p, row[0].guard, not row[0].left_out) for p, row in zip(passes, rows, strict=True) if row[0].guard]
    if len({len(rows[at]) for at in there}) > 1 or len({guard.at for _, guard, _ in tested}) > 1:
        raise Unsaid
    for steps in zip(*(rows[at] for at in there), strict=True):
        yield _module([passes[at] for at in there], steps, tested, serving, left)


def _module(
    passes: Sequence[Pass], steps: Sequence[Step], tested: Sequence[Any], serving: Mapping[Level, Pattern], left: Left
) -> Site:
    """The place of one module. Raises Unsaid."""
    if not all(alike(steps[0], step, serving) for step in steps) or any(step.again for step in steps):
        raise Unsaid
    bodies = [step.body for step in steps if step.body is not None]
    if not bodies or not any(has_rounds(level, bool(passes[0].place)) for level in bodies):
        return Site(passes, steps, tested)
    if any(level.tables or level.repeats for level in bodies):
        rows = [items_of(level.steps, [*level.tables, *level.repeats]) for level in bodies]
        return Site(passes, steps, tested, body=body_of(passes, rows, serving, left))
    present = [[step for step in level.steps if not step.left_out] for level in bodies]
    if len(set(map(len, present))) > 1 or len({tuple(level.members) for level in bodies}) > 1:
        raise Unsaid
    parts = [_module(passes, column, (), serving, left) for column in zip(*present, strict=True)]
    return Site(passes, steps, tested, parts=parts)


def has_rounds(level: Level, inside: bool) -> bool:
    """Whether a level without a class of its own has repeats, itself or further in; not `inside` loops only tables."""
    if not is_inline(level):
        return False
    own = level.tables or (inside and level.repeats)
    return bool(own) or any(step.body is not None and has_rounds(step.body, inside) for step in level.steps)


def _loop(passes: Sequence[Pass], column: Sequence[tuple[Repeat, Any]], serving: Mapping[Level, Pattern]) -> Site:
    """The place of a loop. Raises Unsaid."""
    inner: list[Pass] = []
    rows: list[Sequence[Item]] = []
    for each, (repeat, rounds) in zip(passes, column, strict=True):
        for turn, row in enumerate(rounds):
            before = inner[-1].place if inner else None
            inner.append(Pass((*each.place, (repeat, turn)), before))
            rows.append(row)
    if len({repeat.names for repeat, _ in column}) > 1:
        raise Unsaid
    return Site(passes, (), repeats=[repeat for repeat, _ in column], body=body_of(inner, rows, serving))


def alike(one: Step, other: Step, serving: Mapping[Level, Pattern]) -> bool:
    """Whether two steps are made by the same call, but for its arguments."""
    if _kind(one) != _kind(other):
        return False
    if one.body is None or other.body is None:
        return one.body is other.body and one.training is other.training
    mine, yours = serving.get(one.body), serving.get(other.body)
    if mine is not yours or (mine is not None and not mine.in_place):
        return mine is yours
    if has_rounds(one.body, True) or has_rounds(other.body, True):
        return True
    steps, others = ([step for step in level.steps if not step.left_out] for level in (one.body, other.body))
    names = (positional(one.body) and positional(other.body)) or list(one.body.members) == list(other.body.members)
    return names and len(steps) == len(others) and all(alike(a, b, serving) for a, b in zip(steps, others, strict=True))


def _kind(step: Step) -> Hashable:
    """What must agree in steps that one call makes."""
    if step.op is None:
        return None
    return is_chosen(step) or (type(step.op), step.wrap, rigid(step))
