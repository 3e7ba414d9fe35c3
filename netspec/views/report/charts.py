"""Charts as SVG: lines, points and bars with their axes.

Plain SVG stands in a page of any size without a script, is text that can be searched and read aloud, and takes the
colours of the page, light or dark. The plotting libraries draw pictures of one scheme or bring megabytes of script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, isfinite, log10
from typing import Final

from markupsafe import Markup

from netspec.words import printable

WIDTH: Final = 360.0
HEIGHT: Final = 220.0
LEFT: Final = 52.0
RIGHT: Final = 14.0
TOP: Final = 22.0
BOTTOM: Final = 34.0
DRAWN: Final = 400
"""Points of a line that are drawn, at most; of more, the lowest and the highest of every stretch."""
TICKS: Final = (4, 5)
"""Stretches between the numbers of an axis, at most: across, where they stand beside each other, and up."""
NONE: Final = "-"
"""Stands for a number that there is not."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart, with what the legend calls it."""

    name: str
    points: Sequence[Point]
    """In the order of x; those that are not finite are gaps."""
    style: int = 0
    """Which of the page's colours and dashes it has."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with axes. Its `said` is for those who cannot see it."""

    title: str
    said: str
    x: str
    """What the horizontal axis counts."""
    y: str
    lines: Sequence[Line] = ()
    dots: Sequence[Point] = ()
    mark: Point | None = None
    """A point that is marked, such as the best epoch."""
    bars: Sequence[tuple[float, float, float]] = ()
    """From, to, and how high."""
    log: bool = False
    """Whether y goes by powers of ten."""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    even: bool = False
    """Whether a diagonal is drawn, on which both axes are the same."""
    counts: bool = False
    """Whether x counts something, so that there is nothing between whole numbers."""
    legend: Sequence[Line] = field(default=())

    def svg(self) -> Markup:
        """The chart as an element of a page."""
        return Markup("\n").join(_drawn(self))


def _drawn(chart: Chart) -> Iterator[Markup]:
    """The elements of a chart, from the back to the front."""
    across, up = _scales(chart)
    yield Markup('<svg class="chart" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">').format(
        WIDTH, HEIGHT, printable(f"{chart.title}. {chart.said}")
    )
    yield from _axes(chart, across, up)
    if chart.even:
        low, high = max(across.low, up.low), min(across.high, up.high)
        path = _path([(low, low), (high, high)], across, up)
        yield Markup('<path class="even" d="{}"/>').format(path)
    for start, stop, height in chart.bars:
        left, right, top, bottom = across(start), across(stop), up(height), up(max(up.low, 0.0))
        yield Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>').format(
            left + 0.5, top, max(right - left - 1, 0.5), max(bottom - top, 0)
        )
    for x, y in chart.dots:
        yield Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2"/>').format(across(x), up(y))
    for line in chart.lines:
        yield Markup('<path class="line s{}" d="{}"/>').format(line.style, _path(_thinned(line.points), across, up))
    if chart.mark is not None:
        yield Markup('<circle class="mark" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(
            across(chart.mark[0]), up(chart.mark[1])
        )
    yield Markup("</svg>")


class Scale:
    """From numbers to places on the paper."""

    def __init__(self, low: float, high: float, begin: float, end: float, log: bool = False, least: float = 0) -> None:
        self.low, self.high, self.begin, self.end, self.log, self.least = low, high, begin, end, log, least

    def __call__(self, value: float) -> float:
        low, high, at = (self._power(v) for v in (self.low, self.high, value))
        share = (at - low) / (high - low)
        return self.begin + min(max(share, 0.0), 1.0) * (self.end - self.begin)

    def _power(self, value: float) -> float:
        return log10(max(value, 1e-300)) if self.log else value

    def ticks(self, most: int) -> list[float]:
        """Round numbers along it, within its ends: multiples of 1, 2 or 5 times a power of ten, or powers of ten.

        They stand `least` apart, and make no more than about `most` stretches.
        """
        if self.log:
            powers = range(ceil(log10(self.low) - 1e-9), floor(log10(self.high) + 1e-9) + 1)
            return [10.0**p for p in powers[:: max(1, len(powers) // most)]] or [self.low]
        step = max(_round((self.high - self.low) / most), self.least)
        begin, end = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [i * step for i in range(begin, end + 1)]


def _round(value: float) -> float:
    """The next of 1, 2 and 5 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))


def _scales(chart: Chart) -> tuple[Scale, Scale]:
    """The scales of both axes, around all that is drawn."""
    points = [p for line in chart.lines for p in line.points] + [*chart.dots] + [*([chart.mark] if chart.mark else [])]
    xs = [x for x, y in points if isfinite(x) and isfinite(y)] + [x for bar in chart.bars for x in bar[:2]]
    ys = [y for x, y in points if isfinite(x) and isfinite(y) and (y > 0 or not chart.log)]
    ys += [height for *_, height in chart.bars] + [0.0] * bool(chart.bars)
    left, right = chart.x_range or _around(xs, 0.0)
    low, high = chart.y_range or (_powers(ys) if chart.log else _around(ys, 0.05))
    across = Scale(left, right, LEFT, WIDTH - RIGHT, least=1.0 if chart.counts else 0.0)
    return across, Scale(low, high, HEIGHT - BOTTOM, TOP, chart.log)


def _around(values: Sequence[float], room: float) -> tuple[float, float]:
    """The ends of an axis that has these numbers."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high - low <= abs(high) * 1e-9:
        return low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    return low - room * (high - low), high + room * (high - low)


def _powers(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis of powers of ten that has these numbers."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    return (low / 1.5, high * 1.5)


def _axes(chart: Chart, across: Scale, up: Scale) -> Iterator[Markup]:
    """The grid, its numbers, and what the axes are called: the upright one where the title does not say it."""
    if chart.y != chart.title:
        yield Markup('<text class="tick" x="2" y="10">{}</text>').format(printable(chart.y))
    for tick in up.ticks(TICKS[1]):
        y = up(tick)
        yield Markup('<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
            LEFT, WIDTH - RIGHT, y, y
        )
        yield Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 5, y + 3.5, number(tick)
        )
    for tick in across.ticks(TICKS[0]):
        yield Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            across(tick), HEIGHT - BOTTOM + 14, number(tick)
        )
    base = Markup('<line class="axis" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>')
    yield base.format(LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM)
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
        middle, HEIGHT - 4, printable(chart.x)
    )


def _path(points: Sequence[Point], across: Scale, up: Scale) -> str:
    """The path of a line; a point that is not finite breaks it."""
    words, pen = [], "M"
    for x, y in points:
        if not (isfinite(x) and isfinite(y)) or (up.log and y <= 0):
            pen = "M"
            continue
        words.append(f"{pen}{across(x):.1f},{up(y):.1f}")
        pen = "L"
    if len(words) == 1:  # one point alone is seen as a dot
        words.append("h0.1")
    return " ".join(words)


def _thinned(points: Sequence[Point]) -> Sequence[Point]:
    """As many points as can be told apart: of each stretch the lowest and the highest, in their order.

    So no peak is lost, and a line of any length takes the same room.
    """
    if len(points) <= DRAWN:
        return points
    size = 2 * len(points) / DRAWN
    kept: list[Point] = [points[0]]
    for i in range(DRAWN // 2):
        part = [p for p in points[int(i * size) : int((i + 1) * size)] if isfinite(p[1])]
        if part:
            ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
            kept += sorted(ends)
    return [*kept, points[-1]]


def number(value: float) -> str:
    """A number as people read it, with four digits at most where that says enough."""
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
