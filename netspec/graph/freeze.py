"""A graph out of the draft of one: the same levels, steps and values, none of which can be changed any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from netspec.graph import draft
from netspec.graph.measured import Measure, of_values
from netspec.graph.model import NONE, Level, Repeat, Step, Value

K_ = TypeVar("K_")
T_ = TypeVar("T_")


def freeze(root: draft.Level) -> Level:
    """The level and all that can be reached from it."""
    freezing = _Freezing()
    frozen = freezing.level(root)
    while freezing.waiting:
        match freezing.waiting.pop():
            case draft.Value() as value:
                freezing.fill_value(value)
            case draft.Step() as step:
                freezing.fill_step(step)
            case draft.Level() as level:
                freezing.fill_level(level)
    return frozen


class _Freezing:
    """Makes each thing empty when another refers to it, as they do in circles, and fills it later."""

    def __init__(self) -> None:
        self.made: dict[object, Any] = {}
        self.waiting: list[draft.Value | draft.Step | draft.Level] = []

    def _once(self, thing: draft.Value | draft.Step | draft.Level, cls: type[T_]) -> T_:
        known: T_ | None = self.made.get(thing)
        if known is None:
            known = self.made[thing] = cls.__new__(cls)
            self.waiting.append(thing)
        return known

    def value(self, value: Any) -> Value:
        return self._once(value, Value)

    def step(self, step: Any) -> Step:
        return self._once(step, Step)

    def level(self, level: Any) -> Level:
        return self._once(level, Level)

    def _results(self, results: draft.Results) -> Any:
        return tuple(map(self._results, results)) if isinstance(results, tuple) else self.value(results)

    def _measures(self, measures: Mapping[str, Measure]) -> Mapping[str, Measure]:
        return _mapping({name: of_values(measure, self.value) for name, measure in measures.items()})

    def fill_value(self, value: draft.Value) -> None:
        Value.__init__(
            self.made[value],
            value.name,
            value.tensor,
            self.level(value.level),
            self.step(value.step) if value.step is not None else None,
            _mapping({name: self.value(part) for name, part in value.parts.items()}),
            self.value(value.alias) if value.alias is not None else None,
        )

    def fill_step(self, step: draft.Step) -> None:
        Step.__init__(
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

    def fill_level(self, level: draft.Level) -> None:
        outputs: Any = level.outputs
        if isinstance(outputs, dict):
            outputs = self._values(outputs)
        elif outputs is not None:
            outputs = self._results(outputs)
        Level.__init__(
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
            exports=_mapping({self.value(outer): self.value(inner) for outer, inner in level.exports.items()}),
            repeats=tuple(Repeat(each.times, each.count, self._steps(each.steps)) for each in level.repeats),
            aliases=_mapping({name: self.step(step) for name, step in level.aliases.items()}),
            source=level.source,
        )

    def _values(self, values: Mapping[str, draft.Value]) -> Mapping[str, Value]:
        return _mapping({name: self.value(value) for name, value in values.items()})

    def _steps(self, steps: Iterable[Any]) -> tuple[Step, ...]:
        return tuple(map(self.step, steps))


def _mapping(entries: Mapping[K_, T_]) -> Mapping[K_, T_]:
    return MappingProxyType(entries) if entries else NONE
