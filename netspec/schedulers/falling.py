"""Schedules that go one way: in steps, by powers, along a line."""

from __future__ import annotations

from typing import Any

from netspec.records import Field, Float, Int
from netspec.schedulers.base import Scheduler
from netspec.several import Several, whole


def Milestones(sentence: str) -> Field[Any]:
    """Counts in rising order; one that is there twice counts twice."""
    expected = "whole numbers of at least 0, in rising order"
    return Several(sentence, whole(0), expected, fit=lambda counts: list(counts) == sorted(counts))


class StepLR(Scheduler):
    """Multiplies the rate by gamma after every `step_size`."""

    words = ("step",)
    example = "step 10 gamma=0.5"

    step_size = Int("from one fall of the rate to the next", ge=1)
    gamma = Float("what the rate is multiplied by", 0.1, ge=0)

    def reach(self) -> int | None:
        return self.step_size + 1

    def moved(self, at: int, rate: float, base: float) -> float:
        return rate * self.gamma if at and at % self.step_size == 0 else rate


class MultiStepLR(Scheduler):
    """Multiplies the rate by gamma at each milestone."""

    words = ("multistep",)
    example = "multistep 30x60x80 gamma=0.2"

    milestones = Milestones("when the rate falls")
    gamma = Float("what the rate is multiplied by", 0.1, ge=0)

    def reach(self) -> int | None:
        return 1 + int(max(self.milestones))

    def moved(self, at: int, rate: float, base: float) -> float:
        falls: int = self.milestones.count(at)
        share: float = self.gamma**falls
        return rate * share


class ExponentialLR(Scheduler):
    """Multiplies the rate by gamma every time."""

    words = ("exponential",)
    example = "exponential 0.95"

    gamma = Float("what the rate is multiplied by", ge=0)

    def moved(self, at: int, rate: float, base: float) -> float:
        return rate * self.gamma if at else rate


class ConstantLR(Scheduler):
    """Keeps the rate at a fraction until `total_iters`, and then at its whole."""

    words = ("constant",)
    example = "constant factor=0.5 total_iters=2"

    factor = Float("the fraction", 1.0 / 3, gt=0, le=1)
    total_iters = Int("how long", 5, ge=1)

    def reach(self) -> int | None:
        return self.total_iters + 1

    def moved(self, at: int, rate: float, base: float) -> float:
        if at == 0:
            return rate * self.factor
        return rate * (1 / self.factor) if at == self.total_iters else rate


class LinearLR(Scheduler):
    """Moves the rate along a line, from one fraction to another."""

    words = ("linear",)
    example = "linear start_factor=0.1 total_iters=5"

    start_factor = Float("the fraction at the beginning", 1.0 / 3, gt=0, le=1)
    end_factor = Float("the fraction at the end", 1.0, ge=0, le=1)
    total_iters = Int("how long", 5, ge=1)

    def reach(self) -> int | None:
        return self.total_iters

    def moved(self, at: int, rate: float, base: float) -> float:
        if at == 0:
            return rate * self.start_factor
        rise = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (at - 1) * rise
        return rate if at > self.total_iters else rate * (1 + rise / before)


class PolynomialLR(Scheduler):
    """Lowers the rate to 0 along a power of the time left."""

    words = ("polynomial",)
    example = "polynomial total_iters=20 power=2"

    total_iters = Int("how long", 5, ge=1)
    power = Float("the power", 1.0)

    def reach(self) -> int | None:
        return self.total_iters

    def moved(self, at: int, rate: float, base: float) -> float:
        if at == 0 or at > self.total_iters:
            return rate
        left, before = 1 - at / self.total_iters, 1 - (at - 1) / self.total_iters
        share: float = (left / before) ** self.power
        return rate * share
