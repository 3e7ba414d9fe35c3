"""A row of modules that statements of a constructor put in a list: each where it is there, those of a repeat in a loop.

What a repeat makes is a loop over its rounds where one statement for each of their modules says all rounds. Rounds of
one module, none of them under a condition, are a comprehension, which needs no statement (see `Making.members`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from netspec.graph.model import Level, Repeat
from netspec.python.nodes import assign, every, listed, method, named, same, stored, valued, walk
from netspec.views.code.containers import Run
from netspec.views.code.patterns import Column
from netspec.views.code.simpler import asked, in_round
from netspec.views.code.slots import ABSENT
from netspec.views.code.table_sites import Unsaid

if TYPE_CHECKING:
    from netspec.views.code.constructors import Making

Levels = Sequence[Level | None]
"""The level that a row is, in each use of the class around it."""
TRUE = valued(True)


class Stiff(Exception):
    """A row, known by its source, in which uses have more rounds than others and no statements say so."""

    def __init__(self, source: object) -> None:
        super().__init__()
        self.source = source


@dataclass(frozen=True, slots=True)
class Turn:
    """What one round of a repeat is in a row: its columns."""

    columns: Sequence[Column]

    @property
    def shape(self) -> list[tuple[int, bool]]:
        """What it has in common with the other rounds: how many steps each column has, and whether it has a guard."""
        return [(len(column.shown), any(u is not None and u.guard for u in column.units)) for column in self.columns]


class Rows:
    """Writes the rows of one class."""

    def __init__(self, making: Making) -> None:
        """`making` gives the expressions that make modules, and those of conditions."""
        self.making = making

    def looped(self, levels: Levels, columns: Sequence[Column]) -> tuple[list[ast.stmt], list[ast.expr]] | None:
        """The statements of a row, and the arguments of what holds it; None where there is no loop among them.

        Raises Stiff.
        """
        stretched = any(_is_stretched(levels, column) for column in columns)
        if not stretched and not any(self._turns(levels, columns, at) for at in range(len(columns))):
            return None
        before = self.making.slots.state()
        statements, modules = self.row(levels, columns)
        if stretched or any(isinstance(statement, ast.For) for statement in statements):
            return statements, modules
        self.making.slots.back(before)
        return None

    def row(self, levels: Levels, columns: Sequence[Column]) -> tuple[list[ast.stmt], list[ast.expr]]:
        """The statements that put the modules of a row in a list, and the arguments of what holds it. Raises Stiff."""
        making = self.making
        first: list[ast.expr] = []
        body: list[ast.stmt] = []
        layers = making.layers or making.slots.names.fresh("layers")
        making.layers, before = layers, making.layers
        at = 0
        while at < len(columns):
            column, test = columns[at], None
            if (run := self._run(levels, columns, at)) is not None:
                at += run.count
                if (rounds := _comprehension(run)) is None:
                    body.append(self._loop(run))
                    continue
                items: list[ast.expr] = [rounds]
            else:
                if _is_stretched(levels, column):
                    raise Stiff(next(level.source for level in levels if level is not None))
                steps = enumerate(column.shown)
                items = [making.construct(column.aligned(s)) for s, step in steps if not step.left_out]
                test = making.condition_of(column) if column.varies else None
                at += 1
            if not body and test is None:
                first += items
                continue
            added, last = list(map(self._added, items)), body[-1] if body else None
            if test is not None and isinstance(last, ast.If) and same(last.test, test):
                last.body += added
            else:
                body += added if test is None else [ast.If(test, added, [])]
        if not body:
            making.layers = before
            return [], first
        return [assign(stored(layers), listed(first)), *body], [ast.Starred(named(layers), ast.Load())]

    def _added(self, item: ast.expr) -> ast.stmt:
        """The statement that puts one module in the list, or those of a comprehension."""
        if isinstance(item, ast.Starred):
            return ast.AugAssign(stored(self.making.layers), ast.Add(), item.value)
        return ast.Expr(method(named(self.making.layers), "append", item))

    def _loop(self, run: Run) -> ast.stmt:
        """The loop of a repeat: each module is appended in every round, below its condition where that asks.

        Modules in a row under one condition stand below one `if`.
        """
        assert isinstance(run.item, ast.Tuple)
        items, tests = run.item.elts[: -len(run.tested)], run.item.elts[-len(run.tested) :]
        body: list[ast.stmt] = []
        for item, test in zip(items, tests, strict=True):
            last = body[-1] if body else None
            if same(test, TRUE):
                body.append(self._added(item))
            elif isinstance(last, ast.If) and same(last.test, test):
                last.body.append(self._added(item))
            else:
                body.append(ast.If(test, [self._added(item)], []))
        return ast.For(run.counter, run.rounds, body, [])

    def _turns(self, levels: Levels, columns: Sequence[Column], at: int) -> list[tuple[int, list[Turn]]]:
        """The repeats that begin with a column, the outer ones first, with the columns of each round."""
        shown = [level for level in levels if level is not None]
        stretched = any(_is_stretched(levels, column) for column in columns[at:])
        found = []
        # A repeat is noted when its rounds are done, so inner ones come first.
        for index in reversed(range(len(shown[0].repeats) if len({len(level.repeats) for level in shown}) == 1 else 0)):
            most = max(shown, key=lambda level: level.repeats[index].count)
            use, repeat = next(u for u, level in enumerate(levels) if level is most), most.repeats[index]
            unit = columns[at].units[use]
            if unit is None or not repeat.steps or repeat.steps[0] is not unit.steps[0]:
                continue
            places = {id(step): i for i, column in enumerate(columns) if (u := column.units[use]) for step in u.steps}
            rounds = zip((0, *repeat.ends), repeat.ends, strict=False)
            turns = [sorted({places.get(id(step), -1) for step in repeat.steps[a:b]}) for a, b in rounds]
            numbers = [number for turn in turns for number in turn]
            if numbers != list(range(at, at + len(numbers))):  # a column stands in two rounds
                continue
            made = [Turn([columns[number] for number in turn]) for turn in turns]
            several = len(made[0].columns) > 1 or any(guarded for _, guarded in made[0].shape)
            if (several or stretched) and all(turn.shape == made[0].shape for turn in made):
                found.append((index, made))
        return found

    def _run(self, levels: Levels, columns: Sequence[Column], at: int) -> Run | None:
        """The loop that begins with a column; None where none does."""
        for index, turns in self._turns(levels, columns, at):
            repeats = [None if level is None else level.repeats[index] for level in levels]
            before = self.making.slots.state()
            if (run := self._said(levels, index, turns, repeats)) is not None:
                self.making.found[_site(levels, index)] = run
                return replace(run, count=sum(len(turn.columns) for turn in turns))
            self.making.slots.back(before)
        return None

    def _said(self, levels: Levels, index: int, turns: list[Turn], repeats: Sequence[Repeat | None]) -> Run | None:
        """What the rounds have in common; None where no statements say all of them.

        Few rounds are said as more of them would be, if there is such a rule and it holds for these.
        """
        making, times = self.making, self.making.times(repeats)
        counts = {repeat.count for repeat in repeats if repeat is not None}
        if times is None and (len(turns) < 3 or len(counts) > 1):
            return None
        rule = making.rules.get(_site(levels, index))
        filled = [_filled(turns, turn) for turn in range(len(turns))]
        for rounds in (turns, filled) if filled != turns else (turns,):
            if rule is not None and times is not None and rule.tested and self._holds(rule, rounds):
                return replace(rule, count=len(turns), times=times)
        found = None
        # Rounds that some uses lack are said by those that have them; where that says too little, as if all had them.
        for rounds in (turns, filled) if filled != turns else (turns,):
            makes = [partial(self._made, rounds, turn) for turn in range(len(turns))]
            with suppress(Unsaid):
                found = found or making.over_counter(makes, repeats, apart=True)
        item, counter = found or (None, "")
        if not isinstance(item, ast.Tuple):
            return None
        tested = tuple(range(len(item.elts) // 2))
        if any(isinstance(test, ast.Constant) and test.value is not True for test in item.elts[len(tested) :]):
            return None
        asks = any(isinstance(node, ast.Name) and node.id == counter for node in walk(item))
        many = valued(len(turns)) if times is None else times
        return Run(0, 0, len(turns), many, item, stored(counter if asks else "_"), tested=tested)

    def _holds(self, rule: Run, turns: Sequence[Turn]) -> bool:
        """Whether the rule that more rounds have holds for these."""
        counter = rule.counter.id if isinstance(rule.counter, ast.Name) else ""
        known = {counter, *self.making.slots.in_use}
        assert isinstance(rule.item, ast.Tuple)
        for turn in range(len(turns)):
            try:
                made = self._made(turns, turn)
            except Unsaid:
                return False
            meant = [self.making.without_defaults(in_round(each, counter, turn)) for each in rule.item.elts]
            meant[-len(rule.tested) :] = map(asked, meant[-len(rule.tested) :])
            there = [*self._there(turns[turn]), *(True for _ in rule.tested)]
            if len(meant) != len(made.elts) or not all(map(_agrees, there, meant, made.elts)):
                return False
            known |= {part.id for part in walk(made) if isinstance(part, ast.Name)}
        return {part.id for part in walk(rule.item) if isinstance(part, ast.Name)} <= known

    def _there(self, turn: Turn) -> Iterator[bool]:
        """Whether any use has each of the modules of a round."""
        for column in turn.columns:
            yield from [_is_there(column)] * len(column.shown)

    def _made(self, turns: Sequence[Turn], turn: int) -> ast.Tuple:
        """What makes the modules of one round, and the conditions under which they are there. Raises Unsaid.

        What no use has in this round is made as in another one.
        """
        items: list[ast.expr] = []
        tests: list[ast.expr] = []
        for place, column in enumerate(turns[turn].columns):
            test = self._test(column)
            there = column if _is_there(column) else next(_elsewhere(turns, turn, place), None)
            if there is None:
                raise Unsaid
            made = [self.making.construct(there.aligned(s)) for s in range(len(column.shown))]
            items += made
            tests += [test] * len(made)
        return ast.Tuple([*items, *tests], ast.Load())

    def _test(self, column: Column) -> ast.expr:
        """The condition of a column, which may ask for the counter. Raises Unsaid."""
        series = [ABSENT if unit is None else unit.present for unit in column.units]
        guards = [unit.guard for unit in column.units if unit is not None]
        origins = [guard.origin for guard in guards if guard is not None and guard.origin is not None]
        if (test := self.making.slots.condition(origins, series)) is not None:
            return test
        if column.varies:
            raise Unsaid
        return valued(_is_there(column))


def _filled(turns: Sequence[Turn], turn: int) -> Turn:
    """A round in which uses that have fewer do what they do in their last one."""
    columns = []
    for place, column in enumerate(turns[turn].columns):
        before = [other.columns[place].units for other in turns[: turn + 1]]
        each = [[units[use] for units in before if units[use] is not None] for use in range(len(column.units))]
        units = [known[-1] if known else None for known in each]
        columns.append(column if list(column.units) == units else Column(units))
    return Turn(columns) if any(a is not b for a, b in zip(columns, turns[turn].columns, strict=True)) else turns[turn]


def _is_stretched(levels: Levels, column: Column) -> bool:
    """Whether it is of a round that some uses do not have."""
    return any(level is not None and unit is None for level, unit in zip(levels, column.units, strict=True))


def _comprehension(run: Run) -> ast.expr | None:
    """The modules of rounds of one each, without conditions."""
    assert isinstance(run.item, ast.Tuple)
    item, test = run.item.elts[0], run.item.elts[-1]
    single = len(run.tested) == 1 and same(test, TRUE)
    return ast.Starred(every(item, run.counter, run.rounds), ast.Load()) if single else None


def _is_there(column: Column) -> bool:
    """Whether some use has it."""
    return any(unit is not None and unit.present for unit in column.units)


def _agrees(there: bool, meant: ast.expr, made: ast.expr) -> bool:
    """Whether what is made is what is meant, if it is there at all."""
    return not there or same(meant, made)


def _elsewhere(turns: Sequence[Turn], turn: int, place: int) -> Iterator[Column]:
    """The same column in other rounds, later ones first, where some use has it."""
    for other in (*turns[turn + 1 :], *turns[:turn]):
        if _is_there(other.columns[place]):
            yield other.columns[place]


def _site(levels: Levels, index: int) -> str:
    """What a repeat is known by."""
    shown = next(level for level in levels if level is not None)
    return f"{shown.path}#{index}"
