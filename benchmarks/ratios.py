"""Times two ways of doing one thing in turns, and prints what was found beside what is promised.

Whatever slows a machine for a while slows both of a pair alike: a ratio of neighbours says more than two times do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

Work = Callable[[], float]
"""Does a thing once and returns what it cost, in seconds or any other unit."""


def timed(action: Callable[[], object], times: int = 1) -> Work:
    """Work that does `action` `times` over and returns the seconds of one."""

    def work() -> float:
        start = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - start) / times

    return work


@dataclass(frozen=True, slots=True)
class Pairs:
    """What two ways cost, pair by pair."""

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios."""
        return median(a / b for a, b in zip(self.first, self.second, strict=True))

    @property
    def fastest(self) -> float:
        """The ratio of the cheapest of each, which a busy machine disturbs least."""
        return min(self.first) / min(self.second)

    def __str__(self) -> str:
        """The medians of works that return seconds: `0.41 against 0.42 ms`."""
        first, second = median(self.first), median(self.second)
        high = max(first, second)
        scale, unit = (1, "s") if high >= 1 else (1e3, "ms") if high >= 1e-3 else (1e6, "us")
        return f"{first * scale:.3g} against {second * scale:.3g} {unit}"


def pairs(first: Work, second: Work, count: int) -> Pairs:
    """Both works `count` times in turns, each pair in the other order; a pair before them only warms up."""
    found: list[tuple[float, float]] = []
    for number in range(count + 1):
        if number % 2:
            found.append((first(), second()))
        else:
            later = second()
            found.append((first(), later))
    return Pairs(*zip(*found[1:], strict=True))


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what it is of, what was found, and the bound that it is held to, if there is one.

    None was found where a thing could not be measured here; the note says why.
    """

    name: str
    found: float | None
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""
    unit: str = ""

    @property
    def kept(self) -> bool:
        if self.found is None:
            return True
        return (self.at_most is None or self.found <= self.at_most) and (
            self.at_least is None or self.found >= self.at_least
        )

    @property
    def shown(self) -> str:
        return "not measured" if self.found is None else f"{self.found:.3g}{self.unit}"

    @property
    def target(self) -> str:
        if self.at_most is None and self.at_least is None:
            return ""
        bound = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        return f"{bound}{self.unit}{'' if self.kept else '  MISSED'}"


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned lines under their heads."""
    cells = [("", "found", "target", "")]
    cells += [(row.name, row.shown, row.target, row.note) for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def report(rows: Sequence[Row]) -> None:
    """Print the table, and end the program: with 1 where a bound is missed."""
    print(table(rows))
    sys.exit(not all(row.kept for row in rows))
