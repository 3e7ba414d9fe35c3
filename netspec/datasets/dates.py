"""Dates in a table: how they are written, and the numbers that a network is given for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

EPOCH: Final = datetime(1970, 1, 1)
DAY: Final = 86_400
"""Its seconds."""
PARTS: Final = ("elapsed", "year", "month", "day", "weekday", "yearday", "hour", "minute")
"""What a date can be given as: the days since the first one of the training part, and numbers of the calendar."""
COMMON: Final = ("elapsed", "month", "day", "weekday")
ISO: Final = "iso"
"""The way of writing with the year first: 2026-03-14, also with a time of day."""
ORDERS: Final = {"day": ("%d", "%m"), "month": ("%m", "%d")}
_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)? ?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_SHAPE: Final = re.compile(
    r"(\d{1,2}|\d{4}|[A-Za-z]{3,9})[-./ ](\d{1,2}|[A-Za-z]{3,9})[-./, ]{1,2}(\d{1,2}|\d{4})\b.*", re.ASCII
)
_NUMBERS: Final = [f"{a}{sign}{b}{sign}{year}" for sign in "/.-" for a, b in ORDERS.values() for year in ("%Y", "%y")]
_NAMES: Final = ["%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%d-%b-%y"]
_YEAR_FIRST: Final = ["%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d"]
YEAR_FIRST: Final = "%Y%m%d"
"""The way of writing of eight figures."""
_COMPACT: Final = re.compile(r"(19|20)\d{6}", re.ASCII)
PIVOT: Final = "69 to 99 for 1969 to 1999, and 00 to 68 for 2000 to 2068"
"""What Python takes years of two digits for."""
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def are_dates(cells: Sequence[str]) -> bool:
    """Whether all of these cells look like dates, in some way of writing."""
    return all(_SHAPE.fullmatch(text) or _ISO.fullmatch(text) for text in cells) and bool(ways(cells))


def are_compact(cells: Iterable[str]) -> bool:
    """Whether all of these cells are dates of eight figures: 20260314."""
    return all(_COMPACT.fullmatch(text) and parsed(text, YEAR_FIRST) for text in set(cells))


def ways(cells: Iterable[str], order: str | None = None) -> list[str]:
    """The ways of writing dates, as `strptime` knows them or ISO, that fit all of these cells."""
    cells = list(dict.fromkeys(cells))
    if all(parsed(text, ISO) for text in cells):
        return [ISO]
    if cells and are_compact(cells):
        return [YEAR_FIRST]
    found = [date + clock for date in (*_YEAR_FIRST, *_NUMBERS, *_NAMES) for clock in _CLOCKS]
    if order is not None:
        found = [way for way in found if way.startswith(ORDERS.get(order, ("%Y",))[0]) or "%b" in way.lower()]
    for text in cells:
        found = [way for way in found if parsed(text, way)]
        if not found:
            return []
    # %y reads no four figures, %B and %b both read "May": what is left differs in the order of day and month alone.
    return list({_order(way): way for way in reversed(found)}.values())[::-1]


def is_short(way: str) -> bool:
    """Whether years have two digits in this way of writing, which leaves their century open."""
    return "%y" in way


def parsed(text: str, way: str) -> datetime | None:
    """The date in a text, in UTC where it names a zone; None where it is written otherwise."""
    if way == ISO and not _ISO.fullmatch(text):
        return None
    try:
        if way == ISO:
            found = datetime.fromisoformat(text.replace(" +", "+").replace(" Z", "Z"))
        else:
            found = datetime.strptime(text, way)
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _order(way: str) -> str:
    """Day, month and year in the order of a way to write dates: `dmy`."""
    return re.sub("[^dmyb]", "", way.lower())[:3]


def numbers(text: str, way: str, parts: Sequence[str]) -> list[float]:
    """The parts of a date as numbers, all of them nan for an empty cell; `elapsed` counts from 1970."""
    found = parsed(text, way)
    if found is None:
        return [float("nan")] * len(parts)
    known = {
        "elapsed": (found - EPOCH).total_seconds() / DAY,
        "year": found.year,
        "month": found.month,
        "day": found.day,
        "weekday": found.weekday(),
        "yearday": found.timetuple().tm_yday,
        "hour": found.hour,
        "minute": found.minute,
    }
    return [float(known[part]) for part in parts]
