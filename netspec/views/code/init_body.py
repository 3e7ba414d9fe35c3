"""The part of a constructor that registers members, in the order that the spec gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from netspec.graph.model import Level, Repeat, Step
from netspec.graph.rounds import name_over_counter
from netspec.ops.state import Buffer
from netspec.python.names import identifier
from netspec.python.nodes import (
    Argument,
    assign,
    assigned,
    call,
    is_identifier,
    keyword,
    method,
    named,
    stored,
    tupled,
    valued,
)
from netspec.views.code.constructors import Making
from netspec.views.code.containers import SELF, SUPER, containers, filled, made, reference
from netspec.views.code.paths import Paths
from netspec.views.code.sequences import repeats_at
from netspec.views.code.tables import read_on

NONE = valued(None)


class Registering:
    """Writes the registrations of one class."""

    def __init__(self, making: Making) -> None:
        """`making` gives the expressions that make the members."""
        self.pattern = making.pattern
        self.making = making
        self.rounds: set[str] = set()
        """The members that a loop registers."""

    def statements(self) -> list[ast.stmt]:
        """The statements that register every member, in the order that the spec gives."""
        order = self._order()
        places = {name: place for place, name in enumerate(order)}
        found = [(places[names[0]], [statement]) for names, statement in self._rounds()]
        for unit in range(len(self.pattern.units[0])):
            for first, registered in self._members(unit):
                found.append((places.get(first, len(order)), registered))
        found = [*self._several(places), *found]
        found += [(places[first], [statement]) for first, statement in self._containers()]
        return self._with_aliases(order, sorted(found, key=lambda pair: pair[0]))

    def _order(self) -> list[str]:
        """The names of all members, in an order that suits every use."""
        order = max((list(level.members) for level in self.pattern.levels), key=len)
        if self.pattern.renamed:
            return order
        for level in self.pattern.levels:
            names, place = list(level.members), 0
            for name in names if names != order else ():
                if name not in order:
                    order.insert(place, name)
                place = order.index(name) + 1
        return order

    def _with_aliases(self, order: list[str], found: list[tuple[int, list[ast.stmt]]]) -> list[ast.stmt]:
        """The registrations, with members that are registered twice; what an earlier alias needs is made first."""
        level = self.pattern.levels[0]
        first: list[ast.stmt] = []
        held: dict[str, str] = {}
        """What each member that is made first is called until it is registered."""
        for name, target in level.aliases.items():
            if name in level.borrowed:
                found.append((order.index(name), [_again(name, target, self.making.lent(level, level.borrowed[name]))]))
                continue
            holder, *rest = ".".join(_way(level, target)).split(".")
            rank = next(i for i, member in enumerate(order) if member.partition(".")[0] == holder)
            own: list[ast.stmt] = next((statements for at, statements in found if at == rank), [])
            early = order.index(name) < rank
            if early and holder not in held and (making := _sets(own, holder)) is not None:
                held[holder] = self.making.slots.names.fresh(identifier(holder))
                first += [assign(stored(held[holder]), making), *own[1:]]
                own[:] = [assigned(SELF, holder, named(held[holder]))]
            if early and holder not in held:  # only its place is taken, until what it stands for is there
                nothing = ast.Expr(method(SELF, _registrar(target), valued(name), NONE))
                found.append((order.index(name), [nothing]))
            start = named(held[holder]) if early and holder in held else reference(holder, {})
            source = self._inside(start, holder, rest)
            found.append((order.index(name) if not early or holder in held else rank, [_again(name, target, source)]))
        return [*first, *(one for _, made in sorted(found, key=lambda pair: pair[0]) for one in made)]

    def _inside(self, start: ast.expr, holder: str, rest: list[str]) -> ast.expr:
        """A module inside a member, which is `start` itself."""
        step = self.pattern.levels[0].members.get(holder)
        if rest and (step is None or step.body is None):  # a container
            return method(start, "get_submodule", valued(".".join(rest)))
        return Paths(self.making.serving).reached(start, step.body, rest) if step is not None and step.body else start

    def contents(self) -> ast.expr:
        """The call that registers the members of a list or a dictionary."""
        places: dict[str, tuple[int, int]] = {}
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if step.member and not step.again and not step.left_out:
                    places[step.member] = unit, s
        names = list(self.pattern.levels[0].members)

        def member(name: str) -> ast.expr:
            return self.making.construct(self.pattern.aligned(*places[name]))

        items, runs = self.making.members(self.pattern.levels, names, member)
        return filled(SUPER, names, items, runs)

    def _members(self, unit: int) -> list[tuple[str, list[ast.stmt]]]:
        """The statements that register the members of one unit, with the name of the first of them."""
        registered = self._registrations(unit)
        if not registered:
            return []
        if not self.pattern.varies(unit):
            return [(step.member, self._register(unit, s)) for s, step in registered]
        alone = [step for _, step in registered if self.pattern.homes[step.member] == 1]
        none = [self._registered(step, NONE) for step in alone]
        inside = [statement for s, _ in registered for statement in self._register(unit, s)]
        return [(registered[0][1].member, [*none, ast.If(self.making.condition(unit), inside, [])])]

    def _registrations(self, unit: int) -> list[tuple[int, Step]]:
        """The steps of a unit that register a member here, each with its place."""
        return [
            (s, step)
            for s, step in enumerate(self.pattern.shown(unit))
            if step.member and "." not in step.member and not step.again and not step.left_out
            if step.member not in self.rounds
        ]

    def _rounds(self) -> Iterator[tuple[list[str], ast.stmt]]:
        """The loops that register what repeats make, with the members that each of them does."""
        if self.pattern.renamed:
            return
        level = self.pattern.levels[0]
        places = {
            step.member: (unit, s)
            for unit in range(len(self.pattern.units[0]))
            if not self.pattern.varies(unit)
            for s, step in self._registrations(unit)
        }
        order = list(level.members)
        for at, repeat in enumerate(level.repeats):
            names = [s.member for s in repeat.steps if s.member in places and level.members.get(s.member) is s]
            each, over = divmod(len(names), repeat.count or 1)
            first = order.index(names[0]) if names else 0
            if over or not names or names != order[first : first + len(names)] or not self.rounds.isdisjoint(names):
                continue
            turns = [names[n : n + each] for n in range(0, len(names), each)]
            repeats = repeats_at(self.pattern.levels, at)
            if repeats and (loop := self._loop(turns, repeats, places)) is not None:
                self.rounds |= set(names)
                yield names, loop

    def _loop(
        self, turns: Sequence[Sequence[str]], repeats: Sequence[Repeat | None], places: Mapping[str, tuple[int, int]]
    ) -> ast.stmt | None:
        """The loop that registers the members of each round; None where no rule gives them all, or few are written."""
        before = self.making.slots.state()
        times = self.making.times(repeats)
        members = [self.pattern.levels[0].members[name] for name in turns[0]]

        def make(turn: int) -> ast.expr:
            return tupled(self.making.construct(self.pattern.aligned(*places[name])) for name in turns[turn])

        found = None
        if times is not None or (len(turns) > 2 and len(turns) * len(members) > 3):
            makes = [partial(make, turn) for turn in range(len(turns))]
            found = self.making.over_counter(makes, repeats, apart=times is not None)
        items, counter = found or (None, "")
        if isinstance(items, ast.Tuple):  # else a condition chooses among whole rounds
            names = [name_over_counter(column, counter) for column in zip(*turns, strict=True)]
            body = [
                ast.Expr(method(SELF, _registrar(step), name, item, *_passing(step)))
                for name, step, item in zip(names, members, items.elts, strict=True)
                if name is not None
            ]
            if len(body) == len(members):
                return ast.For(stored(counter), call("range", times or valued(len(turns))), list(body), [])
        self.making.slots.back(before)
        return None

    def _several(self, places: Mapping[str, int]) -> list[tuple[int, list[ast.stmt]]]:
        """For each member that stands in several units, each in other uses: the line before them that sets none."""
        found: dict[str, tuple[int, list[ast.stmt]]] = {}
        for unit in range(len(self.pattern.units[0])):
            registered = [step for _, step in self._registrations(unit)]
            for step in registered:
                if step.member not in found and self.pattern.homes[step.member] > 1:
                    found[step.member] = places[registered[0].member], [self._registered(step, NONE)]
        return list(found.values())

    def _containers(self) -> Iterator[tuple[str, ast.stmt]]:
        """The statements that register the containers of members with dotted names, with the first of these names."""
        held: dict[str, tuple[int, int]] = {}
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if "." in step.member and not step.again and not step.left_out:
                    held[step.member] = unit, s
        for head, keys in containers(self.pattern.levels[0]).items():

            def member(key: str, head: str = head) -> ast.expr:
                return self.making.construct(self.pattern.aligned(*held[f"{head}.{key}"]))

            container = made(keys, *self.making.members(self.pattern.levels, keys, member, f"{head}."))
            added = ast.Expr(method(SELF, "add_module", valued(head), container))
            yield f"{head}.{keys[0]}", assigned(SELF, head, container) if is_identifier(head) else added

    def _register(self, unit: int, step: int) -> list[ast.stmt]:
        """The statements that register a step under its name, which may be computed."""
        aligned = self.pattern.aligned(unit, step)
        behind = dict(self.making.behind) if self._in_order() else {}
        before, making = self.making.made(aligned)
        made = read_on(making, behind) if behind else making
        shown = next(s for s in aligned if s is not None)
        if shown.template and self.pattern.renamed:
            name = self.making.name(aligned)
            return [*before, ast.Expr(method(SELF, "add_module", name, made))]
        return [*before, self._registered(shown, made)]

    def _in_order(self) -> bool:
        """Whether members are registered in the order in which they run, so that what one leaves the next can read."""
        level = self.pattern.levels[0]
        run = [step.member for step in level.steps if level.members.get(step.member) is step]
        return run == list(level.members)

    def _registered(self, step: Step, made: ast.expr) -> ast.stmt:
        """The statement that registers what `made` makes under the step's name, whatever characters it has."""
        if isinstance(step.op, Buffer):
            return ast.Expr(method(SELF, "register_buffer", valued(step.member), made, *_passing(step)))
        if is_identifier(step.member):
            return assigned(SELF, step.member, made)
        return ast.Expr(method(SELF, _registrar(step), valued(step.member), made))


