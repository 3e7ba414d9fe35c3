"""Where an expression may be broken: at its brackets, its commas, and before the operators that bind loosest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_OPERATORS: Final = (
    (" for ",),
    (" if ", " else "),
    (" or ", " and "),
    (" == ", " != ", " <= ", " >= ", " < ", " > ", " is not ", " is ", " in "),
    (" | ",),
    (" & ",),
    (" + ", " - "),
    (" * ", " / ", " // ", " @ ", " % "),
)
"""From what binds loosest; the code has a space on either side of each."""
_SIGN: Final = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[()\[\]{},.]| = |"""
    + "|".join(re.escape(word) for level in _OPERATORS for word in level)
)


def parts(expression: str) -> list[str]:
    """The expression cut before its loosest operators, or a chain of calls before each call's dot."""
    signs = list(_outer(expression))
    found = {sign for _, sign in signs}
    for level in _OPERATORS:
        if not found.isdisjoint(level):
            return _cut(expression, [at + 1 for at, sign in signs if sign in level])
    dots = [at for at, sign in signs if sign == "." and expression[at - 1] in ")]"]
    return _cut(expression, dots) if len(dots) > 1 else [expression]


def groups(expression: str) -> list[tuple[int, int]]:
    """Where its outermost brackets open and close."""
    signs = list(_outer(expression))
    opening = [at for at, sign in signs if sign in ("(", "[", "{")]
    return list(zip(opening, [at for at, sign in signs if sign in (")", "]", "}")], strict=True))


def items(expression: str) -> list[str]:
    """What commas part, or the whole of a comprehension; the comma of a tuple of one stays."""
    signs = list(_outer(expression))
    if not expression or any(sign == " for " for _, sign in signs):
        return [expression] if expression else []
    commas = [at + 1 for at, sign in signs if sign == ","]
    found = _cut(expression, commas)
    return [found[0]] if len(found) == 2 and not found[1] else [item.removesuffix(",") for item in found if item]


def assignment(code: str) -> tuple[str, str, str]:
    """The target, the sign and the value of an assignment; no sign if it is none."""
    at = next((at for at, sign in _outer(code) if sign == " = "), None)
    return (code, "", "") if at is None else (code[:at], "=", code[at + 3 :])


def _cut(text: str, places: list[int]) -> list[str]:
    return [text[a:b].strip() for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def _outer(text: str) -> Iterator[tuple[int, str]]:
    """The signs that stand in no brackets, with where they stand; the outermost brackets are among them."""
    depth = 0
    for match in _SIGN.finditer(text):
        sign = match.group()
        depth -= sign in (")", "]", "}")
        if depth == 0:
            yield match.start(), sign
        depth += sign in ("(", "[", "{")
