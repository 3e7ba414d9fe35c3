"""Formulas: expressions that are computed for each place of a tensor, over the letters of its axes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import islice, product
from typing import Any, Final

from netspec.errors import At, Problem
from netspec.language import expressions
from netspec.language.expressions import ExpressionError
from netspec.language.refusals import Refused

LETTERS: Final = ("i", "j", "k", "l")
"""What the place on each axis is called."""
FUNCTIONS: Final = ("log", "exp", "sqrt", "sin", "cos", "abs", "floor", "ceil", "round", "min", "max")
"""The functions of expressions that a formula may apply to places."""
TRIED: Final = 4096
"""How many places are tried at most."""
LARGEST: Final = 3.4028234663852886e38
"""The largest number of float32."""


def over_places(text: str, lookup: Any, at: At, start: int = 0) -> str:
    """A formula with all computed in it but what depends on the place. Raises Refused."""
    try:
        tree = expressions.parse(text)
        for letter in sorted(expressions.names(tree) & {*LETTERS}):
            _need_free(letter, lookup, at)
        return ast.unparse(_folded(tree, lookup))
    except ExpressionError as error:
        stop = len(text) if error.stop is None else error.stop
        place = At(at.path, (start + error.start, start + max(stop, error.start + 1)), at.on_key)
        raise Refused(Problem("expression", error.message, place, error.hint)) from None


def _need_free(letter: str, lookup: Any, at: At) -> None:
    """Refuse a letter that is a number around. Raises Refused."""
    try:
        known = lookup(letter)
    except KeyError:
        return
    if isinstance(known, int | float | str | list):
        axis = LETTERS.index(letter)
        text = f"{letter} is the place on axis {axis} in a formula, and a number around it"
        raise Refused(
            Problem("formula", text, at, f"Call that otherwise; a repeat names its counter by `as: {letter}1`.")
        )


def _folded(node: ast.expr, lookup: Any) -> ast.expr:
    """A tree with a number for each part that has none of the letters."""
    if not expressions.names(node) & {*LETTERS}:
        value = expressions.computed(node, lookup)
        if isinstance(value, bool) or not isinstance(value, int | float):
            hint = "A formula has numbers, and the letters of places."
            raise ExpressionError(f"{value} is no number", node.col_offset, node.end_col_offset, hint)
        return ast.Constant(value + 0)
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(_folded(left, lookup), op, _folded(right, lookup))
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, _folded(operand, lookup))
        case ast.BoolOp(op=op, values=values):
            return ast.BoolOp(op, [_folded(value, lookup) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=others):
            return ast.Compare(_folded(left, lookup), ops, [_folded(other, lookup) for other in others])
        case ast.IfExp(test=test, body=body, orelse=other):
            return ast.IfExp(*(_folded(part, lookup) for part in (test, body, other)))
        case ast.Call(func=ast.Name(id=name), args=args) if name in FUNCTIONS:
            return ast.Call(ast.Name(name), [_folded(arg, lookup) for arg in args], [])
        case ast.Name():
            return node
    hint = f"Places can be added, multiplied, compared, and given to {', '.join(FUNCTIONS)}."
    raise ExpressionError("this cannot be computed for places", node.col_offset, node.end_col_offset, hint)


def fault(text: str, size: Sequence[int]) -> str:
    """What is wrong with a formula for a tensor of this size; empty if nothing is."""
    tree = expressions.parse(text)
    used = expressions.names(tree)
    if beyond := sorted(used - {*LETTERS[: len(size)]}):
        known = " and ".join(LETTERS[: len(size)]) or "no letter"
        return f"asks for {beyond[0]}, and a tensor of {len(size)} axes has {known}"
    if isinstance(tree, ast.Compare | ast.BoolOp) or (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)):
        return "is true or false; write 1 if it holds else 0"
    ends = [sorted({0, count - 1}) if letter in used else [0] for letter, count in zip(LETTERS, size, strict=False)]
    every = [range(count) if letter in used else range(1) for letter, count in zip(LETTERS, size, strict=False)]
    for places in (*product(*ends), *islice(product(*every), TRIED)):
        try:
            value = expressions.computed(tree, dict(zip(LETTERS, places, strict=False)).__getitem__)
        except ExpressionError as error:
            return f"has no value at place {places}: {error.message}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"is no number at place {places}"
        if abs(value) > LARGEST:
            return f"is {value:.4g} at place {places}, and float32 ends at {LARGEST:.4g}"
    return ""
