"""Formulas that fill tensors, with their numbers over the constructor's arguments."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from netspec.language import expressions
from netspec.language.calls import nothing
from netspec.views.code.proving import ABSENT


def over_arguments(
    formulas: Sequence[ast.expr | None], origins: Sequence[ast.expr | None], code: Callable[..., Any]
) -> ast.expr:
    """A formula whose numbers are what `code` writes for those of each use, None for a use that has no such tensor.

    `origins` are the formulas of the spec, where each number may be an expression.
    """
    first = next(formula for formula in formulas if formula is not None)
    if isinstance(first, ast.Name):
        return first
    if _is_number(first):
        numbers = [ABSENT if formula is None else expressions.computed(formula, nothing) for formula in formulas]
        return ast.Constant(code(numbers, "factor", origins))

    def part(name: str, place: int | None = None) -> list[Any]:
        """One field of all formulas, or an entry of it."""
        found = [None if formula is None else getattr(formula, name) for formula in formulas]
        return found if place is None else [None if each is None else each[place] for each in found]

    def origin(name: str, place: int | None = None) -> list[Any]:
        """The same of their origins, as far as these are of one form with them."""
        found = [getattr(node, name) if type(node) is type(first) else None for node in origins]
        return found if place is None else [each[place] if each is not None else None for each in found]

    parts: dict[str, Any] = {}
    for name, value in ast.iter_fields(first):
        if isinstance(value, ast.expr) and name != "func":
            parts[name] = over_arguments(part(name), origin(name), code)
        elif isinstance(value, list) and value and isinstance(value[0], ast.expr):
            parts[name] = [over_arguments(part(name, i), origin(name, i), code) for i in range(len(value))]
        else:
            parts[name] = value
    return type(first)(**parts)


def _is_number(node: ast.expr) -> bool:
    """Whether a part of a formula is a number, which may have a sign."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def form(formula: str) -> str:
    """What formulas have in common that differ in their numbers alone."""
    return ast.dump(over_arguments([expressions.parse(formula)], [None], lambda *_: 0))
