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
    """The terms of a size, each over what is in reach, what is added before what is taken away."""
    found = ""
    for monomial, factor in sorted(size.terms.items(), key=lambda term: term[1] < 0):
        count = abs(factor)
        # Without something to be taken from, a minus would bind closer than the division behind it.
        alone = len(monomial) == 1 and count == 1 and (factor > 0 or bool(found))
        atoms = [_atom(Dim({(atom,): 1}), reach, bracket=not alone) for atom in monomial]
        term = " * ".join(atoms + [str(count)] * (count != 1 or not atoms))
        found = _added(found, term, factor < 0)
    return found


def _added(text: str, term: str, less: bool) -> str:
    if not text:
        return f"-{term}" if less else term
    return f"{text} {'-' if less else '+'} {term}"


def _multiple(size: Dim, reach: Mapping[Dim, str]) -> str:
    """`4*H + 1` where only `2*H` is in reach: twice that, and 1. Raises LookupError."""
    for known in reach:
        for monomial, factor in known.terms.items():
            times, odd = divmod(size.terms.get(monomial, 0), factor)
            if not monomial or odd or times < 1:
                continue
            rest = size - known * times
            if isinstance(rest, Dim) and len(rest.terms) >= len(size.terms):
                continue
            whole = reach[known] if times == 1 else f"{reach[known]} * {times}"
            if isinstance(rest, int):
                return whole if rest == 0 else _added(whole, str(abs(rest)), rest < 0)
            return f"{whole} + {written(rest, reach)}"
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
                inner = reach[size] if shift == 0 else f"({_added(reach[size], str(abs(shift)), shift < 0)})"
                return f"{inner} // {wanted.bottom // atom.bottom}"
    raise LookupError(f"no value in reach tells the size {wanted}")
