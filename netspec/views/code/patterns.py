"""What the levels of a graph have in common: which share a class, and which need none.

Uses of a block that differ only in numbers share one class. A `when` may let a step into
some uses and leave it out of others; they still share the class, which then tests for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from netspec.emit.torch import arguments, construct, torch_class
from netspec.graph.model import Guard, Level, Step, Value, flat
from netspec.graph.uses import given, made, made_with, taken
from netspec.language import expressions
from netspec.language.rows import Expr, Template
from netspec.layers.base import Layer
from netspec.python.expressions import text
from netspec.python.nodes import call, named, same
from netspec.views.code.factors import form
from netspec.views.code.sequences import is_inline, is_numbered, is_sequential, positional
from netspec.views.code.stretches import segments, stretches

Ref = tuple[Any, ...]
"""A value by its place, the same in all uses: ("in", 0), or (unit, step in the unit, result).

One of its own members that levels inside run is ("in", path), as it is there from the beginning.
"""

Contents = dict[tuple[int, bool | int | str], Hashable]
"""For each guarded unit, by its place: what it is where it is there, and what goes on where it is not; else None.

For each repeat of a row that stretches: what its rounds are, by the units of each.
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """Steps that are in or out together."""

    guard: Guard | None
    """The `when` that they share, if there is one."""
    steps: tuple[Step, ...]

    @property
    def present(self) -> bool:
        """Whether it is there, and no `when` left it out."""
        return not self.steps[0].left_out  # as all of them


Segments = tuple[tuple[tuple[Unit, ...], ...], ...]
"""The units of a use by the segments of its row and their rounds; all in one where it is no row that stretches."""


@dataclass(frozen=True, eq=False, slots=True)
class Column:
    """One unit in every use of a class; None where a use has not even the level that it stands in."""

    units: Sequence[Unit | None]

    @property
    def shown(self) -> Sequence[Step]:
        """Its steps, from a use that has them."""
        units = [unit for unit in self.units if unit is not None]
        return next((unit for unit in units if unit.present), units[0]).steps

    @property
    def varies(self) -> bool:
        """Whether some uses have it and others do not."""
        return len({unit.present for unit in self.units if unit is not None}) > 1

    def aligned(self, step: int) -> list[Step | None]:
        """One of its steps in every use; None where it is left out."""
        return [unit.steps[step] if unit is not None and unit.present else None for unit in self.units]


@dataclass(frozen=True, eq=False, slots=True)
class Pattern:
    """One class of the printed module: all levels that it serves, unit by unit."""

    levels: tuple[Level, ...]
    """The uses of the block."""
    units: tuple[tuple[Unit | None, ...], ...]
    """For each level, its units; in a row None where others have more rounds."""
    refs: tuple[Mapping[Value, Ref], ...]
    """For each use, where in the class its values stand."""
    echoes: tuple[tuple[int, Level, tuple[Unit, ...]], ...]
    """Further runs of its modules for other inputs: which use is run again, as what, and the units of that."""
    homes: Mapping[str, int]
    """How many units register a member of each name, each in other uses."""
    in_place: bool = False
    """Whether it is no class after all: a row of modules that the constructor around it makes."""

    @property
    def sequential(self) -> bool:
        """Whether nn.Sequential says all of it, in every use."""
        return all(is_sequential(level) and positional(level) for level in self.levels)

    @property
    def base(self) -> str:
        """The class it extends: modules called by number are those of a list, or where numbers lack of a dictionary."""
        plain = all(map(is_numbered, self.levels)) and not any(map(self.varies, range(len(self.units[0]))))
        if not plain or len({tuple(level.members) for level in self.levels}) > 1:
            return "nn.Module"
        return "nn.ModuleList" if positional(self.levels[0]) else "nn.ModuleDict"

    def unit(self, use: int, unit: int) -> Unit:
        """A unit of one use, in a class that is no row."""
        found = self.units[use][unit]
        assert found is not None, "only uses of a row have units that others lack"
        return found

    def shown(self, unit: int) -> Sequence[Step]:
        """The steps of a unit, from a use that has them."""
        return self.column(unit).shown

    def column(self, unit: int) -> Column:
        """A unit in every use."""
        return Column([units[unit] for units in self.units])

    def columns(self, levels: Sequence[Level | None]) -> list[Column]:
        """Its units where each of these is one of the levels that it serves, or none where a use has none.

        Rounds of a row that only other levels have are left out.
        """
        at = {id(level): units for level, units in zip(self.levels, self.units, strict=True)}
        found = [None if level is None else at[id(level)] for level in levels]
        units = ([u[unit] if u is not None else None for u in found] for unit in range(len(self.units[0])))
        return [Column(column) for column in units if any(unit is not None for unit in column)]

    @property
    def renamed(self) -> bool:
        """Whether members have other names in other uses."""
        return len({tuple(level.members) for level in self.levels}) > 1 and all(map(_renamed, self.levels))

    def varies(self, unit: int) -> bool:
        """Whether some uses have the unit and others do not."""
        return self.column(unit).varies

    def aligned(self, unit: int, step: int) -> list[Step | None]:
        """One step of a unit in every use; None where it is left out."""
        return self.column(unit).aligned(step)


