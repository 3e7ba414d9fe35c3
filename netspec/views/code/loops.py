"""Rounds of a repeat in forward: which statements one loop says for all of them.

A round is a few steps in a row; the next one does the same with other modules. What it takes is of its own round,
or of the round before, or the same in all. What all rounds give may be collected, to be joined or added up.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from netspec.graph.members import base_word
from netspec.graph.model import Level, Step
from netspec.graph.rounds import name_over_counter
from netspec.ops.arithmetic import Add
from netspec.ops.joining import Concat, Stack
from netspec.views.code.containers import Containers
from netspec.views.code.flow import Flow, Item
from netspec.views.code.patterns import Ref, rigid
from netspec.views.code.sequences import is_plain, nested

LONGEST: Final = 24
"""The most steps that a round is looked for in."""
EFFORT: Final = 400
"""How many steps are compared for each step of a class, at most, in search of loops."""
MANY: Final = 4
"""From how many modules on that have names of their own a class goes over its children."""
ROW: Final = 3
"""From how many modules on a list that runs one behind the other goes over them."""
Place = tuple[int, int]
"""A result of a round: its step and which of the step's results."""


@dataclass(slots=True)
class Loop:
    """Rounds of equal steps, each behind the other."""

    start: int
    """The item that it begins with."""
    period: int
    """The items of a round."""
    count: int
    """The rounds."""
    carried: dict[Place, Ref] = field(default_factory=dict)
    """What a round takes from the one before, with what the first takes instead."""
    collected: list[Place] = field(default_factory=list)
    """What is wanted of every round."""
    final: list[Place] = field(default_factory=list)
    """What is wanted of the last."""

    @property
    def stop(self) -> int:
        """The place behind its last round."""
        return self.start + self.period * self.count


