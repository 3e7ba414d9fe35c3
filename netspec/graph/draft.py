"""A network while it is built: values, steps and levels that can still be changed, until they are frozen.

They refer to each other in circles, so none of them could be frozen before the others are made. A draft is what it is
a draft of in all that is read of it, and becomes that in its place once all is known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from netspec.errors import At
from netspec.graph import model
from netspec.graph.model import NONE, Guard, Repeat, first
from netspec.language.refusals import Unknown
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.tensors import Tensor
from netspec.words import few

AXES: Final = {"c": 1, "t": 1, "h": -2, "w": -1, "d": -1}
"""The sizes that an expression may ask of a value by a letter."""
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

    def freeze(self) -> Iterable[object]:
        """Become a value of the graph; gives what it refers to."""
        others = (self.level, self.step, self.alias, *self.parts.values())
        _set(self, "parts", _frozen(self.parts))
        _set(self, "__class__", model.Value)
        return others


Results = Value | tuple[Any, ...]


class Step(model.Step):
    """An operation or a call in its place, which may not be fitted to its inputs yet."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    name: str
    level: Level
    inputs: tuple[Value, ...]
    results: Results
    op: Op | None
    body: Level | None
    member: str
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

    @property
    def value(self) -> Value:
        return first(self.results)

    def freeze(self) -> Iterable[object]:
        """Become a step of the graph; gives what it refers to."""
        for name in ("written", "measures", "origins"):
            _set(self, name, _frozen(getattr(self, name)))
        _set(self, "__class__", model.Step)
        return (self.level, self.body, self.passed, *self.inputs, *model.flat(self.results))


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
    exports: dict[model.Value, Value]
    repeats: list[Repeat]
    aliases: dict[str, Step]

    def __init__(self, kind: Any, name: str = "", parent: Level | None = None, **given: Any) -> None:
        super().__init__(kind, name, parent, **given)
        self.measures, self.bound, self.inputs, self.members, self.exports, self.aliases = {}, {}, {}, {}, {}, {}
        self.steps, self.repeats, self.lists, self.left = [], [], set(), set()

    def freeze(self) -> Iterable[object]:
        """Become a level of the graph; gives what it refers to."""
        for name in ("params", "origins", "measures", "bound", "inputs", "members", "exports", "aliases"):
            _set(self, name, _frozen(getattr(self, name)))
        for name, kind in (("steps", tuple), ("repeats", tuple), ("lists", frozenset), ("left", frozenset)):
            _set(self, name, kind(getattr(self, name)))
        if isinstance(self.outputs, dict):
            _set(self, "outputs", _frozen(self.outputs))
        _set(self, "__class__", model.Level)
        return (self.parent, *self.steps, *self.members.values(), *self.inputs.values(), *self.exports)


def called(level: Level, inputs: tuple[Value, ...], at: At, around: Level) -> Step:
    """The step that calls a level, in the level around it."""
    value = Value(level.name, None, around)
    step = Step(level.name, around, inputs, value, at, body=level)
    value.step = step
    around.steps.append(step)
    return step


_set: Final = object.__setattr__


def _frozen(entries: Mapping[K_, T_]) -> Mapping[K_, T_]:
    return MappingProxyType(entries) if entries else NONE


def freeze(root: Level) -> model.Level:
    """The level and all that can be reached from it, frozen."""
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, Value | Step | Level):
            waiting += thing.freeze()
    return root
