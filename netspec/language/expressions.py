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
from netspec.language.operands import (
    KNOWN,
    MAX_ITEMS,
    MAX_NUMBER,
    check_arguments,
    check_compared,
    check_operands,
    entry,
    kind,
    power,
    way_to_number,
)
from netspec.language.operands import (
    ExpressionError as ExpressionError,
)
from netspec.words import did_you_mean, printable

MAX_LENGTH: Final = 400
MAX_DEPTH: Final = 24
MAX_NESTED: Final = 65_536

BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
UNARY: Final[dict[type[ast.unaryop], Callable[[Any], Any]]] = {
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
    "exp": math.exp,
    "log": math.log,
    "abs": abs,
    "int": int,
    "len": len,
    "sum": sum,
}
HINT: Final = f"An expression has numbers, names, + - * / // % **, comparisons, and, or, not, {', '.join(FUNCTIONS)}."
"""What to try where a text is something else."""
_HABITS: Final = (
    (re.compile(r"&&|\|\|"), "Write `and` and `or`."),
    (re.compile(r"!(?!=)"), "Write `not`."),
    (re.compile(r"\?"), "Write: a if condition else b"),
    (re.compile(r"(?<![=!<>:])=(?!=)"), "Write == to compare."),
    (re.compile(r"^\s*in\b(?!\s*\.)|[(+*/%-]\s*in\b(?!\s*\.)"), "`in` is a tensor; take a size of it: in.c"),
    (re.compile(r"\^"), "Write ** for a power."),
    (re.compile(r"\$"), "Names stand without a $ in an expression."),
)
"""How other languages write it, and what to write instead."""
_WORDS: Final = {"true": True, "false": False, "null": None, "pi": math.pi}
_IN = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?<![\w.'"])in(?=\s*\.)""")
IN: Final = "_i"
"""How `in`, a word of Python's, is called while Python's parser reads the expression."""


def read(text: str) -> ast.expr:
    """What Python's parser makes of one expression, of the language or not. Raises SyntaxError and its kin."""
    return ast.parse(text, mode="eval").body


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The syntax tree of `text`, with only the nodes that the language has. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        hint = "Compute parts of it in `params`."
        raise ExpressionError(f"an expression of more than {MAX_LENGTH} characters", hint=hint)
    if not text.isascii():
        other = next(i for i, c in enumerate(text) if not c.isascii())
        message, hint = (
            f"{printable(text[other])!r} is no plain character",
            "Write letters a to z, digits, and - for minus.",
        )
        raise ExpressionError(message, other, other + 1, hint)
    try:
        blank = len(text) - len(text.lstrip())
        renamed = _IN.sub(lambda found: found[1] or IN, text.lstrip().replace("\n", " "))  # but not in a text
        tree = read(renamed)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        start = blank + (getattr(error, "offset", None) or 1)
        raise ExpressionError(f"{text.strip()!r} is not an expression", max(0, start - 1), hint=_advice(text)) from None
    for node in ast.walk(tree) if blank else ():
        if isinstance(node, ast.expr):
            node.col_offset += blank
            node.end_col_offset = (node.end_col_offset or 0) + blank
    _check(tree, 0)
    return tree


def _check(node: ast.AST, depth: int) -> None:
    """Refuse what is no arithmetic, and what is nested too deeply. Raises ExpressionError."""
    if depth > MAX_DEPTH:
        raise ExpressionError("an expression nested too deeply", hint="Compute parts of it in `params`.")
    allowed = (
        ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
        ast.Attribute, ast.Subscript, ast.Slice, ast.List, ast.Tuple, ast.operator, ast.unaryop,
        ast.boolop, ast.cmpop, ast.expr_context,
    )  # fmt: skip
    at = (getattr(node, "col_offset", 0), getattr(node, "end_col_offset", None))
    if not isinstance(node, allowed):
        raise ExpressionError("this is not part of the language", *at, hint=HINT)
    if isinstance(node, ast.BinOp) and not isinstance(node.op, (*BINARY, ast.Pow)):
        raise ExpressionError("this operator is not part of the language", *at, hint=_advice(ast.unparse(node)))
    if isinstance(node, ast.UnaryOp) and not isinstance(node.op, tuple(UNARY)):
        raise ExpressionError("this operator is not part of the language", *at, hint=HINT)
    if isinstance(node, ast.Compare) and not all(isinstance(op, tuple(COMPARE)) for op in node.ops):
        raise ExpressionError("this comparison is not part of the language", *at, hint="Write == or != to compare.")
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float | str | bool | None):
        raise ExpressionError("this value is not part of the language", *at, hint=HINT)
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            hint = f"As in max(a, b). There are: {', '.join(FUNCTIONS)}."
            raise ExpressionError("only the built-in functions can be called, without names", *at, hint=hint)
        if node.func.id not in FUNCTIONS:
            hint = did_you_mean(node.func.id, FUNCTIONS) or f"There are: {', '.join(FUNCTIONS)}."
            raise ExpressionError(f"there is no function {node.func.id!r}", *at, hint=hint)
        for argument in node.args:
            _check(argument, depth + 1)
        return
    if isinstance(node, ast.Name) and node.id.startswith("_") and node.id != IN:
        raise ExpressionError(f"there is nothing called {node.id!r}", *at, hint="A name begins with a letter.")
    for child in ast.iter_child_nodes(node):
        _check(child, depth + 1)


