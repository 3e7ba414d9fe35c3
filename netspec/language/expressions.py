"""Expressions: small arithmetic over parameters, counters and sizes.

Python's own parser reads them, and a walk over a closed set of nodes computes them; nothing
is ever handed to `eval`. Every result is bounded, so no expression takes long or grows large.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from netspec.dims import Dim
from netspec.errors import did_you_mean, printable

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 24
MAX_NUMBER: Final = 2**62
MAX_ITEMS: Final = 4096
MAX_NESTED: Final = 65_536

_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "min": min,
    "max": max,
    "round": lambda value, digits=None: round(value, digits if digits is None else max(-20, min(digits, 20))),
    "ceil": math.ceil,
    "floor": math.floor,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "abs": abs,
    "int": int,
    "len": len,
    "sum": sum,
}
_WORDS: Final = {"true": True, "false": False, "null": None}
_IN = re.compile(r"(?<![\w.'\"])in(?=\s*\.)")
IN: Final = "_i"
"""How `in`, a word of Python's, is called while Python's parser reads the expression."""


class ExpressionError(ValueError):
    """An expression that cannot be read or computed; `start` and `stop` are characters in its text."""

    def __init__(self, message: str, start: int = 0, stop: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.stop, self.hint = message, start, stop, hint


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The syntax tree of `text`, with only the nodes that the language has. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of more than {MAX_LENGTH} characters")
    if not text.isascii():
        raise ExpressionError(f"{printable(text)!r} is not written in plain characters")
    try:
        blank = len(text) - len(text.lstrip())
        tree = ast.parse(_IN.sub(IN, text.lstrip().replace("\n", " ")), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        start = blank + (getattr(error, "offset", None) or 1)
        raise ExpressionError(f"{text.strip()!r} is not an expression", max(0, start - 1)) from None
    for node in ast.walk(tree) if blank else ():
        if isinstance(node, ast.expr):
            node.col_offset += blank
            node.end_col_offset = (node.end_col_offset or 0) + blank
    _check(tree, 0)
    return tree


def _check(node: ast.AST, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ExpressionError("an expression nested too deeply")
    allowed = (
        ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
        ast.Attribute, ast.Subscript, ast.Slice, ast.List, ast.Tuple, ast.operator, ast.unaryop,
        ast.boolop, ast.cmpop, ast.expr_context,
    )  # fmt: skip
    at = (getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None))
    if not isinstance(node, allowed):
        raise ExpressionError(f"{type(node).__name__.lower()} is not part of the language", *at)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (*_BINARY, ast.Pow)):
        raise ExpressionError("that operator is not part of the language", *at)
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, tuple(_UNARY)):
        raise ExpressionError("that operator is not part of the language", *at)
    if isinstance(node, ast.Compare) and not all(isinstance(op, tuple(_COMPARE)) for op in node.ops):
        raise ExpressionError("that comparison is not part of the language", *at)
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | bool | None):
        raise ExpressionError("that value is not part of the language", *at)
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise ExpressionError("only the built-in functions can be called", *at)
        if node.func.id not in FUNCTIONS:
            hint = did_you_mean(node.func.id, FUNCTIONS) or f"There are: {', '.join(FUNCTIONS)}."
            raise ExpressionError(f"there is no function {node.func.id!r}", *at, hint=hint)
        for argument in node.args:
            _check(argument, depth + 1)
        return
    if isinstance(node, ast.Name) and node.id.startswith("_") and node.id != IN:
        raise ExpressionError(f"there is nothing called {node.id!r}", *at)
    for child in ast.iter_child_nodes(node):
        _check(child, depth + 1)


def names(tree: ast.expr) -> set[str]:
    """The names that an expression looks up; a function's own name is not one of them."""
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {"in" if n.id == IN else n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """The value of an expression. `lookup` gives the value of a name and raises KeyError, perhaps with a hint."""
    return _Evaluation(lookup).value(parse(text))


class _Evaluation:
    def __init__(self, lookup: Callable[[str], Any]) -> None:
        self.lookup = lookup

    def value(self, node: ast.expr) -> Any:
        try:
            return _bounded(self._value(node))
        except ExpressionError:
            raise
        except (ArithmeticError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ExpressionError(_plain(error), node.col_offset, node.end_col_offset) from None

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.BinOp(op=ast.Pow()):
                return _power(self.value(node.left), self.value(node.right))
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                _check_growth(node.op, left, right)
                return _BINARY[type(node.op)](left, right)
            case ast.UnaryOp():
                return _UNARY[type(node.op)](self.value(node.operand))
            case ast.BoolOp():
                return self._logic(node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                return self.value(node.body if self.value(node.test) else node.orelse)
            case ast.List() | ast.Tuple():
                return [self.value(item) for item in node.elts]
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self.value(node.value)[self._index(node.slice)]
            case ast.Call(func=ast.Name(id=name)):
                return FUNCTIONS[name](*(self.value(argument) for argument in node.args))
        raise ExpressionError(f"{type(node).__name__} is not part of the language")

    def _name(self, node: ast.Name) -> Any:
        name = "in" if node.id == IN else node.id
        try:
            return self.lookup(name)
        except KeyError as error:
            if name in _WORDS:
                return _WORDS[name]
            hint = str(error.args[0]) if error.args else ""
            stop = node.col_offset + len(name)
            raise ExpressionError(f"there is nothing called {name!r} here", node.col_offset, stop, hint) from None

    def _attribute(self, node: ast.Attribute) -> Any:
        value = self.value(node.value)
        try:
            found = value.attribute(node.attr)
        except (AttributeError, KeyError, TypeError):
            text = f"{ast.unparse(node.value).replace(IN, 'in')} has no {node.attr!r}"
            raise ExpressionError(text, node.col_offset, node.end_col_offset) from None
        return found

    def _logic(self, node: ast.BoolOp) -> Any:
        result: Any = None
        for part in node.values:
            result = self.value(part)
            if bool(result) == isinstance(node.op, ast.Or):
                break
        return result

    def _compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            unknown = next((v for v in (left, right) if isinstance(v, Dim)), None)
            if unknown is not None and left != right:
                text = f"cannot be decided before the run: {unknown} is known only then"
                raise ExpressionError(text, node.col_offset, node.end_col_offset)
            if not _COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            return slice(*(self.value(p) if p else None for p in (node.lower, node.upper, node.step)))
        return self.value(node)


def _bounded(value: Any) -> Any:
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ExpressionError("a result that is too large")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("a result that is not finite")
    if isinstance(value, complex):
        raise ExpressionError("a result that is no real number")
    if isinstance(value, str | list) and (len(value) > MAX_ITEMS or _items(value) > MAX_NESTED):
        raise ExpressionError("a result that is too long")
    return value


def _items(value: Any) -> int:
    """How many values a list holds, those of the lists in it included; stops counting where it is too many."""
    count = 0
    waiting = [value]
    while waiting and count <= MAX_NESTED:
        inner = waiting.pop()
        if isinstance(inner, list):
            count += len(inner)
            waiting += (item for item in inner if isinstance(item, list))
    return count


def _check_growth(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse text and list arithmetic that repeats without bound, and the % that formats text."""
    if isinstance(op, ast.Mult) and (isinstance(left, str | list) or isinstance(right, str | list)):
        size = len(left) * right if isinstance(left, str | list) else len(right) * left
        if size > MAX_ITEMS:
            raise ExpressionError("a result that is too long")
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise ExpressionError("text has no remainder")


def _power(base: Any, exponent: Any) -> Any:
    if not isinstance(base, int | float) or not isinstance(exponent, int | float):
        raise ExpressionError("only numbers have powers")
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent * math.log2(abs(base)) > MAX_NUMBER.bit_length():
        raise ExpressionError("a result that is too large")
    return base**exponent


def _plain(error: Exception) -> str:
    if isinstance(error, ZeroDivisionError):
        return "divides by zero"
    if isinstance(error, IndexError):
        return "an index beyond the end"
    return f"cannot be computed: {error}"
