"""How tightly the operators of Python bind: where an expression needs brackets, and where it may be broken."""

from __future__ import annotations

import ast
from typing import Final

FOR: Final = 1
IF: Final = 2
LOGIC: Final = 3
NOT: Final = 5
COMPARISON: Final = 6
SIGN: Final = 12
POWER: Final = 14
ATOM: Final = 20
"""A name, a number, a call: what needs no brackets anywhere."""

BINARY: Final[dict[type[ast.operator], tuple[str, int]]] = {
    ast.BitOr: ("|", 7),
    ast.BitAnd: ("&", 8),
    ast.Add: ("+", 9),
    ast.Sub: ("-", 9),
    ast.Mult: ("*", 10),
    ast.Div: ("/", 10),
    ast.FloorDiv: ("//", 10),
    ast.Mod: ("%", 10),
    ast.MatMult: ("@", 10),
    ast.Pow: ("**", POWER),
}
"""The signs of the operators between two operands, and how tightly each binds."""
LOGICAL: Final[dict[type[ast.boolop], tuple[str, int]]] = {ast.Or: ("or", LOGIC), ast.And: ("and", LOGIC + 1)}
UNARY: Final[dict[type[ast.unaryop], tuple[str, int]]] = {
    ast.USub: ("-", SIGN),
    ast.UAdd: ("+", SIGN),
    ast.Invert: ("~", SIGN),
    ast.Not: ("not ", NOT),
}
COMPARED: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def binding(node: ast.expr) -> int:
    """How tightly the outermost operator of an expression binds."""
    match node:
        case ast.BinOp(op=op):
            return BINARY[type(op)][1]
        case ast.UnaryOp(op=op):
            return UNARY[type(op)][1]
        case ast.BoolOp(op=op):
            return LOGICAL[type(op)][1]
        case ast.Compare():
            return COMPARISON
        case ast.IfExp():
            return IF
        case ast.GeneratorExp():
            return FOR
    return ATOM
