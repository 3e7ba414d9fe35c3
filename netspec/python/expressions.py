"""Expressions from trees to text, with no bracket too many and none too few.

What an expression is made of is kept apart, so that a line which is too long can be broken: text, the brackets with
what is in them, and between these the places where it may go on in the next line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from netspec.python.nodes import call, joined_text
from netspec.python.precedence import ATOM, BINARY, COMPARED, COMPARISON, FOR, IF, LOGIC, LOGICAL, POWER, SIGN, UNARY
from netspec.python.precedence import binding as binding

DOT: Final = ATOM
"""The level of a break before the dot of a call that follows another."""
_MAKERS: Final = {"nn.Sequential", "nn.ModuleList", "nn.ModuleDict", "OrderedDict"}
"""What is called with members, which are read one by one."""
_PLAIN: Final = re.compile(r"[\w. -]*", re.ASCII)
"""Text that means itself in an f-string, and in quotes of either kind."""


@dataclass(frozen=True, slots=True)
class Break:
    """A place where an expression may go on in the next line: before an operator, or before the dot of a call."""

    level: int
    """How tightly what is around it binds; the loosest breaks first."""
    text: str
    """What stands there while the line is whole."""


class Brackets:
    """A pair of brackets and what stands in it."""

    __slots__ = ("close", "items", "open", "rows", "text")

    def __init__(self, open_: str, items: Sequence[Pieces], close: str, *, rows: bool = False) -> None:
        """`items` stand between the brackets, each with what follows it."""
        self.open, self.items, self.close = open_, items, close
        self.rows = rows
        """Whether each item stands in a line of its own even where there is room for all in one."""
        self.text = f"{open_}{', '.join(map(flat, items))}{close}"


Piece = str | Break | Brackets
Pieces = list[Piece]


def flat(pieces: Sequence[Piece]) -> str:
    """Pieces in one line."""
    return "".join([piece if isinstance(piece, str) else piece.text for piece in pieces])


def text(node: ast.expr) -> str:
    """An expression in one line. Raises TypeError for what is never written."""
    return flat(pieces(node))


def bare(node: ast.expr) -> Pieces:
    """A tuple without brackets, as behind `return` and before `=`; any other expression as it is."""
    if not isinstance(node, ast.Tuple) or not node.elts:
        return pieces(node)
    found = [pieces(item) for item in node.elts]
    return [piece for item in _commas(found) for piece in item]


def _commas(items: Sequence[Pieces]) -> list[Pieces]:
    """Items with commas between them; one alone has its own, as a tuple needs."""
    if len(items) == 1:
        return [[*items[0], ","]]
    return [[*item, ", "] for item in items[:-1]] + [items[-1]]


def pieces(node: ast.expr, least: int = 0) -> Pieces:
    """The pieces of an expression, in brackets where it binds looser than `least`."""
    try:
        write = _WRITERS[type(node)]
    except KeyError:
        raise TypeError(f"{type(node).__name__} is not written") from None
    found = write(node)
    return [Brackets("(", [found], ")")] if least > IF and binding(node) < least else found


def _constant(node: ast.Constant) -> Pieces:
    """A literal: texts in double quotes, floats the shortest that mean the same."""
    value = node.value
    if isinstance(value, str):
        return [quoted(value)]
    if value is ...:
        return ["..."]
    return [_float(value) if isinstance(value, float) else repr(value)]


def quoted(text: str) -> str:
    """A string as Python source: ASCII, in double quotes unless there are such within."""
    made = ascii(text)
    return made if '"' in text or made[0] == '"' else f'"{made[1:-1]}"'


def _float(value: float) -> str:
    """A float as a person writes it: `1e-6`, `1e9`."""
    digits, e, power = repr(value).partition("e")
    if not e and value >= 1e6 and value == float(rounded := f"{value:.0e}"):
        digits, e, power = rounded.partition("e")
    return f"{digits}e{int(power)}" if e else digits


def _attribute(node: ast.Attribute) -> Pieces:
    """`x.shape`; a number before the dot needs brackets."""
    of = node.value
    number = isinstance(of, ast.Constant) and isinstance(of.value, int | float)
    found: Pieces = [Brackets("(", [pieces(of)], ")")] if number else pieces(of, ATOM)
    if isinstance(found[-1], Brackets):
        return [*found, Break(DOT, f".{node.attr}")]
    if len(found) == 1:
        return [f"{found[0]}.{node.attr}"]
    return [*found, f".{node.attr}"]


def _call(node: ast.Call) -> Pieces:
    """`f(x, dim=1)`, which may break between its arguments."""
    found = pieces(node.func, ATOM)
    items = [pieces(argument) for argument in node.args]
    items += [[f"{argument.arg}=", *pieces(argument.value)] for argument in node.keywords]
    maker = flat(found) if node.func.__class__ is ast.Attribute or node.func.__class__ is ast.Name else ""
    if maker not in _MAKERS and maker != "super().__init__":
        return [*found, Brackets("(", items, ")")]
    held = [*node.args, *(argument.value for argument in node.keywords)]
    return [*found, _members("(", items, ")", held)]


def _members(open_: str, items: list[Pieces], close: str, nodes: Sequence[ast.expr]) -> Brackets:
    """Members, in lines of their own where they are many, or some of several hold members themselves."""
    inner = [_holds(node) for node in nodes]
    for item, node in zip(items, nodes, strict=True):
        if isinstance(node, ast.List | ast.Dict):
            brackets = cast(Brackets, item[-1])
            values = node.elts if isinstance(node, ast.List) else node.values
            item[-1] = _members(brackets.open, list(brackets.items), brackets.close, values)
    return Brackets(open_, items, close, rows=len(items) > 3 or (len(items) > 2 and any(inner)))


def _holds(node: ast.expr) -> bool:
    """Whether it is read as members one by one: the call of what holds them, or a list of them."""
    if isinstance(node, ast.Call):
        path = node.func
        name = path.attr if isinstance(path, ast.Attribute) else path.id if isinstance(path, ast.Name) else ""
        return name in ("Sequential", "ModuleList", "ModuleDict", "OrderedDict")
    return isinstance(node, ast.List | ast.Dict)


def _subscript(node: ast.Subscript) -> Pieces:
    """`x[0, 1:]`."""
    several = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    items = [pieces(place) for place in several or [node.slice]]
    return [*pieces(node.value, ATOM), Brackets("[", _commas(items) if len(several) == 1 else items, "]")]


def _slice(node: ast.Slice) -> Pieces:
    """A slice as it is written between brackets: `:-3`, `1::2`, and with room about it `: n + 1`."""
    bounds = [node.lower, node.upper, *([node.step] if node.step is not None else [])]
    written = [text(bound) if bound is not None else "" for bound in bounds]
    if all(bound is None or _is_word(bound) for bound in bounds):
        return [":".join(written)]
    return [" : ".join(written).replace(":  :", "::").strip()]


def _is_word(node: ast.expr) -> bool:
    """Whether it is a name or a number, perhaps with a sign."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Name | ast.Constant)


