"""A network while it is built: values, steps and levels that can still be changed, as those of a graph cannot.

They refer to each other in circles, so that none of them is whole before all are. What reads a graph reads a draft of
one as well; once it is whole, `freeze` gives the graph itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from netspec.errors import At
from netspec.graph import model
from netspec.graph.measured import AXES, Measure, of_values
from netspec.graph.model import NONE, Guard, Repeat, first
from netspec.language.refusals import Unknown
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.tensors import Tensor
from netspec.words import few

K_ = TypeVar("K_")
T_ = TypeVar("T_")


class Value(model.Value):
    """A tensor that flows, whose size may not be known yet."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    name: str
    tensor: Tensor | None
    level: Level
    step: Step | None
    parts: dict[str, Value]
    alias: Value | None

    def __init__(
        self,
        name: str,
        tensor: Tensor | None,
        level: Level,
        step: Step | None = None,
        parts: dict[str, Value] | None = None,
        alias: Value | None = None,
    ) -> None:
        self.name, self.tensor, self.level, self.step, self.alias = name, tensor, level, step, alias
        self.parts = {} if parts is None else parts

    @property
    def actual(self) -> Value:
        """The value that really flows: this one, or what goes on in its place."""
        value = self
        while value.alias is not None:
            value = value.alias
        return value

    def attribute(self, name: str) -> Any:
        """`in.c`, `x.shape`: what an expression may ask. Raises AttributeError with what it has, or Unknown."""
        if name in self.parts:
            return self.parts[name]
        if name != "shape" and name not in AXES:
            raise AttributeError(f"It has: {few([*self.parts, 'shape', *AXES])}.")
        if self.tensor is None:
            raise Unknown
        self.level.asked = self.level.asked or name != "c"
        if name == "shape":
            return list(self.tensor.shape)
        if not -len(self.tensor.shape) <= AXES[name] < len(self.tensor.shape):
            raise AttributeError(f"It is {self.tensor}, batch first.")
        return self.tensor.shape[AXES[name]]


Results = Value | tuple[Any, ...]


class Step(model.Step):
    """An operation or a call in its place, which may not be fitted to its inputs yet."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    name: str
    level: Level
    inputs: tuple[Value, ...]
    results: Results
    at: At
    op: Op | None
    body: Level | None
    member: str
    again: bool
    template: Template
    training: bool | None
    passed: Value | None
    wrap: str
    guard: Guard | None
    written: Mapping[str, Expr]
    measures: Mapping[str, Any]
    origins: Mapping[str, ast.expr]
    spelling: tuple[str | ast.expr, ...]
    row: object

    def __init__(
        self,
        name: str,
        level: Level,
        inputs: tuple[Value, ...],
        results: Results,
        at: At,
        op: Op | None = None,
        body: Level | None = None,
        member: str = "",
        again: bool = False,
        guard: Guard | None = None,
        row: object = None,
    ) -> None:
        self.name, self.level, self.inputs, self.results, self.at = name, level, inputs, results, at
        self.op, self.body, self.member, self.again, self.guard, self.row = op, body, member, again, guard, row
        self.template, self.spelling, self.wrap = (), (), ""
        self.training, self.passed = None, None
        self.written = self.measures = self.origins = NONE

    @property
    def value(self) -> Value:
        return first(self.results)


class Level(model.Level):
    """A module to which steps and members are still added."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    name: str
    parent: Level | None
    params: Mapping[str, Any]
    origins: Mapping[str, ast.expr]
    measures: dict[str, Any]
    bound: dict[str, ast.expr]
    inputs: dict[str, Value]
    steps: list[Step]
    members: dict[str, Step]
    lists: set[str]
    asked: bool
    left: set[str]
    outputs: Results | dict[str, Value] | None
    training: frozenset[Value]
    exports: dict[model.Value, Value]
    repeats: list[Repeat]
    aliases: dict[str, Step]

    def __init__(self, kind: Any, name: str = "", parent: Level | None = None, **given: Any) -> None:
        super().__init__(kind, name, parent, **given)
        self.measures, self.bound, self.inputs, self.members, self.exports, self.aliases = {}, {}, {}, {}, {}, {}
        self.steps, self.repeats, self.lists, self.left = [], [], set(), set()
        self.training = frozenset()