def _advice(text: str) -> str:
    """What to write instead of what another language would have."""
    return next((advice for habit, advice in _HABITS if habit.search(text)), HINT)


def names(tree: ast.expr) -> set[str]:
    """The names that an expression looks up; a function's own name is not one of them."""
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {"in" if n.id == IN else n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called}


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """The value of an expression. `lookup` gives the value of a name and raises KeyError, perhaps with a hint."""
    return computed(parse(text), lookup)


def computed(tree: ast.expr, lookup: Callable[[str], Any]) -> Any:
    """The value of an expression that was parsed."""
    return _Evaluation(lookup).value(tree)


class _Evaluation:
    def __init__(self, lookup: Callable[[str], Any]) -> None:
        self.lookup = lookup

    def value(self, node: ast.expr) -> Any:
        """The value of a node, within bounds. Raises ExpressionError with the characters that it is about."""
        try:
            return _bounded(self._value(node))
        except ExpressionError as error:
            if error.stop is not None:
                raise
            raise ExpressionError(error.message, node.col_offset, node.end_col_offset, error.hint) from None
        except (ArithmeticError, TypeError, ValueError, IndexError, AttributeError) as error:
            message, hint = _plain(error)
            raise ExpressionError(message, node.col_offset, node.end_col_offset, hint) from None

    def _value(self, node: ast.expr) -> Any:
        """The value of a node by its kind."""
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.BinOp(op=ast.Pow()):
                return power(self.value(node.left), self.value(node.right))
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                check_operands(node.op, left, right)
                return BINARY[type(node.op)](left, right)
            case ast.UnaryOp():
                return self._sign(node.op, self.value(node.operand))
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
                return entry(self.value(node.value), self._index(node.slice))
            case ast.Call(func=ast.Name(id=name)):
                arguments = [self.value(argument) for argument in node.args]
                check_arguments(name, arguments)
                return FUNCTIONS[name](*arguments)
        raise ExpressionError("this is not part of the language", hint=HINT)

    def _name(self, node: ast.Name) -> Any:
        """What a name stands for. Raises ExpressionError."""
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
        """A size of a tensor, `x.c`. Raises ExpressionError."""
        value = self.value(node.value)
        text = f"{ast.unparse(node.value).replace(IN, 'in')} has no {node.attr!r}"
        if not hasattr(value, "attribute"):
            raise ExpressionError(text, hint=f"It is {kind(value)}; only a tensor has sizes to ask for, as in in.c")
        try:
            return value.attribute(node.attr)
        except AttributeError as error:
            raise ExpressionError(text, hint=str(error)) from None

    def _sign(self, op: ast.unaryop, value: Any) -> Any:
        """`-x`, `+x` or `not x`."""
        if not isinstance(op, ast.Not) and not isinstance(value, int | float | Dim):
            raise ExpressionError(f"a sign stands before a number, not before {kind(value)}", hint=way_to_number(value))
        return UNARY[type(op)](value)

    def _logic(self, node: ast.BoolOp) -> Any:
        """`and` and `or`, which read no more than they need, as Python's do."""
        result: Any = None
        for part in node.values:
            result = self.value(part)
            if bool(result) == isinstance(node.op, ast.Or):
                break
        return result

    def _compare(self, node: ast.Compare) -> bool:
        """A chain of comparisons; a size that only the run knows can be compared with itself alone."""
        left = self.value(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            unknown = next((v for v in (left, right) if isinstance(v, Dim)), None)
            if unknown is not None and left != right:
                text = f"cannot be decided before the run: {unknown} is known only then"
                raise ExpressionError(text, node.col_offset, node.end_col_offset, KNOWN)
            check_compared(op, left, right)
            if not COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _index(self, node: ast.expr) -> Any:
        """An index, or a slice of three."""
        if isinstance(node, ast.Slice):
            return slice(*(self.value(p) if p else None for p in (node.lower, node.upper, node.step)))
        return self.value(node)


def _bounded(value: Any) -> Any:
    """A value that is not too large to go on with. Raises ExpressionError."""
    if isinstance(value, int) and abs(value) > MAX_NUMBER:
        raise ExpressionError("a result that is too large", hint=f"Numbers go up to {MAX_NUMBER}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("a result that is not finite", hint="Write smaller numbers.")
    if isinstance(value, complex):
        raise ExpressionError("a result that is no real number", hint="A root needs a number of at least 0.")
    if isinstance(value, str | list) and (len(value) > MAX_ITEMS or _items(value) > MAX_NESTED):
        raise ExpressionError("a result that is too long", hint=f"At most {MAX_ITEMS:,} entries are computed.")
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


def _plain(error: Exception) -> tuple[str, str]:
    """What went wrong, and what to try."""
    match error:
        case ZeroDivisionError():
            return "divides by zero", "Write a divisor that is never 0: `a // b if b else 0`."
        case IndexError():
            return "an index beyond the end", "Entries are counted from 0; the last one is [-1]."
        case OverflowError():
            return "a result that is too large", f"Numbers go up to {MAX_NUMBER}."
    return "this cannot be computed", HINT
