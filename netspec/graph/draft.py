"""A network while it is built: values, steps and levels that can still be changed, as those of a graph cannot.

They have the fields of the graph's own; said again is only what is set after they were made, and what of a draft is
itself a draft. What reads a graph reads a draft of one as well; once it is whole, `freeze` gives the graph itself.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields, replace
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from netspec.errors import At
from netspec.graph import model
from netspec.graph.by_parts import Route, Scan
from netspec.graph.measured import AXES, of_values
from netspec.graph.model import NONE, Guard, Repeat, first
from netspec.language.refusals import Unknown
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.tensors import Tensor
from netspec.words import few
from netspec.wraps import Wrap


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
    module: Value | None
    passed: Value | None
    idle: bool
    wrap: Wrap | None
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
    training: frozenset[Value]
    exports: dict[model.Value, Value]
    repeats: list[Repeat]
    tables: list[Repeat]
    aliases: dict[str, Step]
    borrowed: dict[str, Value]
    lent: dict[str, Value]
    scan: Scan | None
    route: Route | None


def called(level: Level, inputs: tuple[Value, ...], at: At, around: Level) -> Step:
    """The step that calls a level, in the level around it."""
    value = Value(level.name, None, around)
    step = Step(level.name, around, inputs, value, at, body=level)
    value.step = step
    around.steps.append(step)
    return step


_KINDS: Final = {Value: model.Value, Step: model.Step, Level: model.Level}
"""What each kind of draft becomes."""
_SLOTS: Final = {
    kind: tuple((each.name, getattr(kind, each.name).__set__) for each in fields(kind)) for kind in _KINDS.values()
}
"""How each slot of a frozen part is filled."""
_HELD: Final = {kind: attrgetter(*(each.name for each in fields(kind))) for kind in _KINDS}
"""What the slots of a draft hold, in that order."""
_PLAIN: Final = {str, bool, type(None), At, MappingProxyType, object, Tensor}
"""What many slots hold that holds nothing itself."""
_EMPTY: Final[dict[type, Any]] = {tuple: (), list: (), dict: NONE, set: frozenset(), frozenset: frozenset()}
"""What becomes of what could hold something and does not."""


def freeze(root: Level) -> model.Level:
    """The level and all that can be reached from it as a graph, which nothing can change."""
    freezing = _Freezing()
    frozen: model.Level = freezing.part(root)
    while freezing.waiting:
        freezing.fill(*freezing.waiting.pop())
    return frozen


class _Freezing:
    """Makes each part empty when another refers to it, as they do in circles, and fills it later."""

    def __init__(self) -> None:
        self.made: dict[Any, Any] = {}
        self.waiting: list[tuple[Any, Any]] = []

    def part(self, held: Any) -> Any:
        """The part of the graph that a draft becomes; anything else as it is."""
        known = self.made.get(held) if held.__class__ in _KINDS else held
        if known is None and held is not None:
            kind: Any = _KINDS[held.__class__]
            known = self.made[held] = kind.__new__(kind)
            self.waiting.append((held, known))
        return known

    def fill(self, draft: Any, frozen: Any) -> None:
        """Give a part of the graph all that its draft holds."""
        for (name, fill), held in zip(_SLOTS[frozen.__class__], _HELD[draft.__class__](draft), strict=True):
            kind = held.__class__
            if kind in _KINDS:
                fill(frozen, self.made.get(held) or self.part(held))
            elif kind in _PLAIN:
                fill(frozen, held)
            elif kind in _EMPTY and not held:
                fill(frozen, _EMPTY[kind])
            elif name == "measures":
                fill(frozen, self.closed({field: of_values(each, self.part) for field, each in held.items()}))
            else:
                fill(frozen, self.closed(held))

    def closed(self, held: Any) -> Any:
        """The same, with nothing in it that can be put in or taken out."""
        kind = held.__class__
        if kind is tuple or kind is list:
            return tuple(map(self.closed, held)) if held else ()
        if isinstance(held, dict):
            part = self.part
            return MappingProxyType({part(key): part(value) for key, value in held.items()}) if held else NONE
        if kind is set or kind is frozenset:
            return frozenset(map(self.part, held))
        if kind is Route:
            return replace(held, ends=self.closed(held.ends))
        if kind is Scan:
            return replace(held, nexts=self.closed(held.nexts), last=self.closed(held.last))
        return replace(held, steps=self.closed(held.steps)) if kind is Repeat else self.part(held)
