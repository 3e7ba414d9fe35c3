"""A network while it is built: values, steps and levels that can still be changed, as those of a graph cannot.

They have the fields of the graph's own; said again is only what is set after they were made, and what of a draft is
itself a draft. What reads a graph reads a draft of one as well; once it is whole, `freeze` makes it the graph.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from netspec.errors import At
from netspec.graph import model
from netspec.graph.measured import AXES
from netspec.graph.model import NONE, Guard, Repeat, first
from netspec.language.refusals import Unknown
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.tensors import Tensor
from netspec.words import few


class Value(model.Value):
    """A tensor that flows, whose size may not be known yet."""

    __slots__ = ()
    __setattr__ = object.__setattr__
    name: str
    tensor: Tensor | None
    level: Level
    step: Step | None
    parts: dict[str, Value]

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


def called(level: Level, inputs: tuple[Value, ...], at: At, around: Level) -> Step:
    """The step that calls a level, in the level around it."""
    value = Value(level.name, None, around)
    step = Step(level.name, around, inputs, value, at, body=level)
    value.step = step
    around.steps.append(step)
    return step


_KINDS: Final = {draft: draft.__base__ for draft in (Value, Step, Level)}
"""What each kind of draft becomes: it has no slots of its own, so that it only changes its class."""
_SLOTS: Final = {draft: tuple(field.name for field in fields(draft)) for draft in _KINDS}
_OPEN: Final = (dict, list, set)
_FOLLOWED: Final = {*_KINDS, tuple}


def freeze(root: Level) -> model.Level:
    """Make the level, and all that can be reached from it, parts of a graph, in their place."""
    waiting: list[Any] = [root]
    while waiting:
        part = waiting.pop()
        kind = part.__class__
        if kind is tuple:
            waiting += part
        elif kind in _KINDS:
            for name in _SLOTS[kind]:
                held = getattr(part, name)
                if isinstance(held, _OPEN):
                    setattr(part, name, _sealed(held))
                    waiting += (*held, *held.values()) if isinstance(held, dict) else held
                elif held.__class__ in _FOLLOWED:
                    waiting.append(held)
            part.__class__ = _KINDS[kind]
    return root


def _sealed(held: dict[Any, Any] | list[Any] | set[Any]) -> Any:
    """The same, where nothing can be put in or taken out any more."""
    if isinstance(held, dict):
        return MappingProxyType(held) if held else NONE
    return tuple(held) if isinstance(held, list) else frozenset(held)
