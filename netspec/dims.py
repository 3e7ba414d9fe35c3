"""Symbolic sizes: exact arithmetic on named dimensions, which may be known only at run time.

A size is an `int` where it is known and a `Dim` where it is not: a polynomial with integer
coefficients over names (`B`, `T`) and floor divisions. `T - 4 + 4` is `T`, and
`(2*T*B) // (2*B)` is `T`, so equal sizes compare equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

MAX_TERMS = 64


@dataclass(frozen=True, slots=True)
class Name:
    """A dimension whose size is chosen at run time."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Quotient:
    """`top // bottom`, where the division does not come out evenly."""

    top: Size
    bottom: Size

    def __str__(self) -> str:
        return f"{_bracket(self.top)} // {_bracket(self.bottom)}"


Atom = Name | Quotient
Monomial = tuple[Atom, ...]


class Dim:
    """A size that depends on a named dimension. Immutable; arithmetic gives an int where it can."""

    __slots__ = ("_hash", "_text", "terms")

    def __init__(self, terms: dict[Monomial, int]) -> None:
        self.terms = terms
        self._hash = hash(frozenset(terms.items()))
        self._text = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for monomial, factor in _terms(other).items():
            total[monomial] = total.get(monomial, 0) + factor
        return _made(total)

    def __mul__(self, other: Size) -> Size:
        total: dict[Monomial, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                monomial = tuple(sorted(left + right, key=str))
                total[monomial] = total.get(monomial, 0) + a * b
        return _made(total)

    def __floordiv__(self, other: Size) -> Size:
        return _divided(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return _divided(other, self)

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: int) -> Size:
        return self * -1 + other

    __radd__ = __add__
    __rmul__ = __mul__

    def __str__(self) -> str:
        if not self._text:
            parts = [_term(m, f) for m, f in sorted(self.terms.items(), key=lambda t: (-len(t[0]), str(t[0])))]
            self._text = " + ".join(parts).replace("+ -", "- ")
        return self._text

    __repr__ = __str__

    @property
    def factor(self) -> int:
        """What the size is a multiple of, whatever its letters are: 16 of 16*H + 32."""
        return gcd(*self.terms.values())

    @property
    def names(self) -> frozenset[str]:
        """The letters in it."""
        found: set[str] = set()
        for atom in (a for monomial in self.terms for a in monomial):
            if isinstance(atom, Name):
                found.add(atom.text)
            else:
                found |= names(atom.top) | names(atom.bottom)
        return frozenset(found)


Size = int | Dim


def named(text: str) -> Dim:
    """The dimension called `text`."""
    return Dim({(Name(text),): 1})


BATCH = named("B")


def names(size: Size) -> frozenset[str]:
    """The letters in a size; none in a number."""
    return size.names if isinstance(size, Dim) else frozenset()


def known(size: Size) -> bool:
    """Whether a size is a number."""
    return isinstance(size, int)


def product(sizes: Any) -> Size:
    """The product of sizes; 1 of none."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def substitute(size: Size, values: dict[str, Size]) -> Size:
    """`size` with named dimensions replaced; `substitute(9*B, {"B": 1})` is 9."""
    if isinstance(size, int):
        return size
    total: Size = 0
    for monomial, factor in size.terms.items():
        part: Size = factor
        for atom in monomial:
            if isinstance(atom, Name):
                part = part * values.get(atom.text, Dim({(atom,): 1}))
            else:
                part = part * _divided(substitute(atom.top, values), substitute(atom.bottom, values))
        total = total + part
    return total


def _terms(size: Size) -> dict[Monomial, int]:
    """A size as a sum of monomials with their factors."""
    return size.terms if isinstance(size, Dim) else {(): size}


def _made(terms: dict[Monomial, int]) -> Size:
    """A sum as a size, a number where no letter is left."""
    terms = {m: f for m, f in terms.items() if f}
    if not terms:
        return 0
    if terms.keys() == {()}:
        return terms[()]
    if len(terms) > MAX_TERMS:
        raise OverflowError("a size with too many terms")
    return Dim(terms)


def _divided(top: Size, bottom: Size) -> Size:
    """Floor division. Terms that `bottom` divides evenly leave the floor: (2T + 3) // 2 = T + 1."""
    if isinstance(top, int) and isinstance(bottom, int):
        return top // bottom
    divisor = _terms(bottom)
    if len(divisor) != 1:
        return 1 if top == bottom else Dim({(Quotient(top, bottom),): 1})
    (monomial, factor), *_ = divisor.items()
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for term, value in _terms(top).items():
        left = _without(term, monomial)
        quotient, remainder = divmod(value, factor)
        if left is None or (left and remainder):
            rest[term] = value
        elif left:
            whole[left] = whole.get(left, 0) + quotient
        else:
            whole[()] = quotient
            if remainder:
                rest[term] = remainder
    inner = _made(rest)
    if inner == 0 or (isinstance(inner, int) and isinstance(bottom, int) and 0 <= inner < bottom):
        return _made(whole)
    if isinstance(bottom, int) and isinstance(inner, Dim):
        common = gcd(bottom, *(f for m, f in inner.terms.items() if m))
        constant = inner.terms.get((), 0)
        if common > 1:
            shrunk = {m: f // common for m, f in inner.terms.items() if m} | {(): constant // common}
            return _made(whole) + _divided(_made(shrunk), bottom // common)
        if bottom > 0 and (flat := _flattened(inner)):
            top, factor = flat
            return _made(whole) + _divided(top, factor * bottom)
    return _made(whole) + Dim({(Quotient(inner, bottom),): 1})


def _flattened(size: Dim) -> tuple[Size, int] | None:
    """`a // b + c`, of which b is a number, as (a + b*c) // b, which can be divided further: its top and its bottom.

    Graham, Knuth and Patashnik, Concrete Mathematics, section 3.2.
    """
    (monomial, factor), *_ = (item for item in size.terms.items() if item[0])
    atom = monomial[0]
    if len(size.terms.keys() - {()}) > 1 or len(monomial) > 1 or factor != 1 or not isinstance(atom, Quotient):
        return None
    if not isinstance(atom.bottom, int) or atom.bottom <= 0:
        return None
    return atom.top + atom.bottom * size.terms.get((), 0), atom.bottom


def _without(monomial: Monomial, part: Monomial) -> Monomial | None:
    """A monomial with another divided out; None where it does not divide."""
    left = list(monomial)
    for atom in part:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


def _term(monomial: Monomial, factor: int) -> str:
    """A monomial with its factor, as text."""
    if not monomial:
        return str(factor)
    alone = factor == 1 and len(monomial) == 1
    atoms = "*".join(str(a) if alone or isinstance(a, Name) else f"({a})" for a in monomial)
    return atoms if factor == 1 else f"-{atoms}" if factor == -1 else f"{factor}*{atoms}"


def _bracket(size: Size) -> str:
    """A size as text, in brackets where an operator would tear it."""
    return f"({size})" if isinstance(size, Dim) and set(str(size)) & set(" */") else str(size)
