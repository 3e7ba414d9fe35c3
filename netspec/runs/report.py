"""Reports: what the folder of a run holds, read again and written as one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError
from netspec.files import kind, shown, write_bytes, write_text
from netspec.json_text import json_text
from netspec.plugins.loading import need
from netspec.runtime.store.notes import need_plain, read_note
from netspec.runtime.store.origin import origin_of
from netspec.runtime.store.own import FINDINGS, OWN, REPORT, no_run
from netspec.runtime.store.records import records_in
from netspec.runtime.train.history import Record, Watch
from netspec.runtime.train.progress import Plan, Progress
from netspec.spec import Spec
from netspec.tensors import Tensor
from netspec.views.report import page
from netspec.views.report.page import MAX_PICTURE, Told
from netspec.views.report.verdict import Course
from netspec.words import in_shell

SHARE: Final = 0.01
"""Of the time of a run, what writing its report while it goes on may take, and as much the look at its data."""
LOOK: Final = 0.5
"""Seconds that the data of a short run is looked at, at most."""


class Reporting:
    """Tells another of a run's progress, and keeps the report in the run's folder up to date.

    Writing takes a hundredth of the run's time at most: where evaluations follow each other faster, some are left to
    the next. What goes wrong is told once, and never ends a run.
    """

    def __init__(self, under: Progress, folder: Path, spec: Spec) -> None:
        self.under, self.folder, self.spec = under, folder, spec
        self.interval = under.interval
        self.told: Told | None = None
        self.began = time.perf_counter()
        self.spent = 0.0
        self.late = False
        """Whether something was measured that the page does not say yet."""
        self.failed = False

    def tell(self, lines: Sequence[str]) -> None:
        """What a person should know before it begins."""
        self.under.tell(lines)

    def start(self, plan: Plan) -> None:
        """The run begins, or goes on."""
        self.under.start(plan)
        self.best = plan.best
        self.began = time.perf_counter()

    def tick(self, epoch: int, step: int, loss: float) -> None:
        """So many epochs are done, so many steps of the next."""
        self.under.tick(epoch, step, loss)

    def measured(self, record: Record, best: bool) -> None:
        """An evaluation has been made, and is in the folder."""
        self.under.measured(record, best)
        self.late = True
        if self.spent <= SHARE * (time.perf_counter() - self.began):
            self.write(ended=False)

    def warn(self, text: str) -> None:
        """Something that a person should know."""
        self.under.warn(text)

    def close(self) -> None:
        """The run has ended, one way or another."""
        self.under.close()

    def __enter__(self) -> None:
        """Around the run: what was measured before it was stopped, or failed, is written."""

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None and self.late:
            self.write(ended=False)

    def end(self, look: Callable[[float], Mapping[str, Any]], took: float) -> None:
        """Write the last page of a run that `took` so many seconds, with what a `look` at the data finds."""
        try:
            write_text(self.folder / FINDINGS, json_text(look(max(LOOK, SHARE * took))) + "\n")
        except Exception as error:  # no run is lost for its report
            self.warn(f"{REPORT} is without what the network gets wrong: {type(error).__name__}, {error}")
        self.write(ended=True)

    def write(self, *, ended: bool) -> None:
        """Write the page from what is in the folder, in the time that writing may take."""
        if self.failed:
            return
        began = time.perf_counter()
        try:
            self.told = self.told or told(self.folder, self.spec, self.best, ended=ended)
            self.told = renewed(self.told, self.folder, ended=ended)
            write_text(self.folder / REPORT, page([self.told]))
            self.late = False
        except Exception as error:  # no run is lost for its report
            self.failed = True
            self.warn(f"{REPORT} cannot be written: {type(error).__name__}, {error}")
        self.spent += time.perf_counter() - began


def told(folder: Path, spec: Spec, best: Watch | None = None, *, ended: bool = True) -> Told:
    """A run as its report tells it; `best` follows what chooses its best weights, where that is known."""
    train = spec.experiment.train
    records = records_in(folder)
    monitor = best.monitor if best is not None else train.best if train is not None else "val.loss"
    if best is None and not any(monitor in record for record in records):
        monitor = "train.loss"
    data = spec.experiment.data
    course = Course(
        folder=str(folder),
        monitor=monitor,
        goal=train.goal(monitor) if train is not None else "min",
        records=records,
        epochs=train.epochs or 0 if train is not None else 0,
        augments=bool(data is not None and data.augment) or not any(_is_image(t) for t in spec.graph.inputs.values()),
        drops=any(step.op is not None and step.op.drops for step in spec.graph.root.walk()),
        stops=bool(train is not None and train.early_stop),
        goals={m.label: m.goal for m in train.metrics if m.goal} if train is not None else {},
    )
    name = f"{spec.name}: {folder.name}" if folder.name else spec.name
    file, words = origin_of(folder)
    environment = folder / "environment.json"
    return Told(
        name=name,
        course=course,
        spec=(folder / "spec.yaml").read_text("utf-8") if kind(folder / "spec.yaml") else spec.text,
        again=in_shell("netspec", "train", file, *words),
        about=f"{spec.graph.in_words}.",
        picture=_picture(spec),
        environment=read_note(environment, lambda note: "" if isinstance(note, dict) else "expected a mapping")
        if kind(environment)
        else {},
        found=_found(folder) if ended else {},
        ended=ended,
    )


def renewed(run: Told, folder: Path, *, ended: bool) -> Told:
    """The same with what has been measured since, and with what was found where it has ended."""
    course = replace(run.course, records=records_in(folder))
    return replace(run, course=course, found=_found(folder) if ended else {}, ended=ended)


def read(folder: Path) -> Told:
    """The run in a folder as its report tells it. Raises UsageError where there is none, DataError and SpecError."""
    if not kind(folder / "spec.yaml"):
        raise no_run(folder)
    need_plain(folder, OWN)
    need(folder)
    return told(folder, Spec.load(folder / "spec.yaml"))


def write_report(runs: Sequence[Path], path: Path) -> None:
    """Write the page of the run in a folder, or of several side by side.

    Raises UsageError where there is no run, DataError and SpecError for what no run leaves.
    """
    found = [read(run) for run in runs]
    try:
        text = page(found)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        files = " or ".join(shown(run / FINDINGS) for run in runs)
        raise DataError(f"{files} is not as a run leaves it: {type(error).__name__}, {error}") from None
    write_text(path, text)


def write_plots(run: Path, folder: Path) -> int:
    """Write the plots of the run in a folder as PNG into another, and return how many.

    Raises UsageError where there is no run, or the package that draws them is not installed; DataError and SpecError.
    """
    from netspec.views.png import png
    from netspec.views.report.plots import plots

    drawn = {name: png(svg) for name, svg in plots(read(run))}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in drawn.items():
        write_bytes(folder / f"{name}.png", data)
    return len(drawn)


def _is_image(given: Tensor) -> bool:
    """Whether an input is channels x height x width, which is what augmenting is for."""
    return len(given.shape) == 4 and given.dtype == "float32"


def _picture(spec: Spec) -> str:
    """The network as SVG: whole, or with its levels closed where that is large."""
    from netspec.views.picture import picture

    for depth in (None, 2, 1):
        drawn = picture(spec.graph, depth)
        if len(drawn) <= MAX_PICTURE:
            return drawn
    return ""


def _found(folder: Path) -> dict[str, Any]:
    """What was found sample by sample; nothing where that is not kept."""
    path = folder / FINDINGS
    if not kind(path):
        return {}
    kept: dict[str, Any] = read_note(path, lambda note: "" if isinstance(note, dict) else "expected a mapping")
    return kept
