"""Measures of predicted numbers."""

from __future__ import annotations

from math import nan
from typing import Final

from netspec.losses.base import Array, Loss
from netspec.metrics.base import Counts, Metric
from netspec.tensors import Misfit, Tensor

ROUNDING: Final = 2.0**-44
"""What a sum of squares, added up in batches, may be wrong by, as a share of it."""


class Errors(Metric):
    """What measures of single differences share."""

    goal = "min"
    kinds = ("value", "label")

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        super().expect(loss, prediction)
        if loss.signs:
            raise Misfit(f"measures numbers, {loss.said} takes labels of -1 and 1")

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """The sum of what the differences count, as float64, and how many they are."""
        difference = loss.like_target(scores).double() - target.double()
        return {"total": self.size(difference).sum(), "all": target.numel()}

    def value(self, counts: Counts) -> float:
        """The mean; nan of nothing."""
        return float(counts["total"]) / counts["all"] if counts["all"] else float("nan")

    def size(self, difference: Array) -> Array:
        """How much a difference counts."""
        return difference.square()


class MAE(Errors):
    """The mean absolute difference."""

    example = "mae"

    def size(self, difference: Array) -> Array:
        return difference.abs()


class MSE(Errors):
    """The mean squared difference."""

    example = "mse"


class RMSE(Errors):
    """The root of the mean squared difference, in the unit of the target."""

    example = "rmse"

    def value(self, counts: Counts) -> float:
        return float(super().value(counts) ** 0.5)


class R2(Metric):
    """The share of the target's variance that the prediction explains, averaged over its columns.

    It is nan where a column of the target is constant, as one alone is: there is nothing to explain.
    """

    kinds = ("value",)
    example = "r2"

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """For each column the squared errors, the sum and the sum of squares of the target, all as float64."""
        truth = target.double().reshape(len(target), -1)
        missed = (loss.like_target(scores).double().reshape(truth.shape) - truth).square().sum(0)
        return {"missed": missed, "sum": truth.sum(0), "squares": truth.square().sum(0), "all": len(truth)}

    def value(self, counts: Counts) -> float:
        """1 - squared errors / squared deviations from the mean, averaged over the columns."""
        spread = counts["squares"] - counts["sum"].square() / counts["all"]
        varied = spread > ROUNDING * counts["squares"]
        return float((1 - counts["missed"] / spread).where(varied, nan).mean())
