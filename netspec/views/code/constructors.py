"""The expressions that make members, over the constructor's arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from netspec.emit.torch import construct
from netspec.graph.model import Level, Step
from netspec.graph.wrapping import WRAPS
from netspec.language import rows
from netspec.language.rows import Expr
from netspec.python.expressions import f_string
from netspec.python.nodes import Argument, call, keyword, valued
from netspec.views.code.containers import named_sequence, repeated
from netspec.views.code.patterns import Pattern
from netspec.views.code.proving import proved
from netspec.views.code.sequences import is_inline
from netspec.views.code.slots import ABSENT, Slots, equal

Serving = dict[Level, Pattern]
"""The class of each level that has one."""


class Making:
    """Writes what makes the members of one class; what differs between its uses becomes an argument."""

    def __init__(self, pattern: Pattern, serving: Serving) -> None:
        self.pattern = pattern
        self.serving = serving
        classes = {served.name for served in set(serving.values())}
        self.slots = Slots(pattern.levels, list(self._written()), classes)

    def _written(self) -> Iterator[tuple[str, list[Any]]]:
        """Every expression that gives an argument here, with its value in each use."""
        for unit in range(len(self.pattern.units[0])):
            for s in range(len(self.pattern.shown(unit))):
                yield from _expressions(self.pattern.aligned(unit, s))

    def condition(self, unit: int) -> ast.expr:
        """The test of a `when`, over the constructor's arguments; an argument of its own if it asks for more."""
        series = [units[unit].present for units in self.pattern.units]
        guard = self.pattern.units[0][unit].guard
        test = self.slots.condition(guard.text, series) if guard else None
        if test is not None:
            return test
        name = next((s.name for s in self.pattern.shown(unit) if not s.name.isdecimal()), "extra")
        return valued(self.slots.code(series, f"with_{name}"))

    def name(self, template: str, names: Sequence[str]) -> ast.expr:
        """A member's name over the constructor's arguments, `f"{name}conv1"`; `names` are those in each use."""
        node = self.slots.proven(lambda: self._spelled(template), lambda node: proved(node, self.slots.params, names))
        return valued(self.slots.code(names, "name")) if node is None else node

    def _spelled(self, template: str) -> ast.expr | None:
        """The f-string of a template; None where the class cannot say a part of it."""
        parts = [self.slots.tree(part.text) if isinstance(part, Expr) else part for part in rows.template(template)]
        known = [part for part in parts if part is not None]
        return f_string(known) if len(known) == len(parts) else None

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
        for name, series in inner.params.items():
            values = [ABSENT if s is None else series[_index(inner.levels, s.body)] for s in aligned]
            code = self.slots.code(values, name, shown.written.get(name, ""))
            by_name = by_name or name in inner.defaults
            if name not in inner.defaults or not equal(code, inner.defaults[name]):
                arguments.append(keyword(name, valued(code)) if by_name else valued(code))
        return call(inner.name, *arguments)

    def _construct_op(self, aligned: Sequence[Step | None]) -> ast.expr:
        shown = next(step for step in aligned if step is not None)
        op = shown.op
        assert op is not None
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in aligned]
            values[name] = self.slots.code(series, name, shown.written.get(name, ""))
        made = construct(op.replace(**values))
        return call(WRAPS[shown.wrap], made) if shown.wrap else made

    def _construct_sequence(self, aligned: Sequence[Step | None]) -> ast.expr:
        shown = next(step.body for step in aligned if step is not None)
        assert shown is not None
        steps = _present(shown)
        bodies = [None if s is None else _present(s.body) for s in aligned]
        items = [self.construct([None if b is None else b[i] for b in bodies]) for i in range(len(steps))]
        names = [step.member for step in steps]
        if names != [str(i) for i in range(len(names))]:
            return named_sequence(names, items)
        return call("nn.Sequential", *repeated(items))


def _expressions(aligned: Sequence[Step | None]) -> Iterator[tuple[str, list[Any]]]:
    shown = next((step for step in aligned if step is not None), None)
    if shown is None:  # left out of every use
        return
    for name, text in shown.written.items():
        values = [ABSENT if s is None else s.body.params[name] if s.body else getattr(s.op, name) for s in aligned]
        if ABSENT not in values:
            yield text, values
    if shown.body is not None and is_inline(shown.body):
        bodies = [None if s is None else _present(s.body) for s in aligned]
        for i in range(len(_present(shown.body))):
            yield from _expressions([None if b is None else b[i] for b in bodies])


def _present(level: Level | None) -> list[Step]:
    return [step for step in level.steps if not step.left_out] if level is not None else []


def _index(levels: Sequence[Level], level: Level | None) -> int:
    return next(i for i, known in enumerate(levels) if known is level)
