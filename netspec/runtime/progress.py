"""Tells a person how a run goes: a live bar on a terminal, one line an epoch elsewhere, always on stderr."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import inf
from typing import IO, Any, Protocol

from netspec.runtime.history import Record


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do."""

    epochs: int
    steps: int
    """Steps in an epoch."""
    samples: int
    """Samples in a step."""
    done: int = 0
    """Epochs that an earlier part of the run has done."""


class Progress(Protocol):
    """Who is told. `interval` is the time in seconds between two calls of `tick`."""

    interval: float

    def start(self, plan: Plan) -> None:
        """The run begins, or goes on."""

    def tick(self, epoch: int, step: int, loss: float) -> None:
        """So many epochs are done, so many steps of the next, and this is the newest loss."""

    def epoch(self, record: Record, best: bool) -> None:
        """An epoch has been measured; whether it is the best so far."""

    def warn(self, text: str) -> None:
        """Something that a person should know."""

    def close(self) -> None:
        """The run has ended, one way or another."""


class Silent:
    """Says nothing but warnings, which go to Python's warnings."""

    interval = inf

    def start(self, plan: Plan) -> None: ...

    def tick(self, epoch: int, step: int, loss: float) -> None: ...

    def epoch(self, record: Record, best: bool) -> None: ...

    def warn(self, text: str) -> None:
        import warnings

        warnings.warn(text, stacklevel=2)

    def close(self) -> None: ...


class Lines:
    """One line an epoch."""

    interval = inf

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stderr
        self.plan = Plan(0, 0, 0)

    def start(self, plan: Plan) -> None:
        self.plan = plan
        if plan.done:
            self._say(f"resumed after epoch {plan.done}")

    def tick(self, epoch: int, step: int, loss: float) -> None: ...

    def epoch(self, record: Record, best: bool) -> None:
        self._say(described(record, self.plan.epochs) + ("  best" if best else ""))

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}")

    def close(self) -> None: ...

    def _say(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


class Live:
    """A bar with the newest loss and the time left; an epoch's line stays above it."""

    interval = 0.2

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.console = Console(stderr=True)
        self.bar = Progress(*columns, TextColumn("{task.fields[loss]}"), console=self.console, transient=True)
        self.plan = Plan(0, 0, 0)
        self.task: Any = None

    def start(self, plan: Plan) -> None:
        self.plan = plan
        total = plan.epochs * plan.steps
        self.task = self.bar.add_task("training", total=total, completed=plan.done * plan.steps, loss="")
        self.bar.start()

    def tick(self, epoch: int, step: int, loss: float) -> None:
        done = epoch * self.plan.steps + step
        description = f"epoch {epoch + 1}/{self.plan.epochs}"
        self.bar.update(self.task, completed=done, description=description, loss=f"loss {loss:.4g}")

    def epoch(self, record: Record, best: bool) -> None:
        line = described(record, self.plan.epochs)
        self.console.print(line, style="bold" if best else None, markup=False, highlight=False)
        self.bar.update(self.task, completed=record["epoch"] * self.plan.steps)

    def warn(self, text: str) -> None:
        self.console.print(f"warning: {text}", style="yellow", markup=False, highlight=False)

    def close(self) -> None:
        self.bar.stop()


def progress_for(stream: IO[str] | None = None) -> Progress:
    """The way to tell that suits `stream`, which is stderr."""
    stream = stream or sys.stderr
    return Live() if stream.isatty() else Lines(stream)


def described(record: Record, epochs: int) -> str:
    """An evaluation on one line."""
    skipped = ("epoch", "step", "lr", "seconds", "samples_per_s")
    values = [
        f"{name} {value:.4f}" for name, value in record.items() if name not in skipped and isinstance(value, float)
    ]
    head = f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}"
    return "  ".join([head, *values, f"{record['samples_per_s']:,.0f} samples/s", f"{record['seconds']:.1f} s"])
