"""Sizes that only the run knows, as code over those that a tensor in reach shows."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from netspec.dims import Dim, Quotient, Size
from netspec.python.nodes import infix, valued

Reach = Mapping[Dim, ast.expr]
"""How each size of a tensor at hand is read."""


def written(size: Size, reach: Reach) -> ast.expr:
    """`size` as code over what is in reach. Raises LookupError."""
    if isinstance(size, int):
        return valued(size)
    if size in reach:
        return reach[size]
    try:
        return _sum(size, reach)
    except LookupError:
        return _multiple(size, reach)


def _sum(size: Dim, reach: Reach) -> ast.expr:
    """The terms of a size, each over what is in reach, what is added before what is taken away."""
    found: ast.expr | None = None
    for monomial, factor in sorted(size.terms.items(), key=lambda term: term[1] < 0):
        count = abs(factor)
        atoms = [_atom(Dim({(atom,): 1}), reach) for atom in monomial]
        term = infix(ast.Mult(), *atoms, *([valued(count)] if count != 1 or not atoms else []))
        found = _added(found, term, factor < 0)
    assert found is not None
    return found


def _added(found: ast.expr | None, term: ast.expr, less: bool) -> ast.expr:
    """A sum with one more term, which may be taken off."""
    if found is None:
        return ast.UnaryOp(ast.USub(), term) if less else term
    return infix(ast.Sub() if less else ast.Add(), found, term)


def _multiple(size: Dim, reach: Reach) -> ast.expr:
    """`4*H + 1` where only `2*H` is in reach: twice that, and 1. Raises LookupError."""
    for known in reach:
        for monomial, factor in known.terms.items():
            times, odd = divmod(size.terms.get(monomial, 0), factor)
            if not monomial or odd or times < 1:
                continue
            rest = size - known * times
            if isinstance(rest, Dim) and len(rest.terms) >= len(size.terms):
                continue
            whole = reach[known] if times == 1 else infix(ast.Mult(), reach[known], valued(times))
            if isinstance(rest, int):
                return whole if rest == 0 else _added(whole, valued(abs(rest)), rest < 0)
            return infix(ast.Add(), whole, written(rest, reach))
    raise LookupError(f"no value in reach tells the size {size}")


def _atom(size: Dim, reach: Reach) -> ast.expr:
    """A name, or a floor division."""
    if size in reach:
        return reach[size]
    ((atom,),) = size.terms
    if not isinstance(atom, Quotient):
        raise LookupError(f"no value in reach tells the size {size}")
    try:
        return infix(ast.FloorDiv(), written(atom.top, reach), written(atom.bottom, reach))
    except LookupError:
        return _divided_again(atom, reach)


def _divided_again(wanted: Quotient, reach: Reach) -> ast.expr:
    """`(H + 3) // 4` where only `(H + 1) // 2` is in reach: that and 1, divided by 2. Raises LookupError."""
    for size in reach:
        for monomial in size.terms:
            atom = monomial[0] if len(monomial) == 1 else None
            if not isinstance(atom, Quotient) or not isinstance(atom.bottom, int) or not isinstance(wanted.bottom, int):
                continue
            missing = size - Dim({monomial: 1})
            more = (wanted.top - atom.top) // atom.bottom
            if not isinstance(missing, int) or not isinstance(more, int) or wanted.bottom % atom.bottom:
                continue
            if atom.top + more * atom.bottom == wanted.top:
                shift = more - missing
                inner = reach[size] if shift == 0 else _added(reach[size], valued(abs(shift)), shift < 0)
                return infix(ast.FloorDiv(), inner, valued(wanted.bottom // atom.bottom))
    raise LookupError(f"no value in reach tells the size {wanted}")
