"""The expressions that make members, over the constructor's arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from netspec.emit.torch import construct, seated, torch_class, wrapped
from netspec.graph.combining import symbols
from netspec.graph.model import Level, Repeat, Step, Value
from netspec.graph.rounds import name_over_counter, over_counter
from netspec.graph.symbols import counted
from netspec.graph.uses import made_with
from netspec.language import expressions
from netspec.layers.base import Layer
from netspec.python.expressions import f_string
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import (
    Argument,
    Code,
    call,
    keyword,
    named,
    same,
    stored,
    valued,
    walk,
)
from netspec.views.code.containers import SELF, Run, named_sequence, repeated
from netspec.views.code.factors import over_arguments
from netspec.views.code.paths import Paths
from netspec.views.code.patterns import Column, Pattern, columns_of, is_chosen, lender
from netspec.views.code.program import Plan, Signature
from netspec.views.code.proving import Unproved, value
from netspec.views.code.rows import Rows, Stiff
from netspec.views.code.sequences import is_inline, nested, over_root, positional, repeats_at
from netspec.views.code.simpler import in_round
from netspec.views.code.slots import ABSENT, Slots, equal
from netspec.views.code.table_sites import Unsaid, has_rounds
from netspec.views.code.tables import Writing


class Making:
    """Writes what makes the members of one class; what differs between its uses becomes an argument."""

    def __init__(self, pattern: Pattern, plan: Plan, known: Mapping[Pattern, Signature]) -> None:
        """`known` are the constructors of the classes that are written already, as all are that this one needs."""
        self.pattern = pattern
        self.serving = plan.serving
        self.known = known
        self.rules = plan.rules.rounds
        self.found: dict[str, Run] = {}
        """What the rounds of repeats have in common, by the level and the repeat."""
        self.behind: dict[Hashable, str] = {}
        """The variables that are, behind loops over tables, what an expression over the arguments is."""
        self.looped: set[str] = set()
        """The names of the variables of loops over tables."""
        self.layers = ""
        """The variable for the modules of a row, once there is one."""
        others = {served for served in set(plan.serving.values()) if served is not pattern}
        alone = all(served.levels[0].source != pattern.levels[0].source for served in others)
        self.slots = Slots(pattern.levels, plan.live, set(plan.names.values()), alone, plan.rules.fixed)
        self.modules = [self.slots.names.fresh(identifier(each.name)) for each in made_with(pattern.levels[0])]
        """The arguments that are modules of classes around this one."""

    def condition(self, unit: int) -> ast.expr:
        """The test of a `when`, over the constructor's arguments; an argument of its own if it asks for more."""
        return self.condition_of(self.pattern.column(unit))

    def condition_of(self, column: Column) -> ast.expr:
        """The test of what some uses leave out: the spec's own condition where it holds for all, else an argument."""
        series = [ABSENT if unit is None else unit.present for unit in column.units]
        guards = [unit.guard for unit in column.units if unit is not None]
        test = self.slots.condition([g.origin for g in guards if g is not None and g.origin is not None], series)
        if test is not None:
            return test
        name = next((s.name for s in column.shown if not s.name.isdecimal()), "extra")
        return valued(self.slots.code(series, f"with_{name}"))

    def name(self, aligned: Sequence[Step | None]) -> ast.expr:
        """A member's name over the constructor's arguments: `f"{name}conv1"`."""
        steps = [step for step in aligned if step is not None]
        names = [step.member for step in steps]
        node = self.slots.spelled(steps[0].spelling, f_string, names)
        return valued(self.slots.code(names, "name")) if node is None else node

    def made(self, aligned: Sequence[Step | None]) -> tuple[list[ast.stmt], ast.expr]:
        """The expression that makes a member, and the statements before it that make the modules of a row."""
        levels = [None if step is None else step.body for step in aligned]
        inner = next((self.serving.get(level) for level in levels if level is not None), None)
        columns = inner.columns(levels) if inner is not None and inner.in_place else []
        if any(column.varies for column in columns):
            statements, modules = Rows(self).row(levels, columns)
            return statements, call("nn.Sequential", *modules)
        return self._tabled(levels, inner) or self._looped(levels, columns) or ([], self.construct(aligned))

    def _looped(
        self, levels: Sequence[Level | None], columns: Sequence[Column]
    ) -> tuple[list[ast.stmt], ast.expr] | None:
        """The same for a row with rounds of several modules, which statements put in a list; None for any other."""
        shown = next((level for level in levels if level is not None), None)
        if shown is None or not (columns or is_inline(shown)) or not positional(shown):
            return None
        found = Rows(self).looped(levels, columns or columns_of(levels))
        return None if found is None else (found[0], call("nn.Sequential", *found[1]))

    def _tabled(self, levels: Sequence[Level | None], inner: Pattern | None) -> tuple[list[ast.stmt], ast.expr] | None:
        """The same for a row in which rounds go over a table; None for any other, and if no loop says all of it."""
        level = levels[0] if len(levels) == 1 else None
        if level is None or (inner is not None and not inner.in_place) or not has_rounds(level, False):
            return None
        before = self.slots.state()
        try:
            statements, modules = Writing(self.slots, self._over, self.looped, self.behind).written(level, self.serving)
        except Unsaid:
            self.slots.back(before)
            return None
        return statements, call("nn.Sequential", *modules)

    def _over(self, slots: Slots, steps: Sequence[Step]) -> ast.expr:
        """The expression that makes a member in each pass of a loop, over the variables of that."""
        own, self.slots = self.slots, slots
        try:
            return self.construct(steps)
        finally:
            self.slots = own

    def construct(self, aligned: Sequence[Step | None]) -> ast.expr:
        """The expression that makes a member, over the constructor's arguments."""
        shown = next(step for step in aligned if step is not None)
        if shown.body is None:
            return self._construct_op(aligned)
        inner = self.serving.get(shown.body)
        if inner is None or inner.in_place:
            return self._construct_sequence(aligned)
        assert shown.body is not None
        arguments: list[Argument] = [self.lent(shown.level, module) for module in made_with(shown.body)]
        by_name = False
        places = [None if step is None else _index(inner.levels, step.body) for step in aligned]
        signature = self.known[inner]
        for name, known in signature.arguments.items():
            values = [ABSENT if place is None else known.values[place] for place in places]
            code = self.slots.code(values, name, [None if place is None else known.origins[place] for place in places])
            by_name = by_name or name in signature.defaults
            if name not in signature.defaults or not equal(code, signature.defaults[name]):
                arguments.append(keyword(name, valued(code)) if by_name else valued(code))
        return call(signature.name, *arguments)

    def lent(self, level: Level, module: Value) -> ast.expr:
        """A module that what stands in a level is made with: a member of this class, or what that is given itself."""
        while level is not self.pattern.levels[0] and level not in self.pattern.levels:
            assert level.parent is not None
            level = level.parent
        where = lender(level, module)
        if isinstance(where, int):
            return named(self.modules[where])
        return Paths(self.serving).reached(SELF, level, where.split("."))

    def _construct_op(self, aligned: Sequence[Step | None]) -> ast.expr:
        """The call that makes the module, parameter or buffer of a step: `nn.Conv2d(c, 6, 5)`."""
        shown = next(step for step in aligned if step is not None)
        op = shown.op
        assert op is not None
        if self.is_argument(aligned):
            return call(self.chosen(aligned))
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in aligned]
            if op.fields[name].places and getattr(op, name) is not None:
                formulas = [None if text is ABSENT else expressions.parse(text) for text in series]
                values[name] = over_arguments(formulas, origins(aligned, name), self.slots.code)
            else:
                values[name] = self.slots.code(series, name, origins(aligned, name))
        made = construct(op.replace(**values)) if shown.member else seated(op.replace(**values))
        if shown.wrap is None:
            return made
        assert isinstance(made, ast.Call)
        return wrapped(shown.wrap, made)

    def is_argument(self, aligned: Sequence[Step | None]) -> bool:
        """Whether an argument says which operation a step is: it varies, or is a parameter of the network."""
        if is_varied(aligned):
            return True
        present = [step for step in aligned if step is not None and step.origins.get("") is not None]
        asked = (symbols(over_root(step.origins[""], step.level)) for step in present if is_chosen(step))
        return any(not symbols_.isdisjoint(self.slots.live) for symbols_ in asked)

    def chosen(self, aligned: Sequence[Step | None]) -> ast.expr:
        """The class of a module where an argument says which that is."""
        ops = [None if step is None else step.op for step in aligned]
        classes = [Code(named(torch_class(type(op)))) if isinstance(op, Layer) else ABSENT for op in ops]
        return valued(self.slots.code(classes, "activation", origins(aligned, "")))

    def _construct_sequence(self, aligned: Sequence[Step | None]) -> ast.expr:
        """`nn.Sequential(...)` of a row of modules that has no class of its own."""
        shown = next(step.body for step in aligned if step is not None)
        assert shown is not None
        steps = _present(shown)
        bodies = [None if s is None else _present(s.body) for s in aligned]
        if any(len(body) != len(steps) for body in bodies if body is not None):
            raise Stiff(shown.source)
        names = [step.member or step.name for step in steps]
        levels = [None if s is None else s.body for s in aligned]

        def member(name: str) -> ast.expr:
            place = names.index(name)
            return self.construct([None if b is None else b[place] for b in bodies])

        items, runs = self.members(levels, names, member)
        if names != [str(i) for i in range(len(names))]:
            return named_sequence(names, items, runs)
        return call("nn.Sequential", *repeated(items, runs))

    def members(
        self, levels: Sequence[Level | None], names: Sequence[str], make: Callable[[str], ast.expr], inside: str = ""
    ) -> tuple[list[ast.expr], list[Run]]:
        """What `make` makes of the members of these names, and which of them are the rounds of a repeat.

        `inside` is what stands before each name, `convs.`, where they are the members of a container.
        """
        shown = next(level for level in levels if level is not None)
        places = {f"{inside}{name}": place for place, name in enumerate(names)}
        named_ = list(names) != [str(place) for place in range(len(names))]
        found: dict[int, ast.expr] = {}
        runs: list[Run] = []
        for repeat, inner in nested(shown) if not named_ else ():
            mine = [places[s.member] for s in repeat.steps if s.member in places and shown.members.get(s.member) is s]
            if len(levels) > 1 or len(mine) != len(repeat.steps) or mine != list(range(mine[0], mine[0] + len(mine))):
                continue
            if (run := self._nested([names[p] for p in mine], repeat, inner, make)) is not None:
                runs.append(replace(run, start=mine[0]))
                found |= dict.fromkeys(mine, run.item)
        for at, repeat in enumerate(shown.repeats):
            mine = [places[s.member] for s in repeat.steps if s.member in places and shown.members.get(s.member) is s]
            repeats = repeats_at(levels, at)
            if not mine or len(mine) != repeat.count or mine != list(range(mine[0], mine[0] + len(mine))):
                continue
            if not repeats or not found.keys().isdisjoint(mine):
                continue
            made, site = [names[p] for p in mine], f"{shown.path}#{at}"
            run = self._ruled(site, made, repeats, make) or self._run(made, repeats, make, named_)
            if run is not None:
                self.found[site] = run
                runs.append(replace(run, start=mine[run.begin]))
                found |= dict.fromkeys(mine[run.begin :], run.item)
        return [found[p] if p in found else make(name) for p, name in enumerate(names)], runs

    def _nested(
        self, names: Sequence[str], repeat: Repeat, inner: Sequence[Repeat], make: Callable[[str], ast.expr]
    ) -> Run | None:
        """The members of a repeat of which each round is a repeat, one in each of its; None if none says all."""
        before = self.slots.state()
        counts = [self.times([each]) or valued(each.count) for each in inner]
        counters: set[str] = set()

        def within(turn: int) -> ast.expr:
            begin = sum(each.count for each in inner[:turn])
            makes = [partial(make, name) for name in names[begin : begin + inner[turn].count]]
            said = self.over_counter(makes, [inner[turn]])
            if said is None:
                raise Unsaid
            counters.add(said[1])
            return said[0]

        with suppress(Unsaid):
            whole = self.over_counter([partial(within, turn) for turn in range(repeat.count)], [repeat])
            if whole is not None and len(counters) == 1 and all(same(count, counts[0]) for count in counts):
                item, counter = whole
                asked = {node.id for node in walk(item) if isinstance(node, ast.Name)}
                one, other = (stored(name if name in asked else "_") for name in (counter, counters.pop()))
                times = self.times([repeat]) or valued(repeat.count)
                inside = ast.comprehension(other, call("range", counts[0]), [], 0)
                return Run(0, 0, len(names), times, item, one, inner=inside)
        self.slots.back(before)
        return None

    def _run(
        self, names: Sequence[str], repeats: Sequence[Repeat | None], make: Callable[[str], ast.expr], named_: bool
    ) -> Run | None:
        """The members that a repeat makes, one a round, as one expression over its counter; None if none says all.

        Fewer than three are written out, and equal ones without a name are told by their container, if it is only the
        spec that says how many they are.
        """
        before = self.slots.state()
        times = self.times(repeats)
        makes = [partial(make, name) for name in names]
        for begin in (0,) if times is not None else (0, 1):
            if times is None and len(names) - begin < 3:
                break
            alike = begin > 0 and self.alike(makes[begin:])
            counters = [] if alike else repeats  # what asks for the first round alone says nothing of the others
            if (found := self.over_counter(makes[begin:], counters, begin=begin, apart=times is not None)) is None:
                continue
            item, counter = found
            key = name_over_counter(names[begin:], counter, begin) if named_ else None
            counts = key is not None or any(isinstance(node, ast.Name) and node.id == counter for node in walk(item))
            if (key is not None or not named_) and (times is not None or counts):
                many = valued(len(names)) if times is None else times
                variable = stored(counter if counts else "_")
                return Run(begin, begin, len(names) - begin, many, item, variable, key)
        self.slots.back(before)
        return None

    def _ruled(
        self, site: str, names: Sequence[str], repeats: Sequence[Repeat | None], make: Callable[[str], ast.expr]
    ) -> Run | None:
        """The members that a repeat makes by the rule that more rounds of it have, where these have it too."""
        before = self.slots.state()
        rule, times = self.rules.get(site), self.times(repeats)
        if rule is not None and times is not None and isinstance(rule.counter, ast.Name) and rule.begin == 0:
            counter = rule.counter.id
            made = {turn: make(name) for turn, name in enumerate(names)}
            read = {part.id for part in walk(rule.item) if isinstance(part, ast.Name)}
            known = {part.id for node in made.values() for part in walk(node) if isinstance(part, ast.Name)}
            rounds = [self.without_defaults(in_round(rule.item, counter, turn)) for turn in made]
            alike = read <= known | {counter} | self.slots.arguments.keys() and all(map(same, rounds, made.values()))
            if alike and (rule.key is None or [_named(rule.key, counter, turn) for turn in made] == list(names)):
                return replace(rule, start=0, count=len(names), times=times)
        self.slots.back(before)
        return None

    def without_defaults(self, node: ast.expr) -> ast.expr:
        """The call of a class of the network without arguments that are as they are by default."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            return node
        name = node.func.id
        known = next((signature.defaults for signature in self.known.values() if signature.name == name), {})
        defaults: dict[str | None, ast.expr] = {argument: valued(default) for argument, default in known.items()}
        given = [k for k in node.keywords if k.arg not in defaults or not same(k.value, defaults[k.arg])]
        return ast.Call(node.func, node.args, given)

    def alike(self, makes: Sequence[Callable[[], ast.expr]]) -> bool:
        """Whether the same is made in each of several rounds, as they are."""
        before = self.slots.state()
        first, *others = [make() for make in makes]
        self.slots.back(before)
        return all(same(first, other) for other in others)

    def times(self, repeats: Sequence[Repeat | None]) -> ast.expr | None:
        """How often a repeat runs, over the constructor's arguments; None where that is a number."""
        counts = [ABSENT if repeat is None else repeat.count for repeat in repeats]
        times = self.slots.code(counts, "depth", [None if repeat is None else repeat.times for repeat in repeats])
        return times.node if isinstance(times, Code) else None

    def over_counter(
        self,
        makes: Sequence[Callable[[], ast.expr]],
        repeats: Sequence[Repeat | None],
        *,
        begin: int = 0,
        apart: bool = False,
    ) -> tuple[ast.expr, str] | None:
        """What each round from `begin` on makes as one expression, and the counter that it is over.

        None if none says all; `apart` allows what differs in the first round alone.
        """
        numbers = {repeat.number for repeat in repeats if repeat is not None}
        before, outer = self.slots.state(), self.slots.counting
        self.slots.counting = outer | numbers
        try:
            nodes = [make() for make in makes]
            if past := _past(nodes, numbers, begin):
                nodes = [self._behind(make, past, turn) for turn, make in enumerate(makes, begin)]
        except Unsaid:
            self.slots.back(before)
            raise
        finally:
            self.slots.counting, self.slots.past = outer, frozenset()
        taken = {node.id for each in nodes for node in walk(each) if isinstance(node, ast.Name)}
        taken |= self.slots.in_use
        counter = next((name for name in "ijk" if name not in taken), "") or Namespace(taken).fresh("i")
        found = over_counter(nodes, numbers, counter, partial(self._proved, counter), begin=begin, apart=apart)
        if found is None or _counters(found) & numbers:  # where an earlier round asks for what only a later one has
            self.slots.back(before)
            return None
        return found, counter

    def _behind(self, make: Callable[[], ast.expr], past: Set[str], turn: int) -> ast.expr:
        """What a round makes where counters of earlier ones are numbers."""
        self.slots.past = frozenset(symbol for symbol in past if _turn(symbol) < turn)
        node = make()
        self.slots.past = frozenset()
        return node

    def _proved(self, counter: str, node: ast.expr, nodes: Mapping[int, ast.expr]) -> bool:
        """Whether an expression over a counter comes to the same whole numbers as those of the rounds, in every use."""
        try:
            for use in range(len(self.pattern.levels)):
                names = {name: series[use] for name, series in self.slots.params.items()}
                for turn, known in nodes.items():
                    meant = value(known, names)
                    if type(meant) is not int or not equal(value(node, {**names, counter: turn}), meant):
                        return False
        except Unproved:
            return False
        return True