def _binary(node: ast.BinOp) -> Pieces:
    """`a + b`, grouped from the left, but for powers."""
    sign, level = BINARY[type(node.op)]
    if isinstance(node.op, ast.Pow):
        left, right = pieces(node.left, POWER + 1), pieces(node.right, SIGN)
        hugged = not isinstance(left[0], Brackets) and _hugs(node.left) and _hugs(node.right)
        return [*left, "**" if hugged else " ** ", *right]
    return [*pieces(node.left, level), Break(level, f" {sign} "), *pieces(node.right, level + 1)]


def _hugs(node: ast.expr) -> bool:
    """Whether a power of it is written as one word, `x**2`: names and numbers, perhaps with a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return _is_path(node) or (isinstance(node, ast.Constant) and isinstance(node.value, int | float))


def _is_path(node: ast.expr) -> bool:
    """Whether an expression is names with dots between them."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _unary(node: ast.UnaryOp) -> Pieces:
    """`-x`; brackets around a power, which binds more tightly than the sign."""
    sign, level = UNARY[type(node.op)]
    power = isinstance(node.operand, ast.BinOp) and isinstance(node.operand.op, ast.Pow)
    return [sign, *pieces(node.operand, ATOM if power else level)]


def _logical(node: ast.BoolOp) -> Pieces:
    """`a and b`."""
    word, level = LOGICAL[type(node.op)]
    first, *others = node.values
    found = pieces(first, level + 1)
    for other in others:
        found += [Break(LOGIC, f" {word} "), *pieces(other, level + 1)]
    return found


