"""The few ways in which torch writes an operation: a function, a method of its first input, an operator.

What stands in a call's brackets is told field by field, in the order of the call:

    "dim"      the value by position, whatever it is
    "dim?"     the same, unless it is torch's own default
    "dim="     by name
    "dim=?"    by name, unless it is torch's own default
    "(dim)"    a tuple of one as its only value; also "(dim)=" and "(dim)=?"
    "*dims"    each value as an argument of its own
    "..."      all fields as `nn` takes them: required ones by position, others by name if not the default
    "$"        the inputs that no other place has taken; "[$]" is a list of them

The inputs come first where nothing says where they stand. `{}` in a name is the word that the class is called by.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from netspec.layers.base import Op
from netspec.python.nodes import Argument, call, infix, keyword, listed, method, named, spread, valued
from netspec.python.nodes import Code as Code
from netspec.records import same

Inputs = Sequence[ast.expr]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Where:
    """What a function is told that makes a tensor: where it lies, and of which dtype floats are."""

    like: ast.expr | None = None
    """A tensor of the network, whose device is taken."""
    dtype: ast.expr | None = None
    """The dtype that the network computes in, where torch would take another."""


NOWHERE = Where()
Write = Callable[[Any, Inputs, Where], ast.expr]


@dataclass(frozen=True, slots=True)
class Rule:
    """How a class of operations is written, and all that its text may name of torch: `torch.cat`, `.split`."""

    write: Write
    """The expression, over the inputs of an operation."""
    names: tuple[str, ...] = ()
    """All that it names of torch, `{}` for the word of the class."""

    def __call__(self, op: Op, inputs: Inputs = (), where: Where = NOWHERE) -> ast.expr:
        return self.write(op, inputs, where)


def written(*names: str) -> Callable[[Write], Rule]:
    """Make a rule of a function, which names these of torch."""
    return lambda write: Rule(write, names)


def of_function(path: str, *places: str) -> Rule:
    """`torch.cat([x, y], dim=1)`."""

    def write(op: Op, inputs: Inputs, where: Where) -> ast.expr:
        return call(_own(path, op), *_arguments(op, inputs, places))

    return Rule(write, (path,))


def of_method(name: str, *places: str) -> Rule:
    """`x.permute(0, 2, 1)`."""

    def write(op: Op, inputs: Inputs, where: Where) -> ast.expr:
        return method(inputs[0], _own(name, op), *_arguments(op, inputs[1:], places))

    return Rule(write, (f".{name}",))


def operator(sign: ast.operator, operands: Callable[[Any, Inputs], Inputs] | None = None) -> Rule:
    """`a + b + c`; a number may stand for the second input."""
    return Rule(lambda op, inputs, where: infix(sign, *(operands or with_number)(op, inputs)))


def comparison(sign: ast.cmpop) -> Rule:
    """`a > b`."""

    def write(op: Op, inputs: Inputs, where: Where) -> ast.expr:
        left, right = with_number(op, inputs)
        return ast.Compare(left, [sign], [right])

    return Rule(write)


def prefix(sign: ast.unaryop) -> Rule:
    """`-x`."""
    return Rule(lambda op, inputs, where: ast.UnaryOp(sign, inputs[0]))


def with_number(op: Any, inputs: Inputs) -> list[ast.expr]:
    """The inputs, and the number that may stand in place of the second."""
    number = getattr(op, "other", None)
    return [*inputs, valued(number)] if number is not None else list(inputs)


def the_other_way(op: Any, inputs: Inputs) -> list[ast.expr]:
    """The same from right to left."""
    return with_number(op, inputs)[::-1]


def module_arguments(op: Op) -> list[Argument]:
    """All arguments as a person would write them: required ones by position, others by name if not the default."""
    shown: list[Argument] = []
    for name, field in op.fields.items():
        value = getattr(op, name)
        leading = field.required or field.axis is not None
        if not field.torch or (not leading and same(value, field.torch_default)):
            continue
        shown.append(valued(value) if leading and not field.keyword else keyword(name, valued(value)))
    return shown


def options(op: Op, *names: str) -> list[Argument]:
    """`keepdim=True`: the fields that differ from torch's own defaults, by name."""
    return [keyword(n, valued(getattr(op, n))) for n in names if not same(getattr(op, n), op.fields[n].torch_default)]


def _own(name: str, op: Op) -> str:
    """A name of torch with the op's own in its place: `F.{}` is `F.relu`."""
    return name.format(type(op).called())


def _arguments(op: Op, inputs: Inputs, places: Sequence[str]) -> list[Argument]:
    """The arguments at these places; the inputs come first unless a place is theirs."""
    first = [] if "$" in places or "[$]" in places else list(inputs)
    return [*first, *(argument for place in places for argument in _at(op, inputs, place))]


def _at(op: Op, inputs: Inputs, place: str) -> Iterator[Argument]:
    """The arguments that stand at one place of a call."""
    if place == "$":
        yield from inputs
    elif place == "[$]":
        yield inputs[0].value if len(inputs) == 1 and isinstance(inputs[0], ast.Starred) else listed(inputs)
    elif place == "...":
        yield from module_arguments(op)
    elif place.startswith("*"):
        yield from spread(getattr(op, place[1:]))
    else:
        name = place.strip("()=?")
        value = getattr(op, name)
        if place.endswith("?") and same(value, op.fields[name].torch_default):
            return
        node = valued(value[0] if place[0] == "(" and isinstance(value, tuple) and len(value) == 1 else value)
        yield keyword(name, node) if "=" in place else node


SELF_TRAINING = named("self.training")
MINUS_INFINITY = valued(float("-inf"))
