"""Values as Python source, the only way in which anything of a spec gets into printed text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Code:
    """A piece of Python that stands where a value would: a constructor's argument, a run-time size."""

    text: str

    def __str__(self) -> str:
        return self.text


def literal(value: Any) -> str:
    """`value` as Python source: only numbers, words, None, and tuples and lists of them."""
    match value:
        case Code():
            return value.text
        case str():
            veil = _VEIL.get()
            return quoted(value) if veil is None else veil.over(value)
        case float():
            return _float(value)
        case bool() | int() | None:
            return repr(value)
        case tuple():
            inner = ", ".join(literal(v) for v in value)
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        case list():
            return f"[{', '.join(literal(v) for v in value)}]"
    raise TypeError(f"{type(value).__name__} has no literal")


def quoted(text: str) -> str:
    """A string as Python source: ASCII, in double quotes unless there are such within."""
    made = ascii(text)
    return made if '"' in text or made[0] == '"' else f'"{made[1:-1]}"'


def plain(text: str) -> str:
    """Text with nothing that must be escaped, as a part of an f-string."""
    veil = _VEIL.get()
    return text if veil is None else f"{{{veil.over(text)}!r}}".replace('"', "'")


def _float(value: float) -> str:
    """A float as a person writes it: `1e-6`, `-1e9`, `float("inf")`."""
    if not isfinite(value):
        return f'float("{value}")'
    digits, e, power = repr(value).partition("e")
    if not e and abs(value) >= 1e6 and value == float(rounded := f"{value:.0e}"):
        digits, e, power = rounded.partition("e")
    return f"{digits}e{int(power)}" if e else digits


@dataclass(slots=True)
class Veil:
    """Stands for strings while a text is written, so that nothing in them can shape it.

    Printed Python has no bytes, so that `b"7"` is the eighth string and nothing else. What is
    written under a veil has the tree that was meant, whatever the strings say.
    """

    hidden: dict[str, int] = field(default_factory=dict)

    def over(self, text: str) -> str:
        """What is written in place of a string: the same for the same string."""
        return f'b"{self.hidden.setdefault(text, len(self.hidden))}"'

    def lifted(self, tree: ast.AST) -> ast.AST:
        """A tree that was written under the veil, with the strings in their places."""
        return _Lifted(list(self.hidden)).visit(tree)  # type: ignore[no-any-return]


class _Lifted(ast.NodeTransformer):
    def __init__(self, hidden: list[str]) -> None:
        self.hidden = hidden

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(self.hidden[int(node.value)]) if isinstance(node.value, bytes) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        """Plain text of an f-string is marked by its conversion, and one piece with what stands beside it."""
        self.generic_visit(node)
        values: list[ast.expr] = []
        for value in node.values:
            if isinstance(value, ast.FormattedValue) and value.conversion == ord("r"):
                value = value.value
            if isinstance(value, ast.Constant) and values and isinstance(values[-1], ast.Constant):
                values[-1] = ast.Constant(f"{values[-1].value!s}{value.value!s}")
            else:
                values.append(value)
        node.values = values
        return node


_VEIL: Final[ContextVar[Veil | None]] = ContextVar("veil", default=None)


@contextmanager
def veiled() -> Iterator[Veil]:
    """Within it, `literal` hides every string."""
    veil = Veil()
    token = _VEIL.set(veil)
    try:
        yield veil
    finally:
        _VEIL.reset(token)


def meant(text: str) -> ast.expr:
    """The tree of an expression that was written here, with every string that is hidden in it. Raises SyntaxError."""
    veil, tree = _VEIL.get(), ast.parse(text, mode="eval")
    lifted = tree if veil is None else veil.lifted(tree)
    assert isinstance(lifted, ast.Expression)
    return lifted.body