def _again(name: str, target: Step, source: ast.expr) -> ast.stmt:
    """The statement that registers what a step has made under a further name."""
    if isinstance(target.op, Buffer):
        return ast.Expr(method(SELF, "register_buffer", valued(name), source, *_passing(target)))
    return assigned(SELF, name, source)


def _sets(statements: list[ast.stmt], member: str) -> ast.expr | None:
    """What is assigned to a member by the first of the statements that register it; None if it is another way."""
    match statements:
        case [ast.Assign(targets=[ast.Attribute(attr=name)], value=value), *_] if name == member:
            return value
    return None


def _registrar(step: Step) -> str:
    """The method that registers a member under any name."""
    if isinstance(step.op, Buffer):
        return "register_buffer"
    return "register_parameter" if step.op is not None and step.op.source else "add_module"


def _passing(step: Step) -> tuple[Argument, ...]:
    """What its registration says of a buffer that is not saved."""
    forgotten = isinstance(step.op, Buffer) and not step.op.persistent
    return (keyword("persistent", valued(False)),) if forgotten else ()


def _way(level: Level, target: Step) -> list[str]:
    """The names that lead from a level to a member of it or below: its own ones, else one that it has from outside."""
    own = [name for name in level.members if name not in level.aliases]
    for name in (*own, *level.borrowed):
        step = level.members[name]
        if step is target:
            return [name]
        if step.body is not None and (rest := _way(step.body, target)):
            return [name, *rest]
    return []
