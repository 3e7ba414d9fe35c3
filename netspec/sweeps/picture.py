"""A sweep as a picture: the metric by trial, and by each of the values that were tried. SVG, written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from netspec.sweeps.results import Sweep, Trial, written
from netspec.sweeps.space import Choice

WIDTH, HEIGHT = 380, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 18, 34, 44
TEXT, LINE, POINT, BEST, NONE = "#333", "#ddd", "#3b6ea8", "#d1672b", "#bbb"
PER_ROW = 3


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers along one side of a panel: from `low` to `high`, by difference or by ratio."""

    low: float
    high: float
    log: bool = False

    @classmethod
    def over(cls, values: Sequence[float], log: bool = False) -> Scale:
        """A scale that holds all values, with some room at both ends."""
        low, high = min(values), max(values)
        if log:
            room = (high / low) ** 0.05 if high > low else 2
            return cls(low / room, high * room, True)
        room = (high - low) * 0.05 or abs(high) * 0.1 or 1
        return cls(low - room, high + room)

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.log:
            return log10(value / self.low) / log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """A few round numbers on the scale, as they are written."""
        if self.log:
            tens = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
            factors = (1,) if len(tens) > 4 else (1, 2, 5) if len(tens) > 2 else range(1, 10)
            found = [factor * 10.0**ten for ten in tens for factor in factors]
        else:
            step = 10 ** floor(log10((self.high - self.low) / 4))
            step *= next(m for m in (1, 2, 5, 10) if (self.high - self.low) / (step * m) <= 5)
            found = [i * step for i in range(ceil(self.low / step), floor(self.high / step) + 1)]
        return [(value, f"{value:.6g}") for value in found if self.low <= value <= self.high]


@dataclass(frozen=True, slots=True)
class Columns:
    """Words along one side of a panel."""

    words: tuple[str, ...]

    def share(self, value: float) -> float:
        """Where a column's middle is, from 0 to 1."""
        return (value + 0.5) / len(self.words)

    def ticks(self) -> list[tuple[float, str]]:
        """Each column and its word, cut where there is no room for it."""
        longest = max(3, 44 // len(self.words))
        shown = (word if len(word) <= longest else f"{word[: longest - 1]}…" for word in self.words)
        return list(enumerate(shown))


@dataclass(frozen=True, slots=True)
class Mark:
    """A trial in a panel. Without a value it lies on the bottom line."""

    x: float
    y: float | None
    trial: Trial
    best: bool


def picture(sweep: Sweep) -> str:
    """The SVG of a sweep."""
    panels = list(_panels(sweep))
    rows = ceil(len(panels) / PER_ROW)
    width, height = min(len(panels), PER_ROW) * WIDTH, rows * HEIGHT + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' font-family="sans-serif" font-size="11" fill="{TEXT}">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="14" y="22" font-size="14" font-weight="bold">{escape(_title(sweep))}</text>',
    ]
    if any(trial.value is None for trial in sweep.trials):
        lines.append(f'<text x="{width - RIGHT}" y="22" text-anchor="end">\u00d7 not trained to the end</text>')
    for i, panel in enumerate(panels):
        x, y = i % PER_ROW * WIDTH, i // PER_ROW * HEIGHT + 34
        lines += [f'<g transform="translate({x} {y})">', *panel, "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _title(sweep: Sweep) -> str:
    """What was swept, how many trials there are, and the best of them."""
    valued = len(sweep.ranked)
    best = (
        f", best {written(sweep.best.value)} in trial {sweep.best.number}"
        if sweep.best and sweep.best.value is not None
        else ""
    )
    return f"{sweep.name}: {sweep.metric} of {valued} in {len(sweep.trials)} trials{best}"


def _panels(sweep: Sweep) -> Iterator[list[str]]:
    """The lines of each panel: by trial, then by axis."""
    values = [t.value for t in sweep.ranked if t.value is not None] or [0.0]
    up = Scale.over(values, log=min(values) > 0 and max(values) / min(values) > 50)
    numbers = [float(trial.number) for trial in sweep.trials] or [1.0]
    along: Scale | Columns = Scale.over(numbers)
    marks = [Mark(t.number, t.value, t, t is sweep.best) for t in sweep.trials]
    yield [*_frame("trial", sweep.metric, along, up), *_record(sweep, along, up), *_marks(marks, along, up)]
    for axis in sweep.axes:
        tried = [(trial, trial.tried[axis.path]) for trial in sweep.trials if trial.tried]
        if isinstance(axis, Choice):
            along = Columns(axis.values)
            places = [float(axis.values.index(text)) for _, text in tried]
        else:
            along = Scale.over([axis.low, axis.high], axis.log)
            places = [float(text) for _, text in tried]
        marks = [Mark(x, t.value, t, t is sweep.best) for x, (t, _) in zip(places, tried, strict=True)]
        yield [*_frame(axis.path, "", along, up), *_marks(marks, along, up)]


def _at(along: Scale | Columns, value: float) -> float:
    """A value's place along the picture, in its units."""
    return LEFT + along.share(value) * (WIDTH - LEFT - RIGHT)


def _height(up: Scale, value: float) -> float:
    """A value's height in the picture; SVG counts from the top."""
    return HEIGHT - BOTTOM - up.share(value) * (HEIGHT - TOP - BOTTOM)


def _frame(below: str, beside: str, along: Scale | Columns, up: Scale) -> Iterator[str]:
    """The lines, numbers and names around a panel."""
    for value, text in up.ticks():
        y = _height(up, value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{LINE}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(text)}</text>'
    for value, text in along.ticks():
        yield f'<text x="{_at(along, value):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{escape(text)}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 6}" text-anchor="middle" font-weight="bold">{escape(below)}</text>'
    if beside:
        yield f'<text x="{LEFT - 48}" y="{TOP - 12}" font-weight="bold">{escape(beside)}</text>'


def _record(sweep: Sweep, along: Scale | Columns, up: Scale) -> Iterator[str]:
    """The best value so far, as a line of steps."""
    best: float | None = None
    path = ""
    for trial in sweep.trials:
        if trial.value is None:
            continue
        x, before = _at(along, trial.number), best
        better = best is None or (trial.value > best if sweep.goal == "max" else trial.value < best)
        best = trial.value if better else best
        assert best is not None
        path += f"M{x:.1f} {_height(up, best):.1f}" if before is None else f"H{x:.1f}V{_height(up, best):.1f}"
    if path:
        yield f'<path d="{path}" fill="none" stroke="{BEST}" stroke-opacity="0.6"/>'


def _marks(marks: Sequence[Mark], along: Scale | Columns, up: Scale) -> Iterator[str]:
    """The trials, the best on top; each says what it is where the pointer rests on it."""
    for mark in sorted(marks, key=lambda mark: mark.best):
        x, trial = _at(along, mark.x), mark.trial
        value = "" if trial.value is None else written(trial.value)
        said = f"trial {trial.number}: {value or trial.reason or trial.end}  {' '.join(trial.overrides)}"
        title = f"<title>{escape(said)}</title>"
        if mark.y is None:
            y = HEIGHT - BOTTOM
            yield f'<path d="M{x - 3:.1f} {y - 3}l6 6m0 -6l-6 6" stroke="{NONE}" fill="none">{title}</path>'
        else:
            color, radius = (BEST, 5) if mark.best else (POINT, 3.5)
            place = f'cx="{x:.1f}" cy="{_height(up, mark.y):.1f}" r="{radius}"'
            yield f'<circle {place} fill="{color}" fill-opacity="0.8">{title}</circle>'
