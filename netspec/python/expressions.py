"""Expressions of Python from their trees to text, with no bracket too many and none too few."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Final

from netspec.python.literals import literal, plain

_PLAIN: Final = re.compile(r"[\w. -]*", re.ASCII)
"""Text that means itself in an f-string, and in quotes of either kind."""
QUOTE: Final = "'"
"""What stands around strings inside of an f-string."""
_ATOM: Final = 20
_POWER: Final = 14
_SIGN: Final = 12
_NOT: Final = 5
_IF: Final = 2
_BINARY: Final[dict[type[ast.operator], tuple[str, int]]] = {
    ast.Add: ("+", 8),
    ast.Sub: ("-", 8),
    ast.Mult: ("*", 10),
    ast.Div: ("/", 10),
    ast.FloorDiv: ("//", 10),
    ast.Mod: ("%", 10),
    ast.Pow: ("**", _POWER),
}
_BOOL: Final[dict[type[ast.boolop], tuple[str, int]]] = {ast.Or: ("or", 3), ast.And: ("and", 4)}
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_COMPARING: Final = 6
_UNARY: Final[dict[type[ast.unaryop], tuple[str, int]]] = {
    ast.USub: ("-", _SIGN),
    ast.UAdd: ("+", _SIGN),
    ast.Not: ("not ", _NOT),
}


def unparsed(node: ast.expr, quote: str = '"', least: int = 0) -> str:
    """The text of an expression of the language's own nodes; in brackets where it binds looser than `least`.

    Strings are literals; inside of an f-string they stand between other quotes. Raises TypeError
    for any other node.
    """
    text, binding = _unparsed(node, quote)
    return f"({text})" if binding < least else text


def _unparsed(node: ast.expr, quote: str) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    match node:
        case ast.Name(id=name):
            return name, _ATOM
        case ast.Constant(value=bytes(value)):  # a string under a veil
            return repr(value).replace("'", quote), _ATOM
        case ast.Constant(value=str(value)):
            return _string(value, quote), _ATOM
        case ast.Constant(value=value):
            return (text := literal(value)), _SIGN if text.startswith("-") else _ATOM
        case ast.BinOp(op=ast.Pow()):
            left, right = unparsed(node.left, quote, _POWER + 1), unparsed(node.right, quote, _SIGN)
            hugged = not left.startswith("(") and _hugs(node.left) and _hugs(node.right)
            return left + ("**" if hugged else " ** ") + right, _POWER
        case ast.BinOp(op=op) if type(op) in _BINARY:
            sign, binding = _BINARY[type(op)]
            return f"{unparsed(node.left, quote, binding)} {sign} {unparsed(node.right, quote, binding + 1)}", binding
        case ast.UnaryOp(op=op) if type(op) in _UNARY:
            sign, binding = _UNARY[type(op)]
            return f"{sign}{unparsed(node.operand, quote, binding)}", binding
        case ast.BoolOp(op=op):
            word, binding = _BOOL[type(op)]
            return f" {word} ".join(unparsed(value, quote, binding + 1) for value in node.values), binding
        case ast.Compare(ops=ops) if all(type(op) in _COMPARE for op in ops):
            parts = [unparsed(node.left, quote, _COMPARING + 1)]
            for comparison, other in zip(ops, node.comparators, strict=True):
                parts += [_COMPARE[type(comparison)], unparsed(other, quote, _COMPARING + 1)]
            return " ".join(parts), _COMPARING
        case ast.IfExp():
            body, test = unparsed(node.body, quote, _IF + 1), unparsed(node.test, quote, _IF + 1)
            return f"{body} if {test} else {unparsed(node.orelse, quote, _IF)}", _IF
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            return f"{name}({', '.join(unparsed(argument, quote) for argument in node.args)})", _ATOM
        case ast.Attribute():
            return f"{unparsed(node.value, quote, _ATOM)}.{node.attr}", _ATOM
        case ast.Subscript():
            return f"{unparsed(node.value, quote, _ATOM)}[{_index(node.slice, quote)}]", _ATOM
        case ast.List():
            return f"[{', '.join(unparsed(item, quote) for item in node.elts)}]", _ATOM
        case ast.Tuple():
            items = [unparsed(item, quote) for item in node.elts]
            return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})", _ATOM
    raise TypeError(f"{type(node).__name__} is not written")


def _index(node: ast.expr, quote: str) -> str:
    if not isinstance(node, ast.Slice):
        return unparsed(node, quote)
    parts = [node.lower, node.upper, *([node.step] if node.step is not None else [])]
    return ":".join(unparsed(part, quote) if part is not None else "" for part in parts)


def _hugs(node: ast.expr) -> bool:
    """Whether a power of it is written as one word, `x**2`: names and numbers, perhaps with a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Name | ast.Attribute) or (
        isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    )


def _string(text: str, quote: str) -> str:
    made = literal(text)
    if quote == '"':
        return made
    assert _PLAIN.fullmatch(text), "strings in an f-string have nothing that must be escaped"
    return made.replace('"', quote)


def f_string(parts: Sequence[str | ast.expr]) -> str:
    """Text and expressions as one string: `f"{name}conv1"`.

    Before Python 3.12 an expression in it can have neither a backslash nor the quotes around the whole,
    so what is more than plain text is put together otherwise: `"conv{}".format("\\n" if last else k)`.
    """
    values = [part for part in parts if not isinstance(part, str)]
    constants = (node.value for value in values for node in ast.walk(value) if isinstance(node, ast.Constant))
    if all(_PLAIN.fullmatch(text) for text in (*parts, *constants) if isinstance(text, str)):
        return 'f"' + "".join(plain(p) if isinstance(p, str) else f"{{{unparsed(p, QUOTE)}}}" for p in parts if p) + '"'
    pattern = "".join(re.sub(r"([{}])", r"\1\1", part) if isinstance(part, str) else "{}" for part in parts)
    return f"{literal(pattern)}.format({', '.join(unparsed(value) for value in values)})"
