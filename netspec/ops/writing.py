"""Putting expressions together the way a person writes them: no bracket too many, none too few."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from typing import Any, Final

from netspec.python.literals import Code, literal
from netspec.records import Record

LOOSE: Final = 0
"""Anything that binds looser than arithmetic: comparisons, `a if b else c`."""
AND: Final = 1
SUM: Final = 2
PRODUCT: Final = 3
SIGN: Final = 4
POWER: Final = 5
ATOM: Final = 6
"""A name, a number, a call: what needs no brackets anywhere."""

_PLAIN: Final = re.compile(r"[A-Za-z_][\w.]*|\d[\d.]*")
_POWER: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<![\w.)\]])([\w.]+) \*\* (-?[\w.]+)(?![\w.(\[])""")
_BINDING: Final[dict[type[ast.AST], int]] = {
    ast.BitAnd: AND,
    ast.Add: SUM,
    ast.Sub: SUM,
    ast.Mult: PRODUCT,
    ast.Div: PRODUCT,
    ast.FloorDiv: PRODUCT,
    ast.Mod: PRODUCT,
    ast.MatMult: PRODUCT,
    ast.Pow: POWER,
}
_LOOSE: Final = (ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.Tuple, ast.NamedExpr, ast.GeneratorExp)


@lru_cache(maxsize=4096)
def strength(text: str) -> int:
    """How tightly the outermost operator of an expression binds."""
    if _PLAIN.fullmatch(text):
        return ATOM
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.BinOp):
        return _BINDING.get(type(node.op), LOOSE)
    if isinstance(node, ast.UnaryOp):
        return LOOSE if isinstance(node.op, ast.Not) else SIGN
    return LOOSE if isinstance(node, _LOOSE) else ATOM


def bracketed(text: str, needed: int = ATOM) -> str:
    """`text`, in brackets unless it binds at least as tightly as `needed`."""
    return text if strength(text) >= needed else f"({text})"


def hugged(text: str) -> str:
    """`x**2`: a power of names and numbers without spaces, as one word of a longer expression. Texts stay."""
    return _POWER.sub(lambda found: f"{found[1]}**{found[2]}" if found[1] else found[0], text)


def infix(symbol: str, binding: int, *operands: str) -> str:
    """`a + b + c`, grouped from the left."""
    first, *others = operands
    return f" {symbol} ".join([bracketed(first, binding), *(bracketed(o, binding + 1) for o in others)])


def method(text: str, name: str, *arguments: str) -> str:
    """`x.mean(1)`."""
    return f"{bracketed(text)}.{name}({', '.join(arguments)})"


def function(name: str, *arguments: str) -> str:
    """`torch.exp(x)`."""
    return f"{name}({', '.join(arguments)})"


def options(record: Record, *names: str) -> list[str]:
    """`keepdim=True`: the fields that differ from torch's own defaults, by name."""
    shown = []
    for name in names:
        value, default = getattr(record, name), record.fields[name].torch_default
        if type(value) is not type(default) or value != default:
            shown.append(f"{name}={literal(value)}")
    return shown


def listed(values: Any) -> list[str]:
    """Each value as an argument of its own: `permute(0, 2, 1)`; one name for them all is unpacked."""
    return [f"*{bracketed(values.text)}"] if isinstance(values, Code) else [literal(value) for value in values]


def one_or_all(values: Any) -> str:
    """A single value bare, several as a tuple: `mean(1)`, `mean((2, 3))`."""
    return literal(values[0] if isinstance(values, tuple) and len(values) == 1 else values)


def subscript(text: str, dim: int | Code, index: str) -> str | None:
    """`x[:, index]` for an axis that is a number; None for one that is not, or lies too far in to read well."""
    if not isinstance(dim, int) or not -4 <= dim <= 4:
        return None
    places = [":"] * dim + [index] if dim >= 0 else ["...", index] + [":"] * (-dim - 1)
    return f"{bracketed(text)}[{', '.join(places)}]"
