"""How numbers are written in a table: the decimal sign, signs between thousands, what stands beside a number."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from netspec.words import printable

BLANKS: Final = " \u00a0\u202f\u2009"
"""The blanks that stand between thousands: the plain one, and those that a line never breaks at."""
SIGNS: Final = {"point": ".", "comma": ",", "space": BLANKS, "quote": "'\u2019"}
"""Words for signs in numbers, with every character that is taken for them."""
CURRENCY: Final = "currency"
PERCENT: Final = "percent"
MAX_SIGN: Final = 8
"""The most characters that are taken for a sign behind numbers, such as kg or km/h."""
HOLES: Final = frozenset({"na", "n/a", "nan", "null", "none", "nil", "missing", "unknown", "?", "-", "--", ".", "#n/a"})
"""What others write into a cell that is empty, in small letters."""
NEARLY: Final = 0.9
"""The share of cells from which on nearly all of a column are meant."""
YAML_WORDS: Final = frozenset({"null", "true", "false"})
"""Texts that are none to YAML unless they stand in quotes, in small letters."""
MINUS: Final = frozenset("-\u2212\u2013()")
"""What makes a number one below 0, beside it: it is never left out as a sign."""
_BELOW: Final = re.compile(r"[\u2212\u2013] ?\S*\d\S*|\(\S*\d\S*\)|[^-\s]*\d\S* ?[-\u2212\u2013]", re.ASCII)
_PLAIN: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a table writes its numbers. `signs` are what stands before or behind them and is no part of them."""

    decimal: str = "point"
    thousands: str | None = None
    signs: tuple[str, ...] = ()

    def number(self, text: str) -> str | None:
        """The number in a text as Python writes it; None where it holds none, or more than one."""
        text = _without(text, self.signs) if self.signs else text
        if self.thousands is not None and _grouped(self.decimal, self.thousands).fullmatch(text):
            text = re.sub(f"[{SIGNS[self.thousands]}]", "", text)
        if self.decimal != "point":
            text = text.replace(".", "?").replace(SIGNS[self.decimal], ".")
        return text if _PLAIN.fullmatch(text) else None

    def with_signs(self, other: Writing) -> Writing:
        """The same, with what stands beside numbers in another way of writing too."""
        return Writing(self.decimal, self.thousands, tuple(sorted({*self.signs, *other.signs})))

    def example(self) -> str:
        """A number as it is written here."""
        thousands = SIGNS[self.thousands][0] if self.thousands is not None else ""
        return f"1{thousands}234{SIGNS[self.decimal]}5"

    def mixed(self, cells: Iterable[str]) -> tuple[str, str] | None:
        """Two cells of a column whose numbers are not on one scale: in two currencies or units, in one and in none."""
        found = self.units(cells)
        bare, units = found.pop("", None), list(found)
        if len(units) > 1:
            return found[units[0]], found[units[1]]
        return (found[units[0]], bare) if units and bare and not is_money(units[0]) else None

    def units(self, cells: Iterable[str]) -> dict[str, str]:
        """What stands beside the numbers of a column, "" for nothing, each with the first cell that has it."""
        found: dict[str, str] = {}
        for text in dict.fromkeys(filter(None, cells)):
            number, unit = _parted(text, self.signs)
            if any(digit in number for digit in "123456789"):  # nothing is nothing in every unit
                found.setdefault(unit, text)
        return found

    def options(self, known: Writing | None = None) -> str:
        """The options of a source that make it read so, where it is read as `known`."""
        named = [f"decimal={self.decimal}"] * (self.decimal != (known.decimal if known else "point"))
        named += [f"thousands={self.thousands}"] * (self.thousands is not None)
        if self.signs:
            named.append(f"signs={self.signs[0]}" if len(self.signs) == 1 else f"signs=[{', '.join(self.signs)}]")
        return " ".join(named)


def guessed(cells: Sequence[str], known: Writing) -> list[Writing]:
    """The ways of writing in which nearly all of these cells are numbers, all as likely; none that is `known`."""
    often = Counter(cells)
    if sum(any(map(str.isdigit, text)) for text in often) < NEARLY * len(often):
        return []
    signs = _signs_of(often)
    ways = [Writing(decimal, thousands) for decimal, thousands in _WAYS]
    bare = {text: _without(text, signs) for text in often}
    counts = {way: sum(often[text] for text in often if way.number(bare[text]) is not None) for way in ways}
    most = max(counts.values())
    if not cells or most < NEARLY * len(cells):
        return []
    best = [way for way in ways if counts[way] == most]
    if Writing(known.decimal, known.thousands) in best:  # nothing but the signs can stand in the way
        best = [Writing(known.decimal, known.thousands)] if set(signs) - set(known.signs) else []
    best = [way for way in best if way.thousands is None or Writing(way.decimal) not in best]
    simple = [way for way in best if way.decimal == "point" or way.thousands is None]
    return [Writing(way.decimal, way.thousands, signs) for way in simple or best[:1]]