def units_of(level: Level) -> tuple[Unit, ...]:
    """The steps of a level, those under one guard together, unless rounds of a repeat differ in what it says."""
    return _units(level.steps)


def _units(steps: Sequence[Step]) -> tuple[Unit, ...]:
    """Steps in a row, those under one guard together."""
    units: list[list[Step]] = []
    for step in steps:
        last = units[-1][-1] if units else None
        if last and _is_with(step, last) and last.left_out == step.left_out:
            units[-1].append(step)
        else:
            units.append([step])
    return tuple(Unit(steps[0].guard, tuple(steps)) for steps in units)


def _is_with(step: Step, last: Step) -> bool:
    """Whether a step is there where the one before it is: under the same `when`, or behind it in a row under an equal.

    Where they are left out, what the first would have taken passes on behind both.
    """
    if last.guard is None or step.guard is None:
        return False
    if last.guard.at == step.guard.at:
        return True
    follows = step.guard.at.path == last.guard.at.path and step.inputs[:1] == (last.value,)
    return follows and same(last.guard.when.tree, step.guard.when.tree)


def columns_of(levels: Sequence[Level | None]) -> list[Column]:
    """The steps of a row that has no class, each for itself, in every use; none where uses have other ones."""
    steps = [None if level is None else level.steps for level in levels]
    counts = {len(each) for each in steps if each is not None}
    places = range(counts.pop() if len(counts) == 1 else 0)
    return [Column([None if s is None else Unit(s[i].guard, (s[i],)) for s in steps]) for i in places]


def references(level: Level, units: Sequence[Unit]) -> dict[Value, Ref]:
    """Each value that the level's steps can name, by its place."""
    refs: dict[Value, Ref] = {value: ("in", i) for i, value in enumerate(taken(level))}
    refs |= {value: ("in", path) for path, value in level.lent.items()}
    for u, unit in enumerate(units):
        for s, step in enumerate(unit.steps):
            place = s - len(unit.steps) if unit.guard is not None else s
            for r, value in enumerate(made(step)):
                refs[value] = (u, place, r)
    return refs


def lender(level: Level, module: Value) -> str | int:
    """Where the constructor of a level finds a module: the path of its own member, or the place among its arguments."""
    own = next((path for path, value in level.lent.items() if value is module), None)
    return made_with(level).index(module) if own is None else own


