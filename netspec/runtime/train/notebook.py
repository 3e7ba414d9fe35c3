"""The progress of a run in a notebook: its curves, drawn anew in their place as it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from netspec.runtime.train.history import Record
from netspec.runtime.train.progress import Plan, opening
from netspec.views.notebook import piece
from netspec.views.report.panels import curves
from netspec.views.report.verdict import Course, duration, sentence

SHARE: Final = 0.01
"""Of the time of a run, what drawing it may take."""


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Plots:
    """Curves that grow in one place. Where they would take too long, some evaluations wait for the next drawing."""

    interval = 0.5

    def __init__(self) -> None:
        """Nothing is drawn before the run begins."""
        self.display = import_module("IPython.display")
        self.handle: Any = None
        self.said: list[str] = []
        self.records: list[Record] = []
        self.began, self.spent = time.perf_counter(), 0.0

    def tell(self, lines: Sequence[str]) -> None:
        """Keep what a person should know, to stand above the curves."""
        self.said += lines

    def start(self, plan: Plan) -> None:
        """Draw where the curves will be."""
        self.plan = plan
        self.said += opening(plan)
        self._draw("")

    def tick(self, epoch: int, step: int, loss: float) -> None:
        """Say how far it is, and how long it will still take."""
        done = epoch * self.plan.steps + step
        left = (time.perf_counter() - self.began) / max(done - self.plan.done, 1) * (self.plan.total - done)
        self._offer(f"Epoch {epoch + 1} of {self.plan.epochs}, loss {loss:.4g}, {duration(left)} left.")

    def measured(self, record: Record, best: bool) -> None:
        """Draw an evaluation, or leave it to the next drawing."""
        self.records.append(record)
        self._offer(f"Epoch {record['epoch']} of {self.plan.epochs}.")

    def warn(self, text: str) -> None:
        """Say it above the curves."""
        self.said.append(f"warning: {text}")
        if self.handle is not None:
            self._draw("")

    def close(self) -> None:
        """Draw the last of it, where it was not drawn."""
        self._draw("")

    def _offer(self, line: str) -> None:
        """Draw what is new, if there is time for it."""
        if self.spent <= SHARE * (time.perf_counter() - self.began):
            self._draw(line)

    def _draw(self, line: str) -> None:
        """Draw everything in its place."""
        began = time.perf_counter()
        watch = self.plan.best
        course = Course("", watch.monitor, watch.goal, self.records, self.plan.epochs)
        lines = [*self.said, sentence(course) if self.records else "", line]
        charts = curves(course) if self.records else ()
        drawn = self.display.HTML(piece("Training", [*filter(None, lines)], charts=charts))
        if self.handle is None:
            self.handle = self.display.display(drawn, display_id=True)
        else:
            self.handle.update(drawn)
        self.spent += time.perf_counter() - began
