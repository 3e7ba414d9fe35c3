"""Schedules that follow a wave: cosines, triangles, one cycle over the run."""

from __future__ import annotations

from math import cos, pi
from typing import Any, Self

from netspec.errors import UsageError
from netspec.records import Bool, Choice, Float, Int
from netspec.schedulers.base import Scheduler, Unit
from netspec.schedulers.curve import Rate


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

    def reach(self) -> int | None:
        return self.T_max

    def keywords(self, length: int) -> dict[str, Any]:
        return {"T_max": length, **super().keywords(length)}

    def over(self, length: int) -> Self:
        return self.replace(T_max=self.T_max or length)

    def moved(self, at: int, rate: float, base: float) -> float:
        if at == 0:
            return rate
        if (at - 1 - self.T_max) % (2 * self.T_max) == 0:
            return rate + (base - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
        now, before = 1 + cos(pi * at / self.T_max), 1 + cos(pi * (at - 1) / self.T_max)
        return now / before * (rate - self.eta_min) + self.eta_min


class CosineAnnealingWarmRestarts(Scheduler):
    """Lowers the rate along half a cosine again and again, each time longer by T_mult."""

    words = ("cosine_restarts",)
    example = "cosine_restarts 10 T_mult=2"

    T_0 = Int("how long the first fall takes", ge=1)
    T_mult = Int("by what the next one is longer", 1, ge=1)
    eta_min = Float("the rate at the end of a fall", 0.0, ge=0)

    def reach(self) -> int | None:
        return self.T_0

    def moved(self, at: int, rate: float, base: float) -> float:
        length = self.T_0
        if self.T_mult == 1:
            at %= length
        while at >= length:
            at, length = at - length, length * self.T_mult
        return self.eta_min + (base - self.eta_min) * (1 + cos(pi * at / length)) / 2


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

    def reach(self) -> int | None:
        return self.step_size_up + (self.step_size_down or self.step_size_up)

    def prepare(self, rate: Rate) -> None:
        """Begin at the lowest rate of the cycle."""
        rate.value = self.base_lr

    def base(self, initial: float) -> float:
        """The lowest rate of the cycle, whatever the optimizer says."""
        return self.base_lr

    def moved(self, at: int, rate: float, base: float) -> float:
        up, down = self.step_size_up, self.step_size_down or self.step_size_up
        cycle, place = divmod(at, up + down)
        height = place / up if place <= up else (up + down - place) / down
        shrunk = {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": self.gamma**at}[self.mode]
        return base + (self.max_lr - base) * height * shrunk


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

    def reach(self) -> int | None:
        return self.epochs * self.steps_per_epoch if self.epochs is not None else self.total_steps

    def keywords(self, length: int) -> dict[str, Any]:
        total = self.over(length).total_steps
        return super().keywords(length) | {"pct_start": float(self.pct_start), "total_steps": total}

    def over(self, length: int) -> Self:
        given = self.epochs * self.steps_per_epoch if self.epochs is not None else self.total_steps
        total = given or length
        if self.pct_start * total == 1:
            text = f"a OneCycleLR of {total} steps would rise in none of them, which torch cannot divide"
            raise UsageError(f"{text}. Change pct_start={self.pct_start} a little.")
        return self.replace(total_steps=total)

    def moves(self, length: int) -> int:
        return self.over(length).total_steps - 1

    def prepare(self, rate: Rate) -> None:
        """Begin below the highest rate, as torch does."""
        rate.initial = self.max_lr / self.div_factor

    def moved(self, at: int, rate: float, base: float) -> float:
        low, high, last = base, self.max_lr, base / self.final_div_factor
        top = self.pct_start * self.total_steps - 1
        ways = [(top, low, high), (self.total_steps - 1, high, last)]
        if self.three_phase:
            ways[1:] = [(2 * top, high, low), (self.total_steps - 1, low, last)]
        begin = 0.0
        for end, start, goal in ways[:-1]:
            if at <= end:
                return self._between(start, goal, (at - begin) / (end - begin))
            begin = end
        end, start, goal = ways[-1]
        return self._between(start, goal, (at - begin) / (end - begin))

    def _between(self, start: float, goal: float, share: float) -> float:
        """The rate at a share of the way from start to goal."""
        if self.anneal_strategy == "linear":
            return (goal - start) * share + start
        return goal + (start - goal) / 2 * (cos(pi * share) + 1)
