"""Schedules that follow a wave: cosines, triangles, one cycle over the run."""

from __future__ import annotations

from typing import Any

from netspec.fields import Bool, Choice, Float, Int
from netspec.schedulers.base import Scheduler, Unit


class CosineAnnealingLR(Scheduler):
    """Lowers the rate along half a cosine: over the whole run, step by step, unless T_max says otherwise."""

    words = ("cosine",)
    example = "cosine warmup=500"

    T_max = Int("how long the fall takes; null is the whole run", None, ge=1)
    eta_min = Float("the rate at the end", 0.0, ge=0)

    @property
    def unit(self) -> Unit:
        if self.every is None:
            return "step" if self.T_max is None else "epoch"
        return super().unit

    def keywords(self, length: int) -> dict[str, Any]:
        return {"T_max": length, **super().keywords(length)}


class CosineAnnealingWarmRestarts(Scheduler):
    """Lowers the rate along half a cosine again and again, each time longer by T_mult."""

    words = ("cosine_restarts",)
    example = "cosine_restarts 10 T_mult=2"

    T_0 = Int("how long the first fall takes", ge=1)
    T_mult = Int("by what the next one is longer", 1, ge=1)
    eta_min = Float("the rate at the end of a fall", 0.0, ge=0)


class CyclicLR(Scheduler):
    """Moves the rate up and down between two bounds."""

    habit = "step"
    words = ("cyclic",)
    example = "cyclic base_lr=0.001 max_lr=0.01 step_size_up=200"

    base_lr = Float("the lowest rate", ge=0)
    max_lr = Float("the highest rate", ge=0)
    step_size_up = Int("how long it rises", 2000, ge=1)
    step_size_down = Int("how long it falls; null is as long as it rises", None, ge=1)
    mode = Choice("how the height of the waves changes", ("triangular", "triangular2", "exp_range"), "triangular")
    gamma = Float("base of exp_range", 1.0, gt=0)
    cycle_momentum = Bool("whether momentum moves against the rate", True)
    base_momentum = Float("the lowest momentum", 0.8, ge=0, lt=1)
    max_momentum = Float("the highest momentum", 0.9, ge=0, lt=1)

    @property
    def sets_rate(self) -> bool:
        return True

    @property
    def moves_momentum(self) -> bool:
        return self.cycle_momentum


class OneCycleLR(Scheduler):
    """Raises the rate to `max_lr` and lowers it far below where it began, once over the run."""

    habit = "step"
    words = ("onecycle",)
    example = "onecycle max_lr=0.01"

    max_lr = Float("the highest rate", gt=0)
    total_steps = Int("length of the cycle; null is the whole run", None, ge=2)
    epochs = Int("length in epochs, with steps_per_epoch", None, ge=1)
    steps_per_epoch = Int("steps in an epoch, with epochs", None, ge=1)
    pct_start = Float("share of the cycle in which the rate rises", 0.3, ge=0, le=1)
    anneal_strategy = Choice("the form of the way", ("cos", "linear"), "cos")
    cycle_momentum = Bool("whether momentum moves against the rate", True)
    base_momentum = Float("the lowest momentum", 0.85, ge=0, lt=1)
    max_momentum = Float("the highest momentum", 0.95, ge=0, lt=1)
    div_factor = Float("max_lr divided by this is the rate at the beginning", 25.0, gt=0)
    final_div_factor = Float("the first rate divided by this is the last", 1e4, gt=0)
    three_phase = Bool("whether the rate falls to its beginning first, and then to its end", False)

    @property
    def sets_rate(self) -> bool:
        return True

    @property
    def moves_momentum(self) -> bool:
        return self.cycle_momentum

    def problems(self) -> list[tuple[str, str]]:
        if (self.epochs is None) != (self.steps_per_epoch is None):
            missing = "epochs" if self.epochs is None else "steps_per_epoch"
            given = "steps_per_epoch" if self.epochs is None else "epochs"
            return [(given, f"needs {missing} next to it")]
        return []

    def keywords(self, length: int) -> dict[str, Any]:
        found = super().keywords(length) | {"pct_start": float(self.pct_start)}
        return found if self.epochs is not None else {"total_steps": length, **found}
