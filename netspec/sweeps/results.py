"""Results of a sweep: its trials, the best of them, and both as a table and as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from netspec.displays import Displayed
from netspec.sweeps.space import Axis

Goal = Literal["min", "max"]
End = Literal["trained", "same", "unfit", "too large", "pruned", "diverged", "failed", "running"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination, and how it ended."""

    number: int
    """Counted from 1."""
    end: End
    """`same` is a network that an earlier trial trained with the same values, `unfit` one that the checks refuse."""
    overrides: tuple[str, ...] = ()
    """What was laid over the spec: `netspec train SPEC` with them repeats the trial."""
    tried: dict[str, str] | None = None
    """The value of each axis, as it is written."""
    value: float | None = None
    """The metric's best value."""
    reason: str = ""
    """Why it was not trained to its end."""
    parameters: int | None = None
    """None where the network could not be built."""
    macs: int | None = None
    """Of one sample."""
    epochs: int | None = None
    """How many it got to."""
    seconds: float | None = None
    """How long it took by the clock."""


@dataclass(frozen=True, slots=True, repr=False)
class Sweep(Displayed):
    """All trials of a sweep so far, those of other processes among them."""

    name: str
    folder: Path
    metric: str
    """The value that is compared, such as val.loss."""
    goal: Goal
    axes: tuple[Axis, ...]
    """What is varied."""
    trials: tuple[Trial, ...]
    """In the order of their numbers."""

    def __repr__(self) -> str:
        """How many trials it has, and the best of them."""
        best = self.best
        value = written(best.value) if best is not None and best.value is not None else ""
        said = f", {self.metric} {value} in trial {best.number}" if best is not None else ""
        return f"<Sweep of {self.name} in {self.folder}: {len(self.trials)} trials{said}>"

    @property
    def best(self) -> Trial | None:
        """The trial with the best value; of equal ones the first."""
        return next(iter(self.ranked), None)

    @property
    def ranked(self) -> list[Trial]:
        """The trials that have a value, best first."""
        sign = -1 if self.goal == "max" else 1
        valued = [(sign * t.value, t.number, t) for t in self.trials if t.value is not None]
        return [trial for _, _, trial in sorted(valued, key=lambda x: x[:2])]

    def run_of(self, trial: Trial) -> Path:
        """The folder of a trial's run."""
        return trial_folder(self.folder, trial.number)

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "sweep": str(self.folder),
            "metric": self.metric,
            "goal": self.goal,
            "best": None if self.best is None else {**asdict(self.best), "run": str(self.run_of(self.best))},
            "trials": [asdict(trial) for trial in self.trials],
        }


def written(value: float) -> str:
    """A value in four digits."""
    return f"{value:#.4g}"


def trial_folder(folder: Path, number: int) -> Path:
    """The run folder of a trial, counted from 1."""
    return folder / "trials" / str(number)


def cells(sweep: Sweep) -> list[tuple[str, ...]]:
    """The trials under their heads: the best first, then those without a value, each with its reason."""
    paths = [axis.path for axis in sweep.axes]
    lines = [("trial", sweep.metric, *paths, "parameters", "epochs", "seconds", "")]
    rest = [trial for trial in sweep.trials if trial.value is None]
    for trial in [*sweep.ranked, *rest]:
        tried = trial.tried or {}
        note = "best" if trial is sweep.best else trial.reason if trial.reason else trial.end
        lines.append(
            (
                str(trial.number),
                "" if trial.value is None else written(trial.value),
                *(tried.get(path, "") for path in paths),
                "" if trial.parameters is None else f"{trial.parameters:,}",
                str(trial.epochs or ""),
                "" if trial.seconds is None else f"{trial.seconds:.1f}",
                "" if note == "trained" else note,
            )
        )
    return lines


def table(sweep: Sweep) -> str:
    """The same as lines of text."""
    lines = cells(sweep)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([*(c.rjust(w) for c, w in zip(line[:-1], widths, strict=False)), line[-1]]).rstrip() for line in lines
    )