def _counters(node: ast.expr) -> set[int]:
    """The numbers of the repeats whose counters an expression asks for."""
    names = (counted(part.id) for part in walk(node) if isinstance(part, ast.Name))
    return {known[0] for known in names if known is not None}


def _named(key: ast.expr, counter: str, turn: int) -> Any:
    """The name of a member in one round; None where it cannot be told."""
    try:
        return value(key, {counter: turn})
    except Unproved:
        return None


def _past(nodes: Sequence[ast.expr], repeats: Set[int], begin: int) -> Set[str]:
    """The counters of single rounds that all rounds behind them ask for, several of them: not the one just before."""
    found: dict[str, set[int]] = {}
    for turn, node in enumerate(nodes, begin):
        for name in {part.id for part in walk(node) if isinstance(part, ast.Name)}:
            if (counter := counted(name)) is not None and counter[0] in repeats and counter[1] < turn:
                found.setdefault(name, set()).add(turn)
    last = begin + len(nodes)
    return {name for name, at in found.items() if len(at) > 1 and len(at) == last - max(begin, _turn(name) + 1)}


def _turn(symbol: str) -> int:
    """The round of a counter."""
    counter = counted(symbol)
    assert counter is not None
    return counter[1]


def origins(aligned: Sequence[Step | None], field: str) -> list[ast.expr | None]:
    """The expression of the spec that gives a field, use by use."""
    return [None if step is None else step.origins.get(field) for step in aligned]


def is_varied(aligned: Sequence[Step | None]) -> bool:
    """Whether a step is another operation in other uses."""
    return len({type(step.op) for step in aligned if step is not None and step.op is not None}) > 1


def _present(level: Level | None) -> list[Step]:
    """The steps of a level that run."""
    return [step for step in level.steps if not step.left_out] if level is not None else []


def _index(levels: Sequence[Level], level: Level | None) -> int:
    """Which of these levels one is, by identity."""
    return next(i for i, known in enumerate(levels) if known is level)
