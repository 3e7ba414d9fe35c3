"""Levels that are a row of modules: which nn.Sequential says whole, and which are called by number."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from netspec.dims import Dim
from netspec.emit.torch import arguments, has_seat
from netspec.graph.model import Level, Repeat, Step
from netspec.graph.names import HELD
from netspec.graph.symbols import replaced
from netspec.graph.uses import given, taken
from netspec.layers.activation import Activation, PReLU
from netspec.layers.base import Layer
from netspec.layers.dropout import Dropout
from netspec.python.nodes import named, same


def is_sequential(level: Level) -> bool:
    """Whether nn.Sequential says it all: members in a row, each taking just what the one before gives."""
    if level.repeats_body or (level.inputs and len(level.inputs) > 1) or not HELD.isdisjoint(level.members):
        return False
    if level.lent:
        return False
    entry = taken(level)
    steps = [step for step in level.steps if not step.left_out]
    if len(entry) != 1 or len(level.exports) > 1:
        return False
    flow = entry[0].actual
    seats = any(map(is_seated, steps)) and seat_names(level) == [str(i) for i in range(len(steps))]
    for i, step in enumerate(steps):
        inputs = [value.actual for value in given(step)]
        if inputs != [flow] or step.again or step.training is not None or "." in step.member:
            return False
        if isinstance(step.results, tuple):
            return False
        if not step.member and not (seats and is_seated(step)):
            return False
        if step.member and step.op is not None and not isinstance(step.op, Layer):
            return False
        if isinstance(step.op, Layer) and not _plain(step.op) and not all(map(_pointwise, steps[:i])):
            return False
        if step.body is not None and len(step.body.exports) > 1:
            return False
        flow = step.value
    registered = [id(step) for step in level.members.values()]
    returned = {value.actual for value in level.exports.values()} or {flow}
    own = [id(step) for step in steps if step.member]
    return bool(own) and registered == own and returned == {flow} and not level.aliases


def is_seated(step: Step) -> bool:
    """Whether a function can stand among modules: one of those with a helper for it, whose arguments are numbers."""
    op = step.op
    if op is None or step.member or step.measures or step.training is not None or not has_seat(op):
        return False
    return not any(isinstance(value, Dim) for name in op.fields for value in _each(getattr(op, name)))


def seat_names(level: Level) -> list[str]:
    """What the members of a list are called, and the functions between them, which are counted too."""
    return [step.member or step.name for step in level.steps if not step.left_out and (step.member or is_seated(step))]


def _each(value: Any) -> Sequence[Any]:
    """The parts of what may be one alone."""
    return value if isinstance(value, tuple | list) else (value,)


def leading(level: Level, given: ast.expr) -> ast.expr:
    """What a level is given as its first step wants it: flattened before a sequence that begins with fc."""
    steps = [step for step in level.steps if not step.left_out]
    if not steps or not is_sequential(level):
        return given
    step = next((step for step in steps if not _pointwise(step)), steps[0])
    if step.body is not None:
        return leading(step.body, given) if step is steps[0] else given
    assert step.op is not None
    if not isinstance(step.op, Layer):
        return given
    first = arguments(step.op, [given])[0]
    assert isinstance(first, ast.expr)
    return first


def _plain(op: Layer) -> bool:
    """Whether a module is called with its input as it is; else that is flattened before the whole sequence."""
    return list(arguments(op, [_X])) == [_X]


def is_plain(step: Step) -> bool:
    """Whether the module of a step is called with its input as it is."""
    return same(leading(step.body, _X), _X) if step.body is not None else isinstance(step.op, Layer) and _plain(step.op)


def _pointwise(step: Step) -> bool:
    """Whether it treats each number by itself, so that flattening may come before it."""
    return isinstance(step.op, Dropout | Activation) and not isinstance(step.op, PReLU)


_X = named("x")


def is_inline(level: Level) -> bool:
    """Whether a level is written where it is used, as nn.Sequential(...), without a class of its own."""
    guarded = any(step.guard is not None for step in level.steps) and around(level) is not None
    return level.kind not in ("block", "root") and not guarded and is_sequential(level)


def around(level: Level) -> Level | None:
    """The use of a block that a level stands in, itself included."""
    inside: Level | None = level
    while inside is not None and inside.kind != "block":
        inside = inside.parent
    return inside


def over_root(node: ast.expr, level: Level) -> ast.expr:
    """An expression over the symbols of a block, over the parameters of the network."""
    block = around(level)
    while block is not None:
        node, block = replaced(node, block.bound), around(block.parent) if block.parent is not None else None
    return node


def positional(level: Level) -> bool:
    """Whether members are called by number, as nn.Sequential calls its arguments."""
    names = list(level.members)
    if names != (numbers := [str(i) for i in range(len(names))]) and any(map(is_seated, level.steps)):
        names, numbers = (seat_names(level), [str(i) for i in range(len(seat_names(level)))])
        return names == numbers and is_sequential(level)
    return names == numbers


def is_numbered(level: Level) -> bool:
    """Whether its members are modules called by number."""
    modules = all(step.body is not None or isinstance(step.op, Layer) for step in level.members.values())
    numbers = bool(level.members) and all(name.isdecimal() for name in level.members)
    return level.kind != "root" and numbers and modules and not level.aliases and not level.lent


def nested(level: Level) -> Iterator[tuple[Repeat, list[Repeat]]]:
    """The repeats of which each round is a repeat itself, one step in each of its rounds, with these."""
    for repeat in level.repeats:
        rounds = [repeat.steps[a:b] for a, b in zip((0, *repeat.ends), repeat.ends, strict=False)]
        inner = [next((r for r in level.repeats if r is not repeat and r.steps == steps), None) for steps in rounds]
        found = [each for each in inner if each is not None and len(each.steps) == each.count]
        if repeat.steps and len(rounds) > 1 and len(found) == len(rounds):
            yield repeat, found


def repeats_at(levels: Sequence[Level | None], at: int) -> list[Repeat | None]:
    """One of the repeats of levels that share a class, in each; none where they do not have the same."""
    counts = {tuple(repeat.count for repeat in level.repeats) for level in levels if level is not None}
    return [None if level is None else level.repeats[at] for level in levels] if len(counts) == 1 else []
