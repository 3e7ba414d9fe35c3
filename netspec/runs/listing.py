"""Lists of runs: those in a folder, with the best value of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netspec.errors import NetspecError, UsageError
from netspec.files import kind, shown
from netspec.runs.report import read
from netspec.text.report import SpecError
from netspec.views.report.charts import NONE, number
from netspec.views.report.verdict import Course, duration
from netspec.words import offered, one_line, printable


@dataclass(frozen=True, slots=True)
class Listed:
    """A run of a list."""

    folder: Path
    course: Course | None = None
    """None for a folder that cannot be read as a run."""
    reason: str = ""
    """Why not."""

    def value(self, name: str) -> float | None:
        """The best of a value; None where it was not measured."""
        if self.course is None or not any(name in record for record in self.course.records):
            return None
        course = self.course.watching(name)
        return float(course.best[name]) if course.best is not None else None

    def plain(self) -> dict[str, Any]:
        """It as plain data."""
        if self.course is None:
            return {"run": str(self.folder), "fault": self.reason}
        best = self.course.best or {}
        turns = self.course.by_turns
        return {
            "run": str(self.folder),
            "monitor": None if turns else self.course.monitor,
            "best": None if turns else best.get(self.course.monitor),
            "epoch": best.get("epoch"),
            "evaluations": len(self.course.records),
            "seconds": self.course.seconds,
        }


def listed(folder: Path, by: str | None = None) -> list[Listed]:
    """The runs in a folder, or the one that it is, the newest last, or those with the best of a value first.

    Raises UsageError where there is no such folder, or no run has measured the value.
    """
    if kind(folder) != "folder":
        raise UsageError(f"there is no folder {shown(folder)} of runs")
    inside = [folder] if kind(folder / "metrics.jsonl") == "file" else folder.iterdir()
    places = [each for each in inside if kind(each) == "folder" and kind(each / "spec.yaml") == "file"]
    found = [_run(place) for place in sorted(places, key=lambda place: ((place / "spec.yaml").stat().st_mtime, place))]
    if by is None:
        return found
    if found and all(each.value(by) is None for each in found):
        names = {name for each in found if each.course for record in each.course.records for name in record}
        raise UsageError(f"no run has measured {by!r}. {offered(by, sorted(names))}")
    goal = next((each.course.goal_of(by) for each in found if each.course), "min")
    worst = float("inf")
    return sorted(found, key=lambda each: worst if (v := each.value(by)) is None else v if goal == "min" else -v)


def _run(folder: Path) -> Listed:
    """One of them, as far as it can be read."""
    try:
        return Listed(folder, read(folder).course)
    except SpecError as error:
        worst = next(problem for problem in error.problems if problem.severity == "error")
        return Listed(folder, None, one_line(f"its spec does not fit: {worst.message}"))
    except NetspecError as error:
        return Listed(folder, None, one_line(str(error)))


def table(runs: Sequence[Listed], by: str | None = None) -> Iterator[str]:
    """The lines of a table of runs."""
    if not runs:
        return
    heads = ["run", "best", "", "epoch", "evaluations", "time"]
    rows = [heads, *(_row(run, by) for run in runs)]
    widths = [max(len(row[i]) for row in rows if len(row) > 2) for i in range(len(heads))]
    for row in rows:
        left, right = row[:2], row[2:] if len(row) > 2 else ()
        cells = [f"{cell:{width}}" for cell, width in zip(left, widths, strict=False)]
        cells += [f"{cell:>{width}}" for cell, width in zip(right, widths[2:], strict=False)]
        yield "  ".join(cells).rstrip()


def _row(run: Listed, by: str | None) -> list[str]:
    """The cells of a run; its name and why it cannot be read, where it cannot."""
    name = printable(str(run.folder))
    if run.course is None:
        return [name, run.reason]
    course = run.course if by is None else run.course.watching(by)
    best = course.best
    monitor = NONE if course.by_turns else course.monitor
    value = NONE if best is None or course.by_turns else number(best[course.monitor])
    epoch = str(best["epoch"]) if best else NONE
    return [name, monitor, value, epoch, f"{len(course.records):,}", duration(course.seconds)]
