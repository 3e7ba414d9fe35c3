"""Python as trees of the standard library's `ast`: how they are made of names, values and calls.

A tree that is made here may be shared between places, and is never changed.
"""

from __future__ import annotations

import ast
import keyword as keywords
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, Final

Argument = ast.expr | ast.keyword
"""What stands in the brackets of a call."""

LOAD: Final = ast.Load()
STORE: Final = ast.Store()


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python that stands where a value would: a constructor's argument, a run-time size."""

    node: ast.expr
    """What is written in its place."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Code) and same(self.node, other.node)

    def __hash__(self) -> int:
        return hash(ast.dump(self.node))


@lru_cache(maxsize=4096)
def named(path: str) -> ast.expr:
    """A name, or a path of them: `x`, `torch.cat`."""
    first, *rest = path.split(".")
    node: ast.expr = ast.Name(first, LOAD)
    for name in rest:
        node = ast.Attribute(node, name, LOAD)
    return node


def stored(name: str) -> ast.Name:
    """A name that is assigned."""
    return ast.Name(name, STORE)


def is_identifier(name: str) -> bool:
    """Whether `name` can be written after `self.`"""
    return name.isascii() and name.isidentifier() and not keywords.iskeyword(name)


def attribute(of: ast.expr, name: str) -> ast.expr:
    """How an attribute is read, whatever characters its name has."""
    return ast.Attribute(of, name, LOAD) if is_identifier(name) else call("getattr", of, ast.Constant(name))


def valued(value: Any) -> ast.expr:
    """A value: a number, a text, None, lists and tuples of them, or code that stands for one. Raises TypeError."""
    match value:
        case Code():
            return value.node
        case float() if not isfinite(value):
            return call("float", ast.Constant(str(value)))
        case bool() | None | str():
            return ast.Constant(value)
        case int() | float():
            positive = value >= 0 and repr(value)[0] != "-"
            return ast.Constant(value) if positive else ast.UnaryOp(ast.USub(), ast.Constant(-value))
        case tuple():
            return ast.Tuple([valued(v) for v in value], LOAD)
        case list():
            return ast.List([valued(v) for v in value], LOAD)
    raise TypeError(f"{type(value).__name__} has no literal")


def call(function: str | ast.expr, *arguments: Argument) -> ast.Call:
    """`function(x, dim=1)`."""
    return ast.Call(
        named(function) if isinstance(function, str) else function,
        [argument for argument in arguments if isinstance(argument, ast.expr)],
        [argument for argument in arguments if isinstance(argument, ast.keyword)],
    )


def method(of: ast.expr, name: str, *arguments: Argument) -> ast.Call:
    """`x.mean(1)`."""
    return call(ast.Attribute(of, name, LOAD), *arguments)


def keyword(name: str, value: ast.expr) -> ast.keyword:
    """`dim=1`."""
    return ast.keyword(name, value)


def tupled(items: Iterable[ast.expr]) -> ast.Tuple:
    """`(a, b)`."""
    return ast.Tuple(list(items), LOAD)


def listed(items: Iterable[ast.expr]) -> ast.List:
    """`[a, b]`."""
    return ast.List(list(items), LOAD)


def spread(values: Any) -> list[ast.expr]:
    """Each value as an argument of its own, `permute(0, 2, 1)`; code that stands for them all is unpacked."""
    return [ast.Starred(values.node, LOAD)] if isinstance(values, Code) else [valued(value) for value in values]


def item(of: ast.expr, index: ast.expr) -> ast.Subscript:
    """`x[0]`."""
    return ast.Subscript(of, index, LOAD)


def infix(operator: ast.operator, *operands: ast.expr) -> ast.expr:
    """`a + b + c`, grouped from the left."""
    node, *others = operands
    for other in others:
        node = ast.BinOp(node, operator, other)
    return node


def either(test: ast.expr, there: ast.expr, otherwise: ast.expr) -> ast.IfExp:
    """`a if test else b`."""
    return ast.IfExp(test, there, otherwise)


def assigned(of: ast.expr, name: str, value: ast.expr) -> ast.stmt:
    """The statement that sets an attribute, whatever characters its name has."""
    if is_identifier(name):
        return assign(ast.Attribute(of, name, STORE), value)
    return ast.Expr(call("setattr", of, ast.Constant(name), value))


def assign(target: ast.expr, value: ast.expr) -> ast.Assign:
    """`target = value`."""
    return ast.Assign([target], value)


def defined(
    name: str, parameters: Sequence[str], body: list[ast.stmt], defaults: Mapping[str, ast.expr] | None = None
) -> ast.FunctionDef:
    """A function, whose parameters with a default are the last."""
    known = defaults or {}
    given = [parameter in known for parameter in parameters]
    assert given == sorted(given), "Python would take the defaults for those of others"
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(parameter) for parameter in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[known[parameter] for parameter in parameters if parameter in known],
    )
    return ast.FunctionDef(name, arguments, body, [])


def is_not_none(of: ast.expr) -> ast.Compare:
    """`x is not None`."""
    return ast.Compare(of, [ast.IsNot()], [ast.Constant(None)])


def every(element: ast.expr, variable: ast.expr, of: ast.expr) -> ast.ListComp:
    """`[element for variable in of]`."""
    return ast.ListComp(element, [ast.comprehension(variable, of, [], 0)])


def joined_text(parts: Sequence[str | ast.expr]) -> ast.JoinedStr:
    """An f-string."""
    values: list[ast.expr] = []
    for part in parts:
        if not isinstance(part, str):
            values.append(ast.FormattedValue(part, -1))
        elif values and isinstance(before := values[-1], ast.Constant):
            values[-1] = ast.Constant(f"{before.value!s}{part}")
        elif part:
            values.append(ast.Constant(part))
    return ast.JoinedStr(values)


def walk(tree: ast.AST) -> list[ast.AST]:
    """A tree's nodes, itself first, without those that only say whether a name is read or assigned."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        found.append(node)
        for field in node._fields:
            if field == "ctx":
                continue
            value = getattr(node, field, None)
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend([each for each in value if isinstance(each, ast.AST)])
    return found


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal node for node, wherever in a text they stand."""
    if a is b:
        return True
    if type(a) is not type(b):
        return not a and not b and all(part is None or part == [] for part in (a, b))
    if isinstance(a, ast.AST):
        for field in a._fields:
            left, right = getattr(a, field, None), getattr(b, field, None)
            if left is not right and not same(left, right):
                return False
        return True
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) and str(a) == str(b)
