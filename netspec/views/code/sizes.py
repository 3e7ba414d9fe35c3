"""Sizes that only the run knows, as code over those that a tensor in reach shows."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.dims import Dim, Quotient, Size


def written(size: Size, reach: Mapping[Dim, str]) -> str:
    """`size` as code; `reach` says how each size of a tensor at hand is read. Raises LookupError."""
    if isinstance(size, int):
        return str(size)
    if size in reach:
        return reach[size]
    try:
        return _sum(size, reach)
    except LookupError:
        return _multiple(size, reach)


def _sum(size: Dim, reach: Mapping[Dim, str]) -> str:
    """The terms of a size, each over what is in reach."""
    terms = []
    for monomial, factor in size.terms.items():
        if not monomial:
            terms.append(str(factor))
            continue
        single = len(monomial) == 1 and factor == 1
        atoms = [_atom(Dim({(atom,): 1}), reach, bracket=not single) for atom in monomial]
        terms.append(" * ".join(atoms + [str(factor)] * (factor != 1)))
    return " + ".join(terms)


def _multiple(size: Dim, reach: Mapping[Dim, str]) -> str:
    """`4*H + 1` where only `2*H` is in reach: twice that, and 1. Raises LookupError."""
    for known, text in reach.items():
        for monomial, factor in known.terms.items():
            times, odd = divmod(size.terms.get(monomial, 0), factor)
            if not monomial or odd or not times:
                continue
            rest = size - known * times
            if isinstance(rest, Dim) and len(rest.terms) >= len(size.terms):
                continue
            whole = text if times == 1 else f"{text} * {times}"
            return whole if rest == 0 else f"{whole} + {written(rest, reach)}"
    raise LookupError(f"no value in reach tells the size {size}")


def _atom(size: Dim, reach: Mapping[Dim, str], bracket: bool) -> str:
    """A name, or a floor division, which stands in brackets beside a sign that binds as it does."""
    if size in reach:
        return reach[size]
    ((atom,),) = size.terms
    if not isinstance(atom, Quotient):
        raise LookupError(f"no value in reach tells the size {size}")
    try:
        text = f"{_operand(atom.top, reach)} // {_operand(atom.bottom, reach)}"
    except LookupError:
        text = _divided_again(atom, reach)
    return f"({text})" if bracket else text


def _operand(size: Size, reach: Mapping[Dim, str]) -> str:
    text = written(size, reach)
    return f"({text})" if " " in text else text


def _divided_again(wanted: Quotient, reach: Mapping[Dim, str]) -> str:
    """`(H + 3) // 4` where only `(H + 1) // 2` is in reach: that and 1, divided by 2. Raises LookupError."""
    for size, text in reach.items():
        for monomial in size.terms:
            atom = monomial[0] if len(monomial) == 1 else None
            if not isinstance(atom, Quotient) or not isinstance(atom.bottom, int) or not isinstance(wanted.bottom, int):
                continue
            missing = size - Dim({monomial: 1})
            more = (wanted.top - atom.top) // atom.bottom
            exact = isinstance(missing, int) and isinstance(more, int) and wanted.bottom % atom.bottom == 0
            if exact and atom.top + more * atom.bottom == wanted.top:
                shift = more - missing
                inner = f"({text} + {shift})" if shift != 0 else text
                return f"{inner} // {wanted.bottom // atom.bottom}"
    raise LookupError(f"no value in reach tells the size {wanted}")