def _compare(node: ast.Compare) -> Pieces:
    """`a < b <= c`."""
    found = pieces(node.left, COMPARISON + 1)
    for op, other in zip(node.ops, node.comparators, strict=True):
        found += [Break(COMPARISON, f" {COMPARED[type(op)]} "), *pieces(other, COMPARISON + 1)]
    return found


def _choice(node: ast.IfExp) -> Pieces:
    """`a if test else b`."""
    there, test = pieces(node.body, IF + 1), pieces(node.test, IF + 1)
    return [*there, Break(IF, " if "), *test, Break(IF, " else "), *pieces(node.orelse, IF)]


def _tuple(node: ast.Tuple) -> Pieces:
    """`(a, b)`; one item has a comma behind it."""
    items = [pieces(item) for item in node.elts]
    return [Brackets("(", _commas(items) if len(items) == 1 else items, ")")]


def _comprehension(node: ast.ListComp | ast.GeneratorExp | ast.DictComp) -> Pieces:
    """`[f(x) for x in items if x]`, without its brackets."""
    found = [*pieces(node.key), ": ", *pieces(node.value)] if isinstance(node, ast.DictComp) else pieces(node.elt)
    for part in node.generators:
        found += [Break(FOR, " for "), *bare(part.target), " in ", *pieces(part.iter, LOGIC)]
        for test in part.ifs:
            found += [Break(FOR, " if "), *pieces(test, LOGIC)]
    return found


def _dict(node: ast.Dict) -> Pieces:
    """`{"a": x}`."""
    pairs = zip(node.keys, node.values, strict=True)
    return [Brackets("{", [[*pieces(k), ": ", *pieces(v)] if k else ["**", *pieces(v)] for k, v in pairs], "}")]


def _joined(node: ast.JoinedStr) -> Pieces:
    """An f-string, whose strings inside stand between the other quotes: they have nothing that must be escaped."""
    parts = [
        f"{{{text(part.value)}}}".replace('"', "'") if isinstance(part, ast.FormattedValue) else _plain(part)
        for part in node.values
    ]
    return [f'f"{"".join(parts)}"']


def _plain(node: ast.expr) -> str:
    """A part of an f-string that stands there as it is."""
    assert isinstance(node, ast.Constant)
    return str(node.value)


_WRITERS: Final[dict[type[ast.AST], Callable[[Any], Pieces]]] = {
    ast.Name: lambda node: [node.id],
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logical,
    ast.Compare: _compare,
    ast.IfExp: _choice,
    ast.Tuple: _tuple,
    ast.List: lambda node: [Brackets("[", [pieces(item) for item in node.elts], "]")],
    ast.ListComp: lambda node: [Brackets("[", [_comprehension(node)], "]")],
    ast.GeneratorExp: _comprehension,
    ast.DictComp: lambda node: [Brackets("{", [_comprehension(node)], "}")],
    ast.Dict: _dict,
    ast.Starred: lambda node: ["*", *pieces(node.value, ATOM)],
    ast.JoinedStr: _joined,
}


def f_string(parts: Sequence[str | ast.expr]) -> ast.expr:
    """Text and expressions as one string: `f"{name}conv1"`.

    Before Python 3.12 an expression in it can have neither a backslash nor the quotes around the whole,
    so what is more than plain text is put together otherwise: `"conv{}".format("\\n" if last else k)`.
    """
    values = [part for part in parts if not isinstance(part, str)]
    constants = (node.value for value in values for node in ast.walk(value) if isinstance(node, ast.Constant))
    if all(_PLAIN.fullmatch(part) for part in (*parts, *constants) if isinstance(part, str)):
        return joined_text(parts)
    pattern = "".join(re.sub(r"([{}])", r"\1\1", part) if isinstance(part, str) else "{}" for part in parts)
    return call(ast.Attribute(ast.Constant(pattern), "format", ast.Load()), *values)