def below(cells: Sequence[str]) -> str | None:
    """The first number below 0 that is written as others do, `12-`, `(12)` or with a longer minus; None without.

    None, too, where not nearly all cells are numbers, in whatever way of writing.
    """
    known = {cell: bool(_BELOW.fullmatch(cell)) for cell in set(cells)}
    bare = {cell: cell.strip("".join(MINUS) + BLANKS) if odd else cell for cell, odd in known.items()}
    numbers = {cell for cell, text in bare.items() if any(Writing(*way).number(text) for way in _WAYS)}
    if not any(known.values()) or sum(cell in numbers for cell in cells) < NEARLY * len(cells):
        return None
    return next((cell for cell in cells if known[cell] and cell in numbers), None)


def option(key: str, value: str) -> str:
    """An option as a row of the spec has it, or the long form for a value that no row can hold."""
    plain = re.fullmatch(r"[A-Za-z_][\w./]*", value, re.ASCII) and value.lower() not in YAML_WORDS
    return f"{key}={value}" if plain else f'{key}: "{printable(value)}"'


_WAYS: Final = (
    ("point", None),
    ("comma", None),
    ("point", "comma"),
    ("comma", "point"),
    ("point", "space"),
    ("comma", "space"),
    ("point", "quote"),
)


@cache
def _grouped(decimal: str, thousands: str) -> re.Pattern[str]:
    sign, point = f"[{SIGNS[thousands]}]", re.escape(SIGNS[decimal])
    return re.compile(rf"[+-]?[1-9]\d{{0,2}}({sign}\d{{3}})+({point}\d*)?", re.ASCII)


def _without(text: str, signs: Iterable[str]) -> str:
    """A cell without what stands before or behind its number; a minus may stand before a sign."""
    return _parted(text, signs)[0]


def _parted(text: str, signs: Iterable[str]) -> tuple[str, str]:
    """A cell without what stands beside its number, and what that is."""
    minus, unit = text[:1] if text[:1] in "+-" else "", ""
    rest = text[len(minus) :].strip(BLANKS)
    for sign in signs:
        if sign == CURRENCY:
            marks = [mark for mark in (rest[:1], rest[-1:]) if _is_currency(mark)]
        else:
            marks = ["%", sign] if sign == PERCENT else [sign]
        for mark in marks:
            left = rest.removeprefix(mark) if rest.startswith(mark) else rest.removesuffix(mark)
            rest, unit = left, unit + mark * (left != rest)
        rest = rest.strip(BLANKS)
    if minus and rest[:1] in ("+", "-"):
        return text, unit
    return minus + rest, unit


def is_money(unit: str) -> bool:
    """Whether a sign is that of a currency, or its three letters."""
    return _is_currency(unit) or re.fullmatch("[A-Z]{3}", unit) is not None


_BESIDE: Final = re.compile(
    r"[+-]?(?P<before>[^\d\s.,'+\u00a0\u202f\u2009-]*)[\s\u00a0\u202f\u2009]*"
    r"[+-]?[\d.,' \u00a0\u202f\u2009\u2019]*?\d\.?[\s\u00a0\u202f\u2009]*(?P<behind>[^\d\s\u00a0\u202f\u2009]*)",
    re.ASCII,
)


def _signs_of(often: Counter[str]) -> tuple[str, ...]:
    """What stands beside the numbers of nearly all cells that hold one, as the option `signs` names it."""
    counts: Counter[str] = Counter()
    for text, count in often.items():
        found = _BESIDE.fullmatch(text)
        for sign in {_before(found["before"]), _behind(found["behind"])} if found else ():
            counts[sign] += count
    enough = NEARLY * often.total()
    common = (sign for sign, count in counts.items() if sign in (CURRENCY, PERCENT) or count >= enough)
    return tuple(sorted(sign for sign in common if sign))


def _before(sign: str) -> str:
    """A sign before a number: of a currency, or its three letters. Other letters there make a code, as in A7."""
    return CURRENCY if _is_currency(sign) else sign if re.fullmatch("[A-Z]{3}", sign) else ""


def _behind(sign: str) -> str:
    if set(sign) & MINUS:
        return ""
    return CURRENCY if _is_currency(sign) else PERCENT if sign == "%" else sign if len(sign) <= MAX_SIGN else ""


def _is_currency(sign: str) -> bool:
    return len(sign) == 1 and unicodedata.category(sign) == "Sc"
