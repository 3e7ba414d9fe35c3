"""The progress display: a live bar on a terminal, one line an epoch elsewhere, always on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from threading import RLock
from typing import IO, Final, Protocol

from netspec.runtime.train.history import Record, Watch

BOLD: Final = "\x1b[1m"
YELLOW: Final = "\x1b[33m"
PLAIN: Final = "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do."""

    epochs: int
    """Of the whole run, those behind it among them."""
    steps: int
    """Steps in an epoch."""
    total: int
    """Steps in all."""
    done: int
    """Steps that an earlier part of the run has done."""
    samples: int
    """Samples in a step."""
    best: Watch
    """Follows the value that chooses the best weights."""
    about: str = ""
    """Where what is trained on what."""


class Progress(Protocol):
    """Who is told. `interval` is the time in seconds between two calls of `tick`."""

    interval: float

    def tell(self, lines: Sequence[str]) -> None:
        """What a person should know before it begins, such as what was made of the data."""

    def start(self, plan: Plan) -> None:
        """The run begins, or goes on."""

    def tick(self, epoch: int, step: int, loss: float) -> None:
        """So many epochs are done, so many steps of the next, and this is the newest loss."""

    def measured(self, record: Record, best: bool) -> None:
        """A record has been made; whether it is the best so far."""

    def warn(self, text: str) -> None:
        """Something that a person should know."""

    def close(self) -> None:
        """The run has ended, one way or another."""


class Silent:
    """Says nothing but warnings, which go to Python's warnings."""

    interval = inf

    def tell(self, lines: Sequence[str]) -> None: ...

    def start(self, plan: Plan) -> None: ...

    def tick(self, epoch: int, step: int, loss: float) -> None: ...

    def measured(self, record: Record, best: bool) -> None: ...

    def warn(self, text: str) -> None:
        """Warn as Python does, so that a program may catch it."""
        import warnings

        warnings.warn(text, stacklevel=2)

    def close(self) -> None: ...


class Lines:
    """One line an epoch, and one for each evaluation within it."""

    interval = inf

    def __init__(self, stream: IO[str] | None = None) -> None:
        self.stream = stream or sys.stderr

    def tell(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._say(line)

    def start(self, plan: Plan) -> None:
        self.plan = plan
        for line in opening(plan):
            self._say(line)

    def tick(self, epoch: int, step: int, loss: float) -> None: ...

    def measured(self, record: Record, best: bool) -> None:
        self._say(described(record, self.plan) + ("  best" if best else ""))

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}")

    def close(self) -> None: ...

    def _say(self, text: str) -> None:
        """One line, at once."""
        print(text, file=self.stream, flush=True)


class Live:
    """A bar with the time left, the speed, the newest loss and the best value; records stay above it."""

    interval = 0.2

    def __init__(self, stream: IO[str] | None = None) -> None:
        """Draw on `stream`, else on the standard error."""
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # no thread that looks after the bar
        tqdm.set_lock(RLock())  # its own would be for several processes
        self.stream = stream or sys.stderr
        self.bar = tqdm(disable=True)

    def tell(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._say(line)

    def start(self, plan: Plan) -> None:
        self.plan = plan
        self.bar = type(self.bar)(
            total=plan.total, initial=plan.done, file=self.stream, leave=False, dynamic_ncols=True, mininterval=0,
            desc="training", bar_format="{desc} {bar} {remaining}",
        )  # fmt: skip
        for line in opening(plan):
            self._say(line)

    def tick(self, epoch: int, step: int, loss: float) -> None:
        self._move(epoch + 1, epoch * self.plan.steps + step, loss)

    def measured(self, record: Record, best: bool) -> None:
        self._say(described(record, self.plan), BOLD if best else "")
        self._move(record["epoch"], record["step"], record["train.loss"])

    def warn(self, text: str) -> None:
        self._say(f"warning: {text}", YELLOW)

    def close(self) -> None:
        self.bar.close()

    def _say(self, text: str, style: str = "") -> None:
        """A line above the bar, in a style where colours are welcome."""
        plain = not style or os.environ.get("NO_COLOR")
        self.bar.write(text if plain else f"{style}{text}{PLAIN}", file=self.stream)

    def _move(self, epoch: int, done: int, loss: float) -> None:
        """Move the bar to `done` steps, with speed, loss and the best value so far behind it."""
        speed, best = self.bar.format_dict["rate"], self.plan.best.best
        values = [f"{speed * self.plan.samples:,.0f} samples/s"] if speed else []
        values += [f"loss {loss:.4g}"] + ([f"best {best:.4f}"] if best is not None else [])
        self.bar.bar_format = "  ".join(["{desc} {bar} {remaining}", *values])
        self.bar.set_description_str(f"epoch {epoch}/{self.plan.epochs}", refresh=False)
        self.bar.update(done - self.bar.n)


def opening(plan: Plan) -> list[str]:
    """What is said before the first step."""
    return [line for line in (resumed(plan) if plan.done else "", plan.about) if line]


def resumed(plan: Plan) -> str:
    """Where a run goes on."""
    epochs, steps = divmod(plan.done, plan.steps)
    within = f"step {steps:,} of epoch {epochs + 1}" if steps else f"epoch {epochs}"
    return f"resumed after {within}"


def described(record: Record, plan: Plan) -> str:
    """A record on one line."""
    skipped = ("epoch", "step", "lr", "grad_norm", "seconds", "samples_per_s")
    values = [
        f"{name} {value:.4f}" for name, value in record.items() if name not in skipped and isinstance(value, float)
    ]
    head = f"epoch {record['epoch']:>{len(str(plan.epochs))}}/{plan.epochs}"
    within = record["step"] - (record["epoch"] - 1) * plan.steps
    if within != plan.steps:
        head += f" step {within:>{len(str(plan.steps))}}/{plan.steps}"
    return "  ".join([head, *values, f"{record['samples_per_s']:,.0f} samples/s", f"{record['seconds']:.1f} s"])
