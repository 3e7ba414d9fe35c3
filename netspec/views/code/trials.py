"""Trials of parameters: a network printed with other values must be the same program, but for its defaults."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from math import comb, gcd
from typing import Any, Final

from netspec.errors import Problem
from netspec.graph.expand import expand
from netspec.graph.model import Graph
from netspec.graph.report import Report, Stopped
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.tensors import Tensor
from netspec.views.code.module import Apart, program
from netspec.views.code.program import Rules
from netspec.views.code.slots import class_of, equal

Part = ast.ClassDef | ast.FunctionDef
ALONE: Final = 2
"""How many other values of a parameter are tried, where it is tried alone."""
WORDS: Final = ("gelu", "tanh", "relu", "hardswish")
"""Other operations that are tried in the place of one."""
FEW: Final = 3
"""From how many rounds on a repeat shows what they have in common."""
SMALL: Final = 16
"""Up to here a number may be one of heads or groups, which divides others."""


def traced(
    document: Document,
    sizes: Mapping[str, Tensor] | None = None,
    more: Mapping[tuple[str, str], int] | None = None,
    free: Collection[str] = (),
) -> Graph | None:
    """The network of a document with where its numbers come from; None if it does not fit together.

    `sizes` are inputs in place of those that it declares; for `more` and `free` see `expand`.
    """
    try:
        graph, problems = expand(document, sizes, traced=True, more=more, free=free, report=_Hasty())
    except Stopped:
        return None
    return None if any(problem.severity == "error" for problem in problems) else graph


class _Hasty(Report):
    """Ends at the first problem, since nobody reads of it."""

    def add(self, problem: Problem) -> None:
        super().add(problem)
        if problem.severity == "error":
            raise Stopped


@dataclass(frozen=True, slots=True)
class Trials:
    """What a network is held against."""

    document: Document
    graph: Graph
    given: Mapping[str, Any]
    """The values of its parameters."""
    live: Sequence[str]
    """The parameters that its class may take."""
    counts: Collection[str]
    """Those that say how many rounds a repeat has."""
    meant: Sequence[Part]
    """The program that is meant, with all of them as arguments that it can say."""
    flags: Mapping[str, Any] = field(default_factory=dict)
    """Those by which steps are there that would not be, or the other way round, with another value of each."""
    divided: Collection[str] = ()
    """Those that stand where one of them divides, so that others have no rest only while that is as it is."""
    rules: Rules = field(default_factory=Rules)
    verdicts: dict[str, bool | None] = field(default_factory=dict, init=False)
    """What has been found so far, by the values."""
    graphs: dict[str, Graph | None] = field(default_factory=dict, init=False)
    """The networks that have been asked for, by the values of their parameters."""
    few: dict[str, Any] = field(default_factory=dict, init=False)
    """Counts of few rounds, once these are proven, with which other parameters are tried sooner."""

    def deeper(self) -> Graph | None:
        """The network with so many rounds of each repeat that what they have in common can be told."""
        params = self.given
        counts = {name: params[name] for name in self.live if name in self.counts and not _is_table(params[name])}
        more = {n: [v + FEW for v in value] if isinstance(value, list) else value + FEW for n, value in counts.items()}
        return self._with(more)

    def proven(self) -> list[str]:
        """The parameters with other values of which the network is that program."""
        taken = [name for name in self.live if takes(self.meant, name)]
        # Rows that are all other ones may be no network, so a table is not tried beside others.
        tables = {name for name in taken if _is_table(self.given[name])}
        others = [name for name in taken if name not in tables]
        if len(others) < 2 or not self._in_turns(others):
            counts = self._proven([name for name in others if name in self.counts])
            self.few.update({name: self._tried(name)[0] for name in counts})
            others = [*counts, *self._proven([name for name in others if name not in self.counts])]
        mixed = [name for name in taken if name not in others and self._is_mixed(name)]
        proven = {*others, *mixed, *filter(self._is_read, tables)} - self._lying(others)
        return [name for name in taken if name in proven]

    def _is_read(self, name: str) -> bool:
        """Whether the network is that program with another value in any column of a table.

        Only one is changed at a time: rows that are all other ones have other classes, and may be no network.
        """
        rows = self.given[name]
        columns = len(rows[0]) if isinstance(rows[0], list) else 0
        if not columns or any(not isinstance(row, list) or len(row) != columns for row in rows):
            return False
        return all(any(self._holds({name: other}) for other in _changed(rows, column)) for column in range(columns))

    def _is_mixed(self, name: str) -> bool:
        """Whether the network is that program with another value in any entry of a list.

        Only one or two are changed at a time: where all are other ones, a step may be there in every use, or in none,
        that the class asks for.
        """
        values = self.given[name]
        if not isinstance(values, list) or _is_table(values) or len(values) < 2 or name in self.counts:
            return False
        odd = self._odd(name) if name in self.divided else None
        places = range(len(values))
        if odd is not None and any(self._verdict({name: _with_entry(values, at, odd[at])}) is False for at in places):
            return False
        return all(any(self._holds({name: other}) for other in _mixed(values, at)) for at in places)

    def lengths(self, names: Sequence[str]) -> dict[str, int | str]:
        """For lists among these of which a network with one value more is not that program: how many they have.

        Where it is if another list has one more as well, the name of that.
        """
        params = self.given
        lists = {name: [*value, value[-1]] for name in names if isinstance(value := params[name], list)}
        found: dict[str, int | str] = {}
        for name, longer in lists.items():
            if not self._holds({name: longer}):
                others = (other for other in lists if other != name and len(lists[other]) == len(longer))
                beside = (other for other in others if self._holds({name: longer, other: lists[other]}))
                found[name] = next(beside, len(params[name]))
        return found

    def _holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the network with these values is there, and is that program."""
        return self._verdict(values) is True

    def _verdict(self, values: Mapping[str, Any]) -> bool | None:
        """Whether the network with these values is that program; None where there is no such network."""
        tried = {**self.few, **values}
        known = repr(sorted(tried.items()))
        if known not in self.verdicts:
            others = self.family(tried)
            self.verdicts[known] = None if others is None else self._alike(others, tried) or self._shares(others, tried)
        return self.verdicts[known]

    def _proven(self, names: Sequence[str]) -> list[str]:
        """Those of these with larger and smaller values of which it is; all are tried at once.

        Else those that do not hold alone are left out, and if all hold alone the halves are tried.
        """
        if len(names) < 2:
            return [name for name in names if self._alone(name)]
        if self._in_turns(names):
            return list(names)
        first = {name: self._verdict({name: self._either(name)[0]}) for name in names}
        sound = [name for name in names if first[name]]
        if len(sound) < len(names):
            found = {*self._proven(sound), *(name for name in names if first[name] is None and self._alone(name))}
            return [name for name in names if name in found]
        half = len(names) // 2
        return [name for part in (names[:half], names[half:]) for name in self._proven(part)]

    def _in_turns(self, names: Sequence[str]) -> bool:
        """Whether the network is that program in all turns in which there is one, and these have every value tried."""
        seen: dict[str, list[Any]] = {name: [] for name in names}
        for values in self.turns(names):
            if (verdict := self._verdict(values)) is None:
                continue
            if not verdict:
                return False
            for name, value in values.items():
                seen[name] += [] if value in seen[name] else [value]
        return all(len(values) == len(self._either(name)) for name, values in seen.items())

    def _lying(self, names: Sequence[str]) -> set[str]:
        """Those with values of no common factor of which it is not: what is divided has no rest only by chance."""
        odd = {name: value for name in names if (value := self._odd(name)) is not None}
        together = {name: value for name, value in odd.items() if name not in self.divided}
        if len(names) == 1 or not together or self._holds(together):
            odd = {name: value for name, value in odd.items() if name in self.divided}
        return {name for name, value in odd.items() if self._verdict({name: value}) is False}

    def turns(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Other values of parameters, so that each has a larger and a smaller one, and any two both ways round.

        Each has the larger one in turns of its own: as many for all of them, and none the same.
        """
        count = next(count for count in range(2, len(names) + 1) if comb(count, count // 2) >= len(names))
        larger = dict(zip(names, combinations(range(count), count // 2), strict=False))
        either = {name: self._either(name) for name in names}
        for turn in range(count):
            yield {name: either[name][0 if turn in larger[name] else -1] for name in names}

    def _either(self, name: str) -> Sequence[Any]:
        """A larger value and a smaller one, as far as there are such that most networks would take."""
        return self._tried(name)[: 1 if self.given[name] == 0 else 2]

    def _tried(self, name: str) -> Sequence[Any]:
        """Other values of a parameter; of counts of rounds, so many that what rounds have in common can be told."""
        given = self.given[name]
        if name in self.counts and not _is_table(given):
            few = [[n for n in range(FEW, FEW + 5) if n != value] for value in _each(given)]
            turned = [[*each[1:2], each[0], *each[2:]] for each in few]
            return _columns(given, turned) if isinstance(given, list) else turned[0]
        return variations(given)

    def _odd(self, name: str) -> Any:
        """The largest value up to half of a whole number that has no factor of it; 1 for few, which divide others.

        Of a list, that of each; None where none has one.
        """
        given = self.given[name]
        whole = [value for value in _each(given) if isinstance(value, int) and not isinstance(value, bool)]
        if name in self.counts or _is_table(given) or len(whole) < len(_each(given)) or max(whole) < 2:
            return None
        found = [next((v for v in range(value // 2, 0, -1) if gcd(v, value) == 1), 1) for value in whole]
        odd = [value if known > SMALL else 1 for value, known in zip(found, whole, strict=True)]
        return odd if isinstance(given, list) else odd[0]

    def _alone(self, name: str) -> bool:
        """Whether there are networks with other values of a parameter, and all that are tried are that program."""
        larger, *others = self._tried(name)
        odd = self._odd(name)
        found = 0
        for value in [larger, *([] if odd is None else [odd]), *others]:
            if self._verdict({name: value}) is False:
                return False
            found += self._holds({name: value})
            if found == ALONE:
                break
        return found > 0

    def family(self, values: Mapping[str, Any]) -> list[Graph] | None:
        """The networks with these values that one program is for, those first that have the flags as they are given.

        There is one more for each flag, with another value of it; None where there is no such network.
        """
        known = [values]
        for flag, other in self.flags.items():
            turned = other if values.get(flag, self.given[flag]) != other else self.given[flag]
            known.append({**values, flag: turned})
        known.sort(key=lambda each: sum(each.get(flag, self.given[flag]) != self.given[flag] for flag in self.flags))
        graphs = list(map(self._with, known))
        found = [graph for graph in graphs if graph is not None]
        return found if len(found) == len(graphs) else None

    def program(self, graphs: Sequence[Graph]) -> list[Part] | None:
        """The program that serves these networks; None where none does."""
        try:
            return program(graphs[0], self.live, self.rules, beside=graphs[1:]).parts
        except Apart:
            return None

    def _with(self, values: Mapping[str, Any]) -> Graph | None:
        """The graph of the spec with these parameters; None where that is no network."""
        if not values:
            return self.graph
        if (known := repr(sorted(values.items()))) not in self.graphs:
            params = {**self.document.params, **values}
            self.graphs[known] = traced(replace(self.document, params=params), free=self.rules.formulas)
        return self.graphs[known]

    def _alike(self, others: Sequence[Graph], names: Collection[str]) -> bool:
        """Whether networks with other values of these are the same program, but for their defaults."""
        found = self.program(others)
        return found is not None and self._is_meant(found, names)

    def _shares(self, others: Sequence[Graph], values: Mapping[str, Any]) -> bool:
        """Whether one program serves those networks beside the one that is meant, and is the program that is meant.

        Alone it may be another: where no use has a step that a condition lets into some, its classes ask for nothing.
        """
        counts = {name: value for name, value in values.items() if name in self.counts}
        counts = counts if len(counts) < len(values) else {}
        if not self._has_conditions or (counts and not self._verdict(counts)):
            return False
        near = self.family(counts)
        assert near is not None, "it has a verdict"
        found = self.program([*near, *others])
        return found is not None and self._is_meant(found, counts)

    def _is_meant(self, parts: Sequence[Part], names: Collection[str]) -> bool:
        """Whether a program is the one that is meant, but for the defaults of these."""
        if len(self.meant) != len(parts) or not all(takes(parts, name) for name in names):
            return False
        # What is computed is another value with others of those that it is computed from.
        names = {*names, *self.rules.formulas}
        return all(map(same, _without(self.meant, names), _without(parts, names)))

    @property
    def _has_conditions(self) -> bool:
        """Whether any step is there, or not, by a condition."""
        return any(step.guard is not None for step in self.graph.root.walk())


def variations(value: Any) -> Sequence[Any]:
    """Other values near to one, larger and smaller in turn, with more factors and with fewer; of a list, of each."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, float):
        return (value / 2 + 0.125, value / 4)
    if isinstance(value, str):
        return [word for word in WORDS if not equal(class_of(word), class_of(value))]
    if isinstance(value, list):
        return _columns(value, list(map(_of_entry, value)))
    return [v for v in _near(value) if v != value]


def _columns(given: Sequence[Any], others: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Lists of one of the other values of each entry; equal entries have unlike ones, as far as there are such."""
    ranks = [sum(known == entry for known in given[:at]) for at, entry in enumerate(given)]
    turned = [
        [_unlike(one, value, rank) for one in each] for each, value, rank in zip(others, given, ranks, strict=True)
    ]
    return [list(column) for column in zip(*turned, strict=False)]


def _unlike(other: Any, value: Any, rank: int) -> Any:
    """Another value of an entry that so many before it are equal to: further on the same side, as good a divisor."""
    if isinstance(value, float):
        return other - rank * (other - value) / 8
    if not rank or isinstance(value, bool) or not isinstance(value, int):
        return other
    # The width of a window stays odd.
    step = 2 if value % 2 else 1
    if other > value:
        return other + rank * step * (value if value and other % value == 0 else 1)
    half = value // 2 ** (rank + 1)
    return half if half and 2 * other == value else max(1, other - rank * step)


def _changed(rows: Sequence[Sequence[Any]], column: int) -> Iterator[list[Any]]:
    """A table with another value in one of the rows, the last ones first."""
    for at in reversed(range(len(rows))):
        for other in variations(rows[at][column])[:2]:
            row = [*rows[at][:column], other, *rows[at][column + 1 :]]
            yield [*rows[:at], row, *rows[at + 1 :]]


def _mixed(values: Sequence[Any], at: int) -> Iterator[list[Any]]:
    """A list with another value in one entry, its own or one that it changes places with."""
    yield from (_with_entry(values, at, other) for other in variations(values[at])[:2])
    unlike = (place for place, value in enumerate(values) if value != values[at])
    for place in islice(unlike, 2):
        yield _with_entry(_with_entry(values, at, values[place]), place, values[at])


def _with_entry(values: Sequence[Any], at: int, other: Any) -> list[Any]:
    """A list with another value in one entry."""
    return [*values[:at], other, *values[at + 1 :]]


def _near(value: int) -> list[int]:
    """Numbers near a count, and its multiples; odd ones first where it is odd, as the width of a window has to be."""
    if value % 2 and value > 1:
        return [3 * value, value // 2 | 1, value + 2, value - 2, 2 * value, value + 1]
    return [2 * value, value // 2, value + 1, value - 1, 3 * value, value + 2]


def _of_entry(value: Any) -> Sequence[Any]:
    """The same of a number or a row in a list, so that no number is left as it is."""
    return [other or 3 for other in _near(value)] if type(value) is int else variations(value)


def _is_table(value: Any) -> bool:
    """Whether a value is a list of rows."""
    return isinstance(value, list) and any(isinstance(item, list) for item in value)


def _each(value: Any) -> list[Any]:
    """The entries of a list, or what is no list."""
    return value if isinstance(value, list) else [value]


def takes(parts: Sequence[Part], name: str) -> bool:
    """Whether the root class has an argument of this name, behind which `_` stands where a function has it."""
    return not arguments(parts).isdisjoint((name, f"{name}_"))


def arguments(parts: Sequence[Part]) -> set[str]:
    """The arguments of the root class."""
    made = constructor(parts[-1])
    return {each.arg for each in made.args.args[1:]} if made is not None else set()


def _without(parts: Sequence[Part], names: Collection[str]) -> list[Part]:
    """A program without the defaults of some arguments of the last class."""
    *first, last = parts
    assert isinstance(last, ast.ClassDef)
    known = constructor(last)
    assert known is not None
    arguments = known.args
    given = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    defaults: list[ast.expr] = [
        ast.Constant(None) if argument.arg in names or argument.arg.removesuffix("_") in names else default
        for argument, default in zip(given, arguments.defaults, strict=True)
    ]
    head = ast.arguments(posonlyargs=[], args=arguments.args, kwonlyargs=[], kw_defaults=[], defaults=defaults)
    made = ast.FunctionDef(known.name, head, known.body, [])
    body = [made if part is known else part for part in last.body]
    return [*first, ast.ClassDef(last.name, last.bases, [], body, [])]


def constructor(cls: Part) -> ast.FunctionDef | None:
    """The `__init__` of a class, if it has one."""
    return next((f for f in cls.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