class Loops:
    """Finds the loops of one class; `results` are what it gives."""

    def __init__(self, flow: Flow, results: Sequence[Ref], within: Containers, counts: Callable[[int], bool]) -> None:
        """`counts` tells of a repeat of the level whether the constructor's arguments say how many rounds it has."""
        self.counts = counts
        self.flow = flow
        self.items = flow.items
        self.results = [flow.actual(ref) for ref in results]
        self.within = within
        self.level = flow.pattern.levels[0]
        self.first = dict(_first_rounds(self.level))
        """The steps of first rounds of repeats, with how many rounds there are."""
        self.origin = {ref: (i, r) for i, item in enumerate(self.items) for r, ref in enumerate(item.results)}
        self.keys = [self._key(i) for i in range(len(self.items))]
        self.left = EFFORT * len(self.items)
        """How many steps may still be compared in search of loops."""
        self.places: dict[Hashable, list[int]] = defaultdict(list)
        for i, key in enumerate(self.keys):
            self.places[key].append(i)

    def at(self, start: int) -> Loop | None:
        """The loop that begins with an item, if one does."""
        if self.keys[start] is None or self.left <= 0:
            return None
        places = self.places[self.keys[start]]
        near = places[bisect_right(places, start) : bisect_right(places, start + LONGEST)]
        if not near or not self._may_begin(self.items[start].step):
            return None
        loops = (loop for period in (i - start for i in near) if (loop := self._loop(start, period)) is not None)
        return max(loops, key=lambda loop: (loop.stop, -loop.period), default=None)

    def is_row(self) -> bool:
        """Whether a list of modules begins with running all of them, each on just what the one before gives."""
        count, flow = len(self.level.members), ("in", 0)
        if self.flow.pattern.base != "nn.ModuleList" or not ROW <= count < len(self.items):
            return False
        for at, (item, step) in enumerate(zip(self.items, self.level.members.values(), strict=False)):
            varies = self.flow.pattern.varies(item.unit) or step.training is not None
            read = self.flow.last.get(item.results[0], -1)
            if item.step is not step or varies or item.reads != [flow] or len(item.results) > 1 or not is_plain(step):
                return False
            if read != at + 1 if at + 1 < count else read < count:
                return False
            flow = item.results[0]
        return True

    def _may_begin(self, step: Step) -> bool:
        """Whether a step can be the first of a loop: if it has a module of several, that is the first of them."""
        if not step.member or step.again or step.member.endswith(".0") or step in self.first:
            return True
        return step.member == next(iter(self.level.members))

    def values(self, loop: Loop, place: Place) -> list[Ref]:
        """One result of all rounds."""
        step, result = place
        return [self.items[loop.start + n * loop.period + step].results[result] for n in range(loop.count)]

    def together(self, at: int) -> bool:
        """Whether all that an item gives is wanted only as a whole, to be joined, added up or handed on."""
        refs = self.items[at].results
        if len(refs) < 3 or self.items[at].step.body is None:
            return False
        for item, given in ((None, self.results), *((item, item.inputs) for item in self.items[at + 1 :])):
            others = [self.flow.actual(ref) for ref in given]
            start = others.index(refs[0]) if refs[0] in others else 0
            if others[start : start + len(refs)] == refs and (item is None or _gathers(item, others, refs)):
                del others[start : start + len(refs)]
            passed = [self.flow.ref(item.step.passed)] if item is not None and item.step.passed is not None else []
            more = item.dims if item is not None else []
            if not {*others, *map(self.flow.actual, (*more, *passed))}.isdisjoint(refs):
                return False
        return True

    def _key(self, at: int) -> Hashable:
        """What the steps of two rounds must share besides what they take; None for one that cannot be in a loop."""
        item = self.items[at]
        step = item.step
        source = step.op is not None and step.op.source
        if step.left_out or source or step.measures or self.flow.pattern.varies(item.unit) or step.guard is not None:
            return None
        does: Hashable = len(item.results)
        if step.op is not None and not step.member:
            does = repr(
                [[getattr(s.op, n) for n in s.op.fields] for s in item.aligned if s is not None and s.op is not None]
            )
        joined = at > 0 and step.row is not None and step.row is self.items[at - 1].step.row
        return (type(step.op), bool(step.member), step.training, rigid(step) if step.op else None, does, joined)

    def _loop(self, start: int, period: int) -> Loop | None:
        """The loop of rounds of `period` items that begins here, as long as it goes; None where there is none."""
        if not all(self._may_begin(item.step) for item in self.items[start : start + period]):
            return None
        count = 1
        most = min(self.first.get(item.step, len(self.items)) for item in self.items[start : start + period])
        while count < most and self._follows(start, period, count):
            count += 1
        modules = any(item.step.member for item in self.items[start : start + period])
        if count < 2 or not self._runs(start, period):
            return None
        loop = Loop(start, period, count)
        fits = self._carry(loop) and self._collect(loop) and all(self._modules(loop, j) for j in range(period))
        return loop if fits and (modules or count > 2 or self.times(loop) is not None) else None

    def _runs(self, start: int, period: int) -> bool:
        """Whether forward has a statement for every item of a round."""
        return all(map(self.flow.runs, self.items[start : start + period]))

    def _follows(self, start: int, period: int, n: int) -> bool:
        """Whether round `n` does what the rounds before it do."""
        at = start + n * period
        self.left -= period
        if at + period > len(self.items) or self.left <= 0:
            return False
        for j in range(period):
            if self.keys[at + j] != self.keys[start + j] and not (j == 0 and self._alike_but_row(start, at)):
                return False
            known, found = self._taken(start, period, n - 1, j), self._taken(start, period, n, j)
            if n > 1 and known != found:
                return False
            if n == 1 and (
                len(known) != len(found)
                or any(a != b and not (a[0] == "outer" and b[0] == "before") for a, b in zip(known, found, strict=True))
            ):
                return False
        return True

    def _alike_but_row(self, first: int, again: int) -> bool:
        """Whether two items are alike but for whether each goes on the row of the item before it."""
        one, other = self.keys[first], self.keys[again]
        return isinstance(one, tuple) and isinstance(other, tuple) and one[:-1] == other[:-1]

    def _taken(self, start: int, period: int, n: int, j: int) -> list[tuple[str, Hashable]]:
        """What a step of round `n` takes, as seen from its round."""
        item = self.items[start + n * period + j]
        passed = [self.flow.ref(item.step.passed)] if item.step.passed is not None else []
        found: list[tuple[str, Hashable]] = []
        for ref in (*item.reads, *passed):
            at, result = self.origin.get(self.flow.actual(ref), (-1, 0))
            turn, step = divmod(at - start, period)
            if turn == n:
                found.append(("own", (step, result)))
            elif n > 0 and turn == n - 1:
                found.append(("before", (step, result)))
            else:
                found.append(("outer" if at < start else "far", self.flow.actual(ref)))
        return found

    def _carry(self, loop: Loop) -> bool:
        """Find what each round takes from the one before; false if a variable would be set before it is read."""
        for j in range(loop.period):
            begun = self._taken(loop.start, loop.period, 0, j)
            for (_, given), (kind, place) in zip(begun, self._taken(loop.start, loop.period, 1, j), strict=True):
                if kind == "before":
                    assert isinstance(place, tuple)
                    if place[0] < j or loop.carried.setdefault(place, given) != given:  # type: ignore[arg-type]
                        return False
        return True

    def _collect(self, loop: Loop) -> bool:
        """Find what is wanted behind the loop; false if that is a round's own that no list gives."""
        wanted = [(None, self.results), *((item, item.inputs) for item in self.items[loop.stop :])]
        for item, refs in wanted:
            others = [self.flow.actual(ref) for ref in refs]
            for place in self._runs_of(loop, others):
                if item is not None and not _gathers(item, others, self.values(loop, place)):
                    return False
                loop.collected += [place] if place not in loop.collected else []
                for ref in self.values(loop, place):
                    others.remove(ref)
            more = [*item.dims, *([self.flow.ref(item.step.passed)] if item.step.passed else [])] if item else []
            for ref in (*others, *more):
                at, result = self.origin.get(self.flow.actual(ref), (-1, 0))
                turn, step = divmod(at - loop.start, loop.period)
                if turn == loop.count - 1 and (step, result) not in loop.final:
                    loop.final.append((step, result))
                elif 0 <= turn < loop.count - 1:
                    return False
        return True

    def _runs_of(self, loop: Loop, refs: list[Ref]) -> list[Place]:
        """The results of which all rounds stand there one behind the other."""
        found = []
        for i, ref in enumerate(refs):
            at, result = self.origin.get(ref, (-1, 0))
            place = (at - loop.start, result)
            first = loop.start <= at < loop.start + loop.period
            if first and refs[i : i + loop.count] == self.values(loop, place):
                found.append(place)
        return found

    def _modules(self, loop: Loop, j: int) -> bool:
        """Whether the modules of one step are those of a list, the same in every round, or told by their names."""
        if not self.items[loop.start + j].step.member or self.holder(loop, j) is not None:
            return True
        return self.named(loop, j, "i") is not None

    def named(self, loop: Loop, j: int, counter: str) -> ast.expr | None:
        """The name of the module that a step runs, over the counter of the rounds; None where that is no rule."""
        steps = [self.items[loop.start + n * loop.period + j].step for n in range(loop.count)]
        written_out = steps[0] not in self.first or (loop.count < MANY and self.times(loop) is None)
        if written_out or self.flow.pattern.renamed or any("." in step.member or step.again for step in steps):
            return None
        return name_over_counter([step.member for step in steps], counter)

    def times(self, loop: Loop) -> int | None:
        """The repeat of the level that makes the rounds, where the constructor's arguments say how many they are."""
        steps = [item.step for item in self.items[loop.start : loop.stop]]
        known = _registering(steps)
        if not known and not {*loop.final} <= loop.carried.keys():
            return None  # without a round there is nothing that was wanted of the last
        for at, repeat in enumerate(self.level.repeats):
            mine = _registering(repeat.steps) or repeat.steps
            if repeat.count == loop.count and set(map(id, mine)) == set(map(id, known or steps)) and self.counts(at):
                return at
        return None

    def holder(self, loop: Loop, j: int) -> str | None:
        """What holds the modules that a step runs: a container, "" for the class itself, "self.x" for one module.

        None where they are not all that it holds, or of a container all from one on.
        """
        steps = [self.items[loop.start + n * loop.period + j].step for n in range(loop.count)]
        names = [step.member for step in steps]
        if all(step.again for step in steps):
            return f"self.{names[0]}" if len(set(names)) == 1 else None
        if any(step.again for step in steps) or self.flow.pattern.renamed:
            return None
        head = names[0].rpartition(".")[0]
        if head:
            keys = list(self.within[head])
            rest = [f"{head}.{key}" for key in keys[-loop.count :]]
            return head if names == rest and keys == [str(n) for n in range(len(keys))] else None
        alone = sum(bool(item.step.member) for item in self.items[loop.start : loop.start + loop.period]) == 1
        enough = self.flow.pattern.base == "nn.ModuleList" or loop.count >= MANY or self.times(loop) is not None
        own = names == list(self.level.members) and not self.level.aliases and not self.within
        alike = len({(type(step.op), step.body.source if step.body else None) for step in steps}) == 1
        stem = stem_of(names[0])
        counted = alike and all(stem_of(name) == stem for name in names)
        every = alone and enough and own and (counted or self.flow.pattern.base == "nn.ModuleList")
        return "" if every and all(list(level.members) == names for level in self.flow.pattern.levels) else None

    def begin(self, loop: Loop, holder: str) -> int:
        """The number of the first of the modules of a container that a loop goes over."""
        return len(self.within[holder]) - loop.count if holder in self.within else 0


