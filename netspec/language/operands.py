"""What the operators and functions of expressions take, and what is said where they are given something else."""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Final

from netspec.dims import Dim
from netspec.words import printable

MAX_NUMBER: Final = 2**62
MAX_ITEMS: Final = 4096
_SIGNS: Final = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_ROUNDING: Final = {"round", "ceil", "floor", "int", "abs"}
_COUNTS: Final = {"round": (1, 2), "sum": (1, 2), "min": (1, MAX_ITEMS), "max": (1, MAX_ITEMS)}
"""How few and how many values the functions take that do not take one."""
_INT: Final = re.compile(r"\s*[-+]?[0-9]+\s*")
KNOWN: Final = "Give that axis a number in `input`."
WHOLE: Final = "Use + - * and //, which rounds down; -(-x // 2) rounds up."
SHORT: Final = 40
_EXAMPLES: Final = {"min": "min(a, b)", "max": "max(a, b)", "round": "round(x, 2)", "sum": "sum(widths)"}


class ExpressionError(ValueError):
    """An expression that cannot be read or computed; `start` and `stop` are characters in its text."""

    def __init__(self, message: str, start: int = 0, stop: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.stop, self.hint = message, start, stop, hint


def check_operands(op: ast.operator, left: Any, right: Any) -> None:
    """Refuse what an operator does not take, and text and lists that would be repeated without bound."""
    sides = (left, right)
    unknown = next((side for side in sides if isinstance(side, Dim)), None)
    if all(isinstance(side, int | float) for side in sides):
        return
    if unknown is not None and all(isinstance(side, int | Dim) for side in sides):
        if isinstance(op, ast.Div | ast.Mod):
            text = f"{_SIGNS[type(op)]} cannot be computed before the run: {unknown} is known only then"
            raise ExpressionError(text, hint=WHOLE)
    elif unknown is not None and any(isinstance(side, float) for side in sides):
        fraction = left if isinstance(left, float) else right
        text = f"{unknown} is known only at run time, and takes part with whole numbers only, not {fraction}"
        raise ExpressionError(text, hint=WHOLE)
    elif isinstance(op, ast.Mult) and any(isinstance(s, str | list) for s in sides) and any(_whole(s) for s in sides):
        size = len(left) * right if isinstance(left, str | list) else len(right) * left
        if size > MAX_ITEMS:
            raise ExpressionError("a result that is too long", hint=f"At most {MAX_ITEMS:,} entries are computed.")
    elif not (isinstance(op, ast.Add) and type(left) is type(right) and isinstance(left, str | list)):
        other = next(side for side in sides if not isinstance(side, int | float | Dim))
        text = f"{_SIGNS[type(op)]} cannot be computed: it takes numbers, this is {kind(other)}"
        raise ExpressionError(text, hint=way_to_number(other))


def check_compared(op: ast.cmpop, left: Any, right: Any) -> None:
    """Refuse to order what has no order, and to look into what has no entries."""
    if isinstance(op, ast.In | ast.NotIn):
        if not isinstance(right, list) and not (isinstance(right, str) and isinstance(left, str)):
            raise ExpressionError(f"`in` looks into a list, this is {kind(right)}", hint="As in: stage in [1, 2]")
    elif type(op) in _SIGNS and kind(left) != kind(right):
        text = f"{_SIGNS[type(op)]} cannot compare {kind(left)} with {kind(right)}"
        raise ExpressionError(text, hint=way_to_number(left if not isinstance(left, int | float) else right))
    elif type(op) in _SIGNS and not isinstance(left, int | float | str | list):
        raise ExpressionError(f"{_SIGNS[type(op)]} cannot compare {kind(left)}", hint=way_to_number(left))


def check_arguments(name: str, arguments: list[Any]) -> None:
    """Refuse arguments that a function does not take."""
    least, most = _COUNTS.get(name, (1, 1))
    if not least <= len(arguments) <= most:
        count = f"{least}" if least == most else f"at least {least}" if most == MAX_ITEMS else f"{least} or {most}"
        text = f"{name} takes {count} value{'s' if count != '1' else ''}, here it has {len(arguments)}"
        raise ExpressionError(text, hint=f"As in: {_EXAMPLES.get(name, f'{name}(x)')}")
    if name == "len":
        if not isinstance(arguments[0], str | list):
            raise ExpressionError(f"len counts a list, this is {kind(arguments[0])}", hint="As in: len(widths)")
        return
    if name == "sum" and not isinstance(arguments[0], list):
        raise ExpressionError(f"sum adds a list, this is {kind(arguments[0])}", hint="As in: sum(widths)")
    if name in ("min", "max") and len(arguments) == 1 and not isinstance(arguments[0], list):
        text = f"{name} takes a list or several values, this is {kind(arguments[0])}"
        raise ExpressionError(text, hint=f"As in: {name}(a, b)")
    if name == "sqrt" and isinstance(arguments[0], int | float) and arguments[0] < 0:
        raise ExpressionError(f"sqrt of a number below 0, {arguments[0]}", hint="Take abs(x), or max(x, 0).")
    if name == "log" and isinstance(arguments[0], int | float) and arguments[0] <= 0:
        raise ExpressionError(f"log of a number that is not above 0, {arguments[0]}", hint="Take max(x, 1).")
    inner = arguments[0] if name in ("min", "max", "sum") and isinstance(arguments[0], list) else arguments
    taken = (int, float, str) if name == "int" else (int, float, Dim) if name == "sum" else (int, float)
    for value in [*inner, *(arguments[1:] if inner is arguments[0] else ())]:
        if isinstance(value, Dim) and Dim not in taken:
            text = f"{name} cannot be computed before the run: {value} is known only then"
            hint = f"It is a whole number already: leave {name} out." if name in _ROUNDING - {"abs"} else KNOWN
            raise ExpressionError(text, hint=hint)
        if name == "int" and isinstance(value, str) and not _INT.fullmatch(value):
            raise ExpressionError(f"int reads digits, this is {kind(value)}", hint="Write a number.")
        if not isinstance(value, taken):
            raise ExpressionError(f"{name} takes numbers, this is {kind(value)}", hint=way_to_number(value))
    if name in ("min", "max") and not inner:
        raise ExpressionError(f"{name} of a list without entries", hint="Give it one value at least.")


def entry(value: Any, index: Any) -> Any:
    """One entry of a list or a text, or a stretch of it."""
    if not isinstance(value, str | list):
        raise ExpressionError(f"only a list has entries, this is {kind(value)}", hint="Leave the [ ] out.")
    parts = (index.start, index.stop, index.step) if isinstance(index, slice) else (index,)
    for part in parts:
        if not _whole(part) and not (part is None and isinstance(index, slice)):
            text = f"entries are counted by whole numbers, this is {kind(part)}"
            raise ExpressionError(text, hint="The first one is [0].")
    return value[index]


def _whole(value: Any) -> bool:
    """Whether a value is a whole number; true and false count as 1 and 0."""
    return isinstance(value, int)


def kind(value: Any) -> str:
    """What a value is, in the words of the language."""
    match value:
        case None:
            return "nothing"
        case int() | float():
            return "a number"
        case str():
            return f"the word {printable(value)!r}" if len(value) <= SHORT else "a text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case Dim():
            return "a size of the run"
    return "a tensor"


def way_to_number(value: Any) -> str:
    """How to come to a number from what is none."""
    match value:
        case str():
            return "Text is only compared, and joined with + to text."
        case list():
            return "Take one of its entries, as in widths[0]."
    return "Take a size of it, as in in.c or x.shape[1]." if kind(value) == "a tensor" else "Write a number."


def power(base: Any, exponent: Any) -> Any:
    """`base ** exponent` of plain numbers, in bounds. Raises ExpressionError."""
    if not isinstance(base, int | float) or not isinstance(exponent, int | float):
        other = base if not isinstance(base, int | float) else exponent
        if isinstance(other, Dim):
            text = f"** cannot be computed before the run: {other} is known only then"
            raise ExpressionError(text, hint="Multiply it by itself, as in in.t * in.t.")
        raise ExpressionError(f"** takes numbers, this is {kind(other)}", hint=way_to_number(other))
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent * math.log2(abs(base)) > MAX_NUMBER.bit_length():
        raise ExpressionError("a result that is too large", hint=f"Numbers go up to {MAX_NUMBER}.")
    return base**exponent
