"""The page: what a run was, how it went and what it found, put into the template beside this file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Any, Final

from netspec.views.pages import template
from netspec.views.report.charts import NONE, Chart, Line, number
from netspec.views.report.panels import Table, curves, outputs
from netspec.views.report.verdict import Course, advice, duration, sentence

MAX_PICTURE: Final = 300_000
"""Bytes of a picture of the network; a larger one is drawn with its levels closed."""
MAX_TEXT: Final = 100_000
"""Characters of a spec that are shown."""
LAST: Final = 20
"""Evaluations whose numbers stand in the table, at most: the first and the last ones."""


@dataclass(frozen=True, slots=True)
class Told:
    """A run as its report tells it."""

    name: str
    course: Course
    spec: str
    """Its text, with everything that was set on the command line."""
    again: str
    """The command that trains it once more."""
    about: str = ""
    """The network in a sentence."""
    picture: str = ""
    """The network as SVG."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    found: Mapping[str, Any] = field(default_factory=dict)
    """What was found sample by sample; empty before the run has ended."""
    ended: bool = True


def page(runs: Sequence[Told]) -> str:
    """The report of a run as HTML, or of several side by side."""
    return str(template("report/report.html").render(**(_one(runs[0]) if len(runs) == 1 else _several(runs))))


def _one(run: Told) -> dict[str, Any]:
    """What the page of one run says."""
    course = run.course
    return {
        "title": run.name,
        "verdict": sentence(course),
        "advice": list(advice(course)),
        "about": run.about,
        "charts": curves(course) if course.records else [],
        "outputs": outputs(run.found) if run.found else [],
        "measured_on": _measured_on(run.found),
        "records": _records(course.records),
        "picture": base64.b64encode(run.picture.encode()).decode() if run.picture else "",
        "spec": run.spec[:MAX_TEXT],
        "again": run.again,
        "environment": [(str(key), str(value)) for key, value in run.environment.items()],
        "ended": run.ended,
        "runs": [],
        "differences": [],
    }


def _measured_on(found: Mapping[str, Any]) -> str:
    """On what data the findings are."""
    if not found:
        return ""
    count, of = int(found["samples"]), int(found["of"])
    part = "the validation data" if found["part"] == "val" else "the data that it learnt from, as none is held out"
    return f"By the best weights, on {'all' if count == of else f'the first {count:,} of'} {of:,} samples of {part}."


def _records(records: Sequence[Mapping[str, Any]]) -> Table | None:
    """The numbers of the first and the last evaluations."""
    names = list(dict.fromkeys(name for r in records for name, v in r.items() if isinstance(v, int | float)))
    if not records:
        return None
    some = records if len(records) <= LAST else [*records[: LAST // 4], *records[-(LAST - LAST // 4) :]]
    rows = [[number(r[n]) if isinstance(r.get(n), int | float) else NONE for n in names] for r in some]
    left = len(records) - len(some)
    caption = f"Evaluations, {left:,} between the first and the last left out" if left else "Evaluations"
    return Table(caption, names, rows)


# --- several ------------------------------------------------------------------------------------


def _several(runs: Sequence[Told]) -> dict[str, Any]:
    """What the page of several runs says: their best values, their curves over each other, how their specs differ."""
    found = _one(runs[0])
    best = [_best(run) for run in runs]
    heads = ["run", "best", "value", "in epoch", "evaluations", "time"]
    rows = [[run.name, *cells] for run, cells in zip(runs, best, strict=True)]
    found |= dict.fromkeys(("picture", "spec", "again", "about"), "")
    found["title"] = f"{len(runs)} runs"
    found["verdict"] = _first(runs)
    found["advice"], found["outputs"], found["environment"], found["records"] = [], [], [], None
    found["charts"] = _together(runs)
    found["runs"] = [Table("Best values", heads, rows)]
    found["differences"] = [(run.name, "".join(_difference(runs[0], run))) for run in runs[1:]]
    return found


def _best(run: Told) -> list[str]:
    """The best value of a run, and how it came to it."""
    course, best = run.course, run.course.best
    watched = NONE if course.by_turns else course.monitor
    value = NONE if best is None or course.by_turns else number(best[course.monitor])
    return [watched, value, str(best["epoch"]) if best else NONE, f"{len(course.records):,}", duration(course.seconds)]


def _first(runs: Sequence[Told]) -> str:
    """Which run is ahead, where they watch one value."""
    courses = [run.course for run in runs]
    if len({(c.monitor, c.goal) for c in courses}) > 1 or any(c.best is None for c in courses):
        return "The runs watch different values, so none of them is ahead."
    if courses[0].by_turns:
        return "No loss says which weights of players are best, so none of the runs is ahead."
    monitor, choose = courses[0].monitor, min if courses[0].goal == "min" else max
    ahead = choose(runs, key=lambda run: (run.course.best or {})[monitor])
    return f"{ahead.name} is ahead: {sentence(ahead.course)}"


def _together(runs: Sequence[Told]) -> list[Chart]:
    """A chart for each value of validation, or of training where none was measured, with a line for each run."""
    held = [{chart.title: chart for chart in curves(run.course)} for run in runs]
    charts = []
    for title in dict.fromkeys(title for each in held for title in each):
        lines = []
        for place, (run, each) in enumerate(zip(runs, held, strict=True)):
            if title in each:
                line = max(each[title].lines, key=lambda one: one.name.startswith("val."))
                lines.append(Line(run.name, line.points, 1 + place % 7))
        first = next(each[title] for each in held if title in each)
        said = "; ".join(f"{line.name} ends at {number(line.points[-1][1])}" for line in lines)
        name = max(one.name for one in first.lines)
        name = name if name.startswith(("train.", "val.")) else title
        charts.append(Chart(name, said, first.x, name, lines, log=first.log, counts=True, legend=lines))
    return charts


def _difference(one: Told, other: Told) -> list[str]:
    """The lines in which the spec of a run differs from that of the first."""
    before, after = (run.spec[:MAX_TEXT].splitlines(keepends=True) for run in (one, other))
    return list(unified_diff(before, after, one.name, other.name, n=1)) or ["the same spec"]