def patterns(
    roots: Sequence[Level], stiff: Set[Hashable] = frozenset(), fixed: Collection[tuple[str, str]] = ()
) -> dict[Level, Pattern]:
    """The class that serves each level of some networks; levels that are printed as nn.Sequential have none.

    Rows share a class whatever their rounds are, but for those from the `stiff` sources, and those whose rounds are
    counted by `fixed` parameters of their blocks.
    """
    groups: list[_Group] = []
    found: dict[Hashable, list[_Group]] = {}
    serving: dict[Level, int] = {}
    for level in (each for root in roots for each in _levels(root)):
        # A row in one place has no class of its own otherwise; as a pattern its uses can be held beside each other.
        row = _row(level, serving) if level.source not in stiff and stretches(level, fixed) else None
        if row is None and is_inline(level):
            continue
        units = units_of(level)
        refs = references(level, units)
        outline, contents = _signature(level, units, refs, serving) if row is None else row[1:]
        alike = found.setdefault((level.source, level.kind, outline), [])
        group = next((known for known in alike if known.takes(contents)), None)
        if group is None:
            group = _Group(len(groups))
            groups.append(group)
            alike.append(group)
        group.contents.update({at: c for at, c in contents.items() if c is not None})
        group.uses[level] = (((units,),) if row is None else row[0], refs)
        serving[level] = group.number
    echoes: list[list[tuple[int, Level, tuple[Unit, ...]]]] = [[] for _ in groups]
    for level, echo in (again for root in roots for again in _run_again(root)):
        if level in serving:
            at = serving[level]
            echoes[at].append((list(groups[at].uses).index(level), echo, units_of(echo)))
    made = [group.pattern(echoes[group.number]) for group in groups]
    placed = [replace(pattern, in_place=_is_in_place(pattern, made, serving)) for pattern in made]
    return {level: placed[at] for level, at in serving.items()}


def _is_in_place(pattern: Pattern, made: Sequence[Pattern], serving: Mapping[Level, int]) -> bool:
    """Whether the constructor around a row of modules makes it, with an `if` for each of its conditions.

    That takes statements of its own, so one that conditions change stands in no loop and in no other row.
    """
    if pattern.levels[0].kind in ("block", "root") or not all(map(is_sequential, pattern.levels)):
        return False
    if not any(map(pattern.varies, range(len(pattern.units[0])))):
        return True
    owners = {serving.get(level.parent) if level.parent is not None else None for level in pattern.levels}
    at = owners.pop()
    if owners or at is None or not pattern.sequential:
        return False
    owner, number = made[at], serving[pattern.levels[0]]
    if owner.base != "nn.Module" or owner.sequential or owner.renamed or _is_in_place(owner, made, serving):
        return False
    return all(_is_made_once(level, number, serving) for level in owner.levels)


def _is_made_once(owner: Level, number: int, serving: Mapping[Level, int]) -> bool:
    """Whether a level makes the one that has this class at most once, and not in the rounds of a repeat."""
    steps = [step for step in owner.steps if step.body is not None and serving.get(step.body) == number]
    steps = [step for step in steps if not step.again]
    rounds = {id(step) for repeat in owner.repeats for step in repeat.steps}
    return len(steps) < 2 and not owner.aliases and not any("." in s.member or id(s) in rounds for s in steps)


@dataclass(slots=True)
class _Group:
    """Levels that are found to share a class, one after the other."""

    number: int
    contents: Contents = field(default_factory=dict)
    uses: dict[Level, tuple[Segments, Mapping[Value, Ref]]] = field(default_factory=dict)

    def takes(self, contents: Contents) -> bool:
        """Whether a use with these contents can share the class too."""
        return all(self.contents.get(at) in (None, c) or c is None for at, c in contents.items())

    def pattern(self, echoes: Sequence[tuple[int, Level, tuple[Unit, ...]]]) -> Pattern:
        """The class of these uses, and under which names its members stand."""
        units = _stretched([parts for parts, _ in self.uses.values()])
        homes: Counter[str] = Counter()
        for unit in range(len(units[0])):
            steps = Column([u[unit] for u in units]).shown
            homes.update({step.member for step in steps if step.member and not step.again})
        return Pattern(tuple(self.uses), units, tuple(refs for _, refs in self.uses.values()), tuple(echoes), homes)


