"""The history of a run: its records, the best of them, and how long nothing got better."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

Goal = Literal["min", "max"]
Record = dict[str, Any]
"""One evaluation: epoch, step, lr, grad_norm of the newest step before it is clipped, train.loss, val.loss,
val. and each metric, seconds, samples_per_s.

`epoch` is that of the newest step, counted from 1. What begins with `val.` is missing at the end of an epoch whose
validation data the spec has not measured."""


@dataclass(slots=True)
class Watch:
    """Follows one value, remembers its best and counts the evaluations since."""

    monitor: str
    """The name of the value in the records, such as val.loss."""
    goal: Goal = "min"
    """Whether it is to be small or large."""
    min_delta: float = 0.0
    """By how much a value has to be better to count as such, in its own units."""
    best: float | None = None
    """The best value so far; None before the first evaluation."""
    epoch: int = 0
    """At the best evaluation."""
    step: int = 0
    """At the best evaluation, counted over the whole run."""
    waited: int = 0
    """How many evaluations have passed since the best one."""
    asked: str = ""
    """The value that was to be followed, where that cannot be measured and `monitor` stands in for it."""

    def stand_in(self, monitor: str, goal: Goal) -> None:
        """Follow another value from here on."""
        self.asked, self.monitor, self.goal = self.asked or self.monitor, monitor, goal

    def see(self, record: Record) -> bool:
        """Take in an evaluation; whether it is the best so far. What is not finite never is, nor is it in a file.

        Nothing is waited for before there was a first one.
        """
        if self.monitor not in record:
            return False
        value = record[self.monitor]
        if value is None or not isfinite(value):
            self.waited += self.best is not None
            return False
        gain = 0.0 if self.best is None else self.best - value if self.goal == "min" else value - self.best
        better = self.best is None or gain > self.min_delta
        if better:
            self.best, self.epoch, self.step, self.waited = float(value), record["epoch"], record["step"], 0
        else:
            self.waited += 1
        return better

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {name: getattr(self, name) for name in ("monitor", "goal", "asked", "best", "epoch", "step", "waited")}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state, if the value that it followed is still the one that is watched."""
        if self.monitor not in (state["monitor"], state["asked"]):
            return
        if state["asked"] == self.monitor:
            self.stand_in(state["monitor"], state["goal"])
        self.best, self.waited = state["best"], state["waited"]
        self.epoch, self.step = state["epoch"], state["step"]


@dataclass(slots=True)
class History:
    """What came of a run."""

    monitor: str
    """The name of the value that is watched."""
    records: list[Record] = field(default_factory=list)
    """One for each evaluation."""
    best: float | None = None
    """The best value of `monitor`."""
    best_epoch: int = 0
    best_step: int = 0
    epochs: int = 0
    """Epochs that were begun; the last may not be whole."""
    steps: int = 0
    """How many steps were made in all."""
    seconds: float = 0.0
    """Time spent training and evaluating, the parts before a resume included."""
    ended: Literal["epochs", "steps", "early stop", "time"] = "epochs"
    """Why the run ended."""
