"""What a printed expression comes to in Python: the proof that it means what the spec's expression meant.

The language and Python differ in corners (a list is no tuple, `-3 ** k` is no power of -3, a name may stand for
something else), so an expression is printed only where it gives each use the very value that was checked.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from netspec.graph.combining import symbols
from netspec.graph.symbols import counted
from netspec.language.expressions import BINARY, COMPARE, UNARY
from netspec.language.operands import MAX_ITEMS, MAX_NUMBER, ExpressionError, power
from netspec.python.allowlist import MATH

ABSENT: Final = object()
"""Stands for a value in a use that leaves the step out."""

_BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {**BINARY, ast.Pow: power}
_CALLS: Final[Mapping[str, Callable[..., Any]]] = {
    "min": min,
    "max": max,
    "round": round,
    "abs": abs,
    "int": int,
    "len": len,
    "sum": sum,
    **{path: getattr(math, name) for name, path in MATH.items()},
}
"""The functions of expressions, as Python has them."""


class Unproved(Exception):
    """An expression that has no value, or none that can be told here."""


def equal(a: Any, b: Any) -> bool:
    """Whether two values are printed alike: 1 and True are not, nor (1,) and (True,)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple | list):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


def proved(tree: ast.expr, series: Mapping[str, Sequence[Any]], values: Sequence[Any]) -> bool:
    """Whether `tree` gives each use its value; `series` has what each name is in each use."""
    try:
        uses = [use for use, value in enumerate(values) if value is not ABSENT]
        asked = {name: series[name] for name in symbols(tree) if name in series}
        return all(equal(value(tree, {n: s[use] for n, s in asked.items()}), values[use]) for use in uses)
    except Unproved:
        return False


def decides(tree: ast.expr, series: Mapping[str, Sequence[Any]], values: Sequence[Any]) -> bool:
    """Whether `tree`, as a condition, holds in just the uses where it should; those that are absent do not ask."""
    return proved(ast.UnaryOp(ast.Not(), ast.UnaryOp(ast.Not(), tree)), series, values)


def value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What Python makes of an expression. Raises Unproved."""
    try:
        return _bounded(_value(node, names))
    except (ExpressionError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise Unproved from error


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """What an expression gives for these names, without the bounds of the whole."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name() if (counter := counted(node.id)) is not None:
            return counter[1]
        case ast.Name():
            return names[node.id]
        case ast.UnaryOp():
            return UNARY[type(node.op)](value(node.operand, names))
        case ast.BinOp():
            return _BINARY[type(node.op)](*_short(node.op, value(node.left, names), value(node.right, names)))
        case ast.BoolOp():
            result: Any = None
            for part in node.values:
                result = value(part, names)
                if bool(result) is isinstance(node.op, ast.Or):
                    break
            return result
        case ast.Compare():
            return _compared(node, names)
        case ast.IfExp():
            return value(node.body if value(node.test, names) else node.orelse, names)
        case ast.Tuple():
            return tuple(value(item, names) for item in node.elts)
        case ast.List():
            return [value(item, names) for item in node.elts]
        case ast.Subscript():
            return value(node.value, names)[_index(node.slice, names)]
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return _CALLS[name](*(value(argument, names) for argument in node.args))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr=name), keywords=[]):
            return _CALLS[MATH[name]](*(value(argument, names) for argument in node.args))
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(pattern)), attr="format"), keywords=[]):
            return pattern.format(*(value(argument, names) for argument in node.args))
        case ast.JoinedStr():
            return "".join(str(value(part, names)) for part in node.values)
        case ast.FormattedValue(conversion=-1, format_spec=None):
            return str(value(node.value, names))
    raise Unproved


def _compared(node: ast.Compare, names: Mapping[str, Any]) -> bool:
    """A comparison of several, as Python chains them."""
    left = value(node.left, names)
    for op, other in zip(node.ops, node.comparators, strict=True):
        right = value(other, names)
        if not COMPARE[type(op)](left, right):
            return False
        left = right
    return True


def _index(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """A place or a slice of a list."""
    if isinstance(node, ast.Slice):
        return slice(*(value(part, names) if part else None for part in (node.lower, node.upper, node.step)))
    return value(node, names)


def _short(op: ast.operator, left: Any, right: Any) -> tuple[Any, Any]:
    """Both operands, unless they would make a long text or list. Raises Unproved."""
    for many, count in ((left, right), (right, left)):
        repeats = isinstance(op, ast.Mult) and isinstance(many, str | list | tuple)
        if repeats and (not isinstance(count, int) or len(many) * count > MAX_ITEMS):
            raise Unproved
    return left, right


def _bounded(result: Any) -> Any:
    """A result that is no larger than an expression of the language may give. Raises Unproved."""
    if isinstance(result, int) and abs(result) > MAX_NUMBER:
        raise Unproved
    if isinstance(result, str | list | tuple) and len(result) > MAX_ITEMS:
        raise Unproved
    return result