def _first_rounds(level: Level) -> Iterator[tuple[Step, int]]:
    """The steps that make the members of the first round of each repeat, with how many rounds that has."""
    for repeat in level.repeats:
        mine = _registering(repeat.steps)
        if repeat.count and len(mine) % repeat.count == 0:
            yield from ((step, repeat.count) for step in mine[: len(mine) // repeat.count])
    for _, inner in nested(level):
        yield from ((each.steps[0], sum(other.count for other in inner[at:])) for at, each in enumerate(inner))


def _registering(steps: Sequence[Step]) -> list[Step]:
    """The steps that make members, and do not run them again."""
    return [step for step in steps if step.member and not step.again]


def _gathers(item: Item, refs: list[Ref], values: list[Ref]) -> bool:
    """Whether a step takes a list: it joins what it takes, or adds it up, the list last."""
    op = item.step.op
    if isinstance(op, Add):
        return op.other is None and refs[-len(values) :] == values and len(refs) - len(values) <= 1
    return isinstance(op, Concat | Stack)


def stem_of(name: str) -> str:
    """A name without the number behind it."""
    return re.sub(r"[_-]?\d+$", "", name)


def module_name(step: Step, holder: str, several: bool) -> str:
    """What a loop calls one of the modules that a container holds; `several` are gone over beside each other."""
    if len(holder) > 3 and holder.endswith("s") and not holder.endswith("ss"):
        return holder.removesuffix("s")
    if several and holder:
        return holder
    if not holder and (stem := stem_of(step.member)):
        return stem
    if step.body is not None:
        return step.body.block if step.body.block.islower() else "layer"
    return base_word(type(step.op), type(step.op).__name__) if step.op is not None else "module"


def list_name(item: Item, result: int, module: str) -> str:
    """What the list of all rounds' values is called."""
    names = list(_names(item.step))
    part = names[result].rpartition(".")[2] if result < len(names) else ""
    name = stem_of(part) or module or "value"
    return name if name.endswith("s") else f"{name}s"


def _names(step: Step) -> Iterator[str]:
    """The names of what a step gives."""
    if step.body is not None:
        yield from (value.name for value in step.body.exports)
    else:
        yield step.name