def _stretched(uses: Sequence[Segments]) -> tuple[tuple[Unit | None, ...], ...]:
    """The units of each use, with None in the place of rounds that others have."""
    most = [max(map(len, column)) for column in zip(*uses, strict=True)]
    each = [next(len(s[0]) for s in column if s) if any(column) else 0 for column in zip(*uses, strict=True)]
    found = []
    for use in uses:
        row: list[Unit | None] = []
        for part, rounds, many in zip(use, most, each, strict=True):
            row += [*(unit for units in part for unit in units), *[None] * (many * (rounds - len(part)))]
        found.append(tuple(row))
    return tuple(found)


def ordered(last: Pattern, serving: Mapping[Level, Pattern]) -> list[Pattern]:
    """The classes that `last` needs and then itself, each behind all that any of its uses contains."""
    found: dict[Pattern, None] = {}

    def visit(pattern: Pattern) -> None:
        if pattern not in found:
            for level in pattern.levels:
                for inner in _inside(level, serving):
                    visit(inner)
            found[pattern] = None

    visit(last)
    return list(found)


def _inside(level: Level, serving: Mapping[Level, Pattern]) -> Iterator[Pattern]:
    """The classes that a level calls, those of sequences written in their place included."""
    for body in (step.body for step in level.steps):
        if body is not None and body in serving and not serving[body].in_place:
            yield serving[body]
        elif body is not None:
            yield from _inside(body, serving)


def _levels(level: Level) -> Iterator[Level]:
    """Every level, inner ones first."""
    for step in level.steps:
        if step.body is not None and not step.again:
            yield from _levels(step.body)
    yield level


def _run_again(root: Level) -> Iterator[tuple[Level, Level]]:
    """Every level that is run for further inputs, with what it is there."""
    for step in root.walk():
        first = step.first_run if step.body is not None else None
        if first is not None and first.body is not None and step.body is not None:
            yield from zip(_levels(first.body), _levels(step.body), strict=True)


def _signature(
    level: Level, units: Sequence[Unit], refs: Mapping[Value, Ref], serving: Mapping[Level, int]
) -> tuple[Hashable, Contents]:
    """What two uses must share to share a class, and what is in each guarded unit, or goes on where it is left out."""
    named = not (positional(level) and is_sequential(level))
    outline: list[Hashable] = [named, len(taken(level))]
    contents: Contents = {}
    for place, unit in enumerate(units):
        inside = tuple(_step_signature(step, refs, named, serving) for step in unit.steps)
        passed = None if unit.present else refs[unit.steps[0].inputs[0]]
        if unit.guard is None or any("." in step.member for step in unit.steps):
            outline.append(inside if unit.present else passed)
        else:
            outline.append(unit.guard.at)
            contents[place, True] = inside if unit.present else None
            contents[place, False] = passed
    outline.append(tuple(refs.get(v, refs.get(v.actual)) for v in level.exports.values()))
    if (scan := level.scan) is not None:
        nexts = tuple(refs.get(v, refs.get(v.actual)) for v in scan.nexts)
        last = tuple(v in scan.last for v in level.exports)
        outline.append((scan.axis, scan.reverse, scan.over, nexts, last))
    if (route := level.route) is not None:
        ends = tuple(refs.get(v, refs.get(v.actual)) for v in route.ends)
        outline.append((route.apart, route.weighted, route.experts if route.apart else 0, ends))
    outline.append(tuple(map(label, level.members.values())) if named and not contents else ())
    outline.append((tuple(level.aliases), tuple(lender(level, value) for value in level.borrowed.values())))
    return tuple(outline), contents