def called(level: Level, inputs: tuple[Value, ...], at: At, around: Level) -> Step:
    """The step that calls a level, in the level around it."""
    value = Value(level.name, None, around)
    step = Step(level.name, around, inputs, value, at, body=level)
    value.step = step
    around.steps.append(step)
    return step


def freeze(root: Level) -> model.Level:
    """The level and all that can be reached from it."""
    freezing = _Freezing()
    frozen = freezing.level(root)
    while freezing.waiting:
        match freezing.waiting.pop():
            case Value() as value:
                freezing.fill_value(value)
            case Step() as step:
                freezing.fill_step(step)
            case Level() as level:
                freezing.fill_level(level)
    return frozen


class _Freezing:
    """Makes each thing empty when another refers to it, as they do in circles, and fills it later."""

    def __init__(self) -> None:
        self.made: dict[object, Any] = {}
        self.waiting: list[Value | Step | Level] = []

    def _once(self, thing: Value | Step | Level, cls: type[T_]) -> T_:
        known: T_ | None = self.made.get(thing)
        if known is None:
            known = self.made[thing] = cls.__new__(cls)
            self.waiting.append(thing)
        return known

    def value(self, value: Any) -> model.Value:
        return self._once(value, model.Value)

    def step(self, step: Any) -> model.Step:
        return self._once(step, model.Step)

    def level(self, level: Any) -> model.Level:
        return self._once(level, model.Level)

    def _results(self, results: Results) -> Any:
        return tuple(map(self._results, results)) if isinstance(results, tuple) else self.value(results)

    def _measures(self, measures: Mapping[str, Measure]) -> Mapping[str, Measure]:
        return _mapping({name: of_values(measure, self.value) for name, measure in measures.items()})

    def fill_value(self, value: Value) -> None:
        model.Value.__init__(
            self.made[value],
            value.name,
            value.tensor,
            self.level(value.level),
            self.step(value.step) if value.step is not None else None,
            _mapping({name: self.value(part) for name, part in value.parts.items()}),
            self.value(value.alias) if value.alias is not None else None,
        )

    def fill_step(self, step: Step) -> None:
        model.Step.__init__(
            self.made[step],
            step.name,
            self.level(step.level),
            tuple(map(self.value, step.inputs)),
            self._results(step.results),
            step.at,
            op=step.op,
            body=self.level(step.body) if step.body is not None else None,
            member=step.member,
            template=step.template,
            again=step.again,
            training=step.training,
            passed=self.value(step.passed) if step.passed is not None else None,
            wrap=step.wrap,
            guard=step.guard,
            written=_mapping(step.written),
            measures=self._measures(step.measures),
            origins=_mapping(step.origins),
            spelling=step.spelling,
            row=step.row,
        )

    def fill_level(self, level: Level) -> None:
        outputs: Any = level.outputs
        if isinstance(outputs, dict):
            outputs = self._values(outputs)
        elif outputs is not None:
            outputs = self._results(outputs)
        model.Level.__init__(
            self.made[level],
            level.kind,
            level.name,
            self.level(level.parent) if level.parent is not None else None,
            header=level.header,
            params=_mapping(level.params),
            origins=_mapping(level.origins),
            measures=self._measures(level.measures),
            bound=_mapping(level.bound),
            inputs=self._values(level.inputs),
            steps=self._steps(level.steps),
            members=_mapping({name: self.step(step) for name, step in level.members.items()}),
            lists=frozenset(level.lists),
            asked=level.asked,
            left=frozenset(level.left),
            outputs=outputs,
            training=frozenset(map(self.value, level.training)),
            exports=_mapping({self.value(outer): self.value(inner) for outer, inner in level.exports.items()}),
            repeats=tuple(replace(each, steps=self._steps(each.steps)) for each in level.repeats),
            aliases=_mapping({name: self.step(step) for name, step in level.aliases.items()}),
            source=level.source,
        )

    def _values(self, values: Mapping[str, Value]) -> Mapping[str, model.Value]:
        return _mapping({name: self.value(value) for name, value in values.items()})

    def _steps(self, steps: Iterable[Any]) -> tuple[model.Step, ...]:
        return tuple(map(self.step, steps))


def _mapping(entries: Mapping[K_, T_]) -> Mapping[K_, T_]:
    return MappingProxyType(entries) if entries else NONE
