"""A network while it is built: values, steps and levels that can still be changed, as those of a graph cannot.

They refer to each other in circles, so that none of them is whole before all are. What reads a graph reads a draft of
one as well; once it is whole, `freeze` gives the graph itself.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, Final

from netspec.errors import At
from netspec.graph import model
from netspec.graph.model import Guard, Repeat, first
from netspec.language.refusals import Unknown
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.tensors import Tensor
from netspec.words import few

AXES: Final = {"c": 1, "t": 1, "h": -2, "w": -1, "d": -1}
"""The sizes that an expression may ask of a value by a letter."""


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


def called(level: Level, inputs: tuple[Value, ...], at: At, around: Level) -> Step:
    """The step that calls a level, in the level around it."""
    value = Value(level.name, None, around)
    step = Step(level.name, around, inputs, value, at, body=level)
    value.step = step
    around.steps.append(step)
    return step