def _row(level: Level, serving: Mapping[Level, int]) -> tuple[Segments, Hashable, Contents] | None:
    """The units of a row, and its signature whatever its rounds are; None if its rounds differ in more than numbers."""
    parts: list[tuple[tuple[Unit, ...], ...]] = []
    outline: list[Hashable] = ["row"]
    contents: Contents = {}
    refs = _Before()
    for segment in segments(level):
        rounds = tuple(map(_units, segment.rounds))
        if len({tuple(len(unit.steps) for unit in units) for units in rounds}) > 1:
            return None
        parts.append(rounds)
        place, shape = len(outline), []
        for at, column in enumerate(zip(*rounds, strict=True)):
            guards = {None if unit.guard is None else unit.guard.at for unit in column}
            there = {tuple(_step_signature(s, refs, False, serving) for s in u.steps) for u in column if u.present}
            if len(guards) > 1 or len(there) > 1:
                return None
            shape.append((len(column[0].steps), guards.pop()))
            contents[place, at] = next(iter(there), None)
        contents[place, "shape"] = tuple(shape) if rounds else None
        outline.append(segment.repeated)
    return tuple(parts), tuple(outline), contents


class _Before(dict[Value, Ref]):
    """Where the values of a row stand, in which each step takes what the one before gives."""

    def __missing__(self, value: Value) -> Ref:
        return ("before",)


def _step_signature(step: Step, refs: Mapping[Value, Ref], named: bool, serving: Mapping[Level, int]) -> Hashable:
    """What must agree in steps that one line of a class stands for."""
    inputs = tuple(refs[value] for value in given(step))
    inner: Hashable = refs[step.module] if step.module is not None else None
    if step.body is not None and step.body in serving:
        inner = serving[step.body]
    elif step.body is not None:
        units = units_of(step.body)
        inner = (step.body.source, _signature(step.body, units, references(step.body, units), serving)[0])
    member = label(step) if named else bool(step.member)
    kind = "by its argument" if is_chosen(step) else (type(step.op), rigid(step))
    if step.body is not None and not step.again:
        inner = (inner, tuple(lender(step.level, value) for value in made_with(step.body)))
    return (kind, step.wrap.told if step.wrap else "", member, inputs, step.training, step.again, inner)


def is_chosen(step: Step) -> bool:
    """Whether an argument of the block says which operation it is, and uses with any such can share a class.

    That is an activation or the like: a module that is made without arguments, has no parameters and takes one value.
    """
    op = step.op
    if "" not in step.origins or not isinstance(op, Layer) or step.wrap or step.training is not None:
        return False
    if op.parameters() or op.buffers() or len(step.inputs) != 1 or isinstance(step.results, tuple):
        return False
    return same(construct(op), call(torch_class(type(op))))


def label(step: Step) -> str | Template:
    """What uses of one class must agree on: a member's name, or as it is written where a use's arguments make it."""
    return step.template if step.template and _renamed(step.level) else step.member


def _renamed(level: Level) -> bool:
    """Whether a block's arguments are in its members' names, and forward can take the members in their order."""
    steps = [step for step in level.steps if not step.again]
    plain = level.kind == "block" and not level.aliases and not level.lent and all(step.guard is None for step in steps)
    if not plain:
        return False
    modules = all(isinstance(step.op, Layer) or step.body is not None for step in level.members.values())
    parts = [part for step in steps for part in step.template if isinstance(part, Expr)]
    given = {name for part in parts for name in expressions.names(part.tree)}
    return plain and modules and given <= level.params.keys() and not any("." in name for name in level.members)


def rigid(step: Step) -> Hashable:
    """Arguments that shape the printed text itself, so that they cannot differ within a class."""
    if step.op is None:
        return None
    words = [(n, getattr(step.op, n)) for n, f in step.op.fields.items() if f.textual and not f.places]
    formulas = [getattr(step.op, n) for n, f in step.op.fields.items() if f.places]
    words += [("", None if formula is None else form(formula)) for formula in formulas]
    inputs = [named(f"x{i}") for i in range(max(1, len(step.inputs)))]
    passed = arguments(step.op, inputs)
    return (repr(words), None if passed is inputs else text(call("self", *passed)), len(flat(step.results)))
