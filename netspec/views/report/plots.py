"""Plots that stand alone: a chart of the report, or its table of confusions, as an SVG with colours of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from markupsafe import Markup

from netspec.views.report.charts import HEIGHT, WIDTH, Chart
from netspec.views.report.page import Told
from netspec.views.report.panels import Square, curves, outputs
from netspec.words import printable

HEAD: Final = 40.0
"""The room above a chart for its title and what its lines are."""
SIDE: Final = 34.0
"""Of a field of a table of confusions."""
LETTER: Final = 7.0
FILES: Final = re.compile(r"[^a-z0-9]+")
"""What is no part of a file's name here."""


def plots(run: Told) -> Iterator[tuple[str, str]]:
    """The plots of a run as SVG, each with a name for its file."""
    taken: set[str] = set()
    charts = curves(run.course) if run.course.records else []
    found = outputs(run.found) if run.found else []
    drawn = [(chart.title, chart_alone(chart)) for chart in [*charts, *(c for output in found for c in output.charts)]]
    drawn += [("confusions", square_alone(output.square)) for output in found if output.square is not None]
    drawn += [("network", run.picture)] if run.picture else []
    for title, svg in drawn:
        name = FILES.sub("-", title.lower()).strip("-")[:60] or "plot"
        number = 1
        while f"{name}{f'-{number}' if number > 1 else ''}" in taken:
            number += 1
        taken.add(name := f"{name}{f'-{number}' if number > 1 else ''}")
        yield name, svg


def chart_alone(chart: Chart) -> str:
    """A chart with its title and its legend, in the light colours of the page."""
    inner = str(chart.svg()).replace("<svg ", f'<svg y="{HEAD:g}" width="{WIDTH:g}" height="{HEIGHT:g}" ', 1)
    words = Markup('<text x="12" y="16" class="title">{}</text>').format(printable(chart.title))
    x = 12.0
    for line in chart.legend:
        words += Markup('<path class="line s{}" d="M{:g},30 h20"/><text x="{:g}" y="34" class="tick">{}</text>').format(
            line.style, x, x + 25, printable(line.name)
        )
        x += 40 + LETTER * len(line.name)
    if not chart.legend:
        words += Markup('<text x="12" y="34" class="tick">{}</text>').format(printable(chart.said))
    return _document(WIDTH, HEIGHT + HEAD, f"{words}{inner}")


def square_alone(square: Square) -> str:
    """A table of confusions, the darker the more of its class."""
    left = 20 + LETTER * max((len(name) for name in square.classes), default=0)
    top = HEAD + left
    parts = [Markup('<text x="12" y="16" class="title">{}</text>').format(square.caption)]
    for i, (name, cells) in enumerate(square.rows):
        y = top + i * SIDE
        parts.append(
            Markup('<text x="{:g}" y="{:g}" text-anchor="end" class="tick">{}</text>').format(
                left - 6, y + SIDE / 2 + 4, printable(name)
            )
        )
        middle = left + (i + 0.5) * SIDE + 4
        parts.append(
            Markup('<text transform="translate({:g} {:g}) rotate(-90)" class="tick">{}</text>').format(
                middle, top - 6, printable(name)
            )
        )
        for j, (count, dark, right) in enumerate(cells):
            kind = "right" if right else "wrong"
            share = (4 + 3 * dark) / 100 if dark else 0
            parts.append(
                Markup(
                    '<rect x="{:g}" y="{:g}" width="{:g}" height="{:g}" class="{}" fill-opacity="{:g}"/>'
                    '<text x="{:g}" y="{:g}" text-anchor="middle" class="tick">{}</text>'
                ).format(
                    left + j * SIDE, y, SIDE, SIDE, kind, share, left + (j + 0.5) * SIDE, y + SIDE / 2 + 4, count or "·"
                )
            )
    size = SIDE * len(square.rows)
    return _document(left + size + 12, top + size + 12, "".join(map(str, parts)))


def _document(width: float, height: float, inner: str) -> str:
    """An SVG of this size."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    background = f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_style()}</style>{background}{inner}</svg>'


@cache
def _style() -> str:
    """The styles of the page's charts, with the colours put in."""
    folder = Path(__file__).parent.parent
    colours = dict(re.findall(r"--(\w+): (#\w+)", (folder / "light.css").read_text("utf-8")))
    charts = (folder / "charts.css").read_text("utf-8")
    more = (
        'text { font-family: "DejaVu Sans", Arial, sans-serif }'
        " .title { font-size: 13px; font-weight: 600; fill: var(--ink) }"
        " .right { fill: var(--right) } .wrong { fill: var(--wrong) } rect.right, rect.wrong { stroke: var(--rule) }"
    )
    return re.sub(r"var\(--(\w+)\)", lambda match: colours[match[1]], charts + more)
