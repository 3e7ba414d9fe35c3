"""The expressions that make members, over the constructor's arguments."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from netspec.emit.torch import WRAPS, construct, torch_class
from netspec.graph.model import Level, Step
from netspec.layers.base import Layer
from netspec.python.expressions import f_string
from netspec.python.nodes import Argument, Code, call, keyword, named, same, valued
from netspec.views.code.containers import Run, named_sequence, repeated
from netspec.views.code.patterns import Pattern
from netspec.views.code.program import Plan, Signature
from netspec.views.code.slots import ABSENT, Slots, equal


class Making:
    """Writes what makes the members of one class; what differs between its uses becomes an argument."""

    def __init__(self, pattern: Pattern, plan: Plan, known: Mapping[Pattern, Signature]) -> None:
        """`known` are the constructors of the classes that are written already, as all are that this one needs."""
        self.pattern = pattern
        self.serving = plan.serving
        self.known = known
        self.slots = Slots(pattern.levels, plan.live, set(plan.names.values()))

    def condition(self, unit: int) -> ast.expr:
        """The test of a `when`, over the constructor's arguments; an argument of its own if it asks for more."""
        series = [units[unit].present for units in self.pattern.units]
        guards = [units[unit].guard for units in self.pattern.units]
        test = self.slots.condition([g.origin for g in guards if g is not None and g.origin is not None], series)
        if test is not None:
            return test
        name = next((s.name for s in self.pattern.shown(unit) if not s.name.isdecimal()), "extra")
        return valued(self.slots.code(series, f"with_{name}"))

    def name(self, aligned: Sequence[Step | None]) -> ast.expr:
        """A member's name over the constructor's arguments: `f"{name}conv1"`."""
        steps = [step for step in aligned if step is not None]
        names = [step.member for step in steps]
        node = self.slots.spelled(steps[0].spelling, f_string, names)
        return valued(self.slots.code(names, "name")) if node is None else node

    def construct(self, aligned: Sequence[Step | None]) -> ast.expr:
        """The expression that makes a member, over the constructor's arguments."""
        shown = next(step for step in aligned if step is not None)
        if shown.body is None:
            return self._construct_op(aligned)
        inner = self.serving.get(shown.body)
        if inner is None:
            return self._construct_sequence(aligned)
        arguments: list[Argument] = []
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

    def _construct_op(self, aligned: Sequence[Step | None]) -> ast.expr:
        shown = next(step for step in aligned if step is not None)
        op = shown.op
        assert op is not None
        if is_varied(aligned):
            return call(self.chosen(aligned))
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in aligned]
            values[name] = self.slots.code(series, name, origins(aligned, name))
        made = construct(op.replace(**values))
        return call(WRAPS[shown.wrap], made) if shown.wrap else made

    def chosen(self, aligned: Sequence[Step | None]) -> ast.expr:
        """The class of a module where an argument says which that is."""
        ops = [None if step is None else step.op for step in aligned]
        classes = [Code(named(torch_class(type(op)))) if isinstance(op, Layer) else ABSENT for op in ops]
        return valued(self.slots.code(classes, "activation", origins(aligned, "")))

    def _construct_sequence(self, aligned: Sequence[Step | None]) -> ast.expr:
        shown = next(step.body for step in aligned if step is not None)
        assert shown is not None
        steps = _present(shown)
        bodies = [None if s is None else _present(s.body) for s in aligned]
        items = [self.construct([None if b is None else b[i] for b in bodies]) for i in range(len(steps))]
        names = [step.member for step in steps]
        if names != [str(i) for i in range(len(names))]:
            return named_sequence(names, items)
        return call(
            "nn.Sequential", *repeated(items, self.runs([None if s is None else s.body for s in aligned], items))
        )

    def runs(self, levels: Sequence[Level | None], items: Sequence[ast.expr]) -> list[Run]:
        """The equal members that repeats make one each of, whose count the constructor's arguments give."""
        shown = next(level for level in levels if level is not None)
        found = []
        for place, repeat in enumerate(shown.repeats):
            steps = [step for step in repeat.steps if not step.left_out]
            if not steps or len(steps) != repeat.count or any(step.member not in shown.members for step in steps):
                continue
            start = _present(shown).index(steps[0])
            if not all(same(item, items[start]) for item in items[start : start + repeat.count]):
                continue
            counts = [ABSENT if level is None else level.repeats[place].count for level in levels]
            nodes = [None if level is None else level.repeats[place].times for level in levels]
            times = self.slots.code(counts, "depth", nodes)
            if isinstance(times, Code):
                found.append(Run(start, repeat.count, times.node))
        return found


def origins(aligned: Sequence[Step | None], field: str) -> list[ast.expr | None]:
    """The expression of the spec that gives a field, use by use."""
    return [None if step is None else step.origins.get(field) for step in aligned]


def is_varied(aligned: Sequence[Step | None]) -> bool:
    """Whether a step is another operation in other uses."""
    return len({type(step.op) for step in aligned if step is not None and step.op is not None}) > 1


def _present(level: Level | None) -> list[Step]:
    return [step for step in level.steps if not step.left_out] if level is not None else []


def _index(levels: Sequence[Level], level: Level | None) -> int:
    return next(i for i, known in enumerate(levels) if known is level)
