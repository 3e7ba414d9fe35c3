"""Losses that compare numbers with numbers of the same shape."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.losses.base import Array, Loss, Range, Reduction, alike, need_floats, need_same_shape
from netspec.losses.one_hot import OneHot
from netspec.records import Bool, Float
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show


class Elementwise(OneHot):
    """A loss that compares each number of the prediction with the target's number at the same place."""

    rule = "Takes a prediction and a target of the same shape; neither is stretched."

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        if target is not None:
            target = self.spread(predictions[0], target)
            need_same_shape(predictions[0], target)
            need_floats(target, "target")


class MSELoss(Elementwise):
    """Squares the difference of prediction and target."""

    scales = regression = True
    words = ("mse", "mse_loss", "l2")
    example = "mse"

    reduction = Reduction()

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class L1Loss(Elementwise):
    """Takes the absolute difference of prediction and target."""

    scales = regression = True
    words = ("l1", "mae", "l1_loss")
    example = "l1"

    reduction = Reduction()

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The difference."""
        return tape.new((), [tape.each(tape.add(*given), "input")])


class HuberLoss(Elementwise):
    """Squares small differences and takes large ones as they are, so that outliers weigh less."""

    scales = regression = True
    words = ("huber", "huber_loss")
    example = "huber delta=0.5"

    reduction = Reduction()
    delta = Float("the difference from which on it grows linearly", 1.0, gt=0)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class SmoothL1Loss(Elementwise):
    """Squares differences below beta, divided by beta, and takes larger ones as they are."""

    scales = regression = True
    words = ("smooth_l1", "smooth_l1_loss")
    example = "smooth_l1 beta=0.5"

    reduction = Reduction()
    beta = Float("the difference from which on it grows linearly; 0 is l1", 1.0, ge=0)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class PoissonNLLLoss(Elementwise):
    """The negative log likelihood of counts whose rate, or its logarithm, is predicted."""

    words = ("poisson", "poisson_nll_loss")
    example = "poisson"

    log_input = Bool("whether the prediction is the logarithm of the rate", True)
    full = Bool("whether Stirling's term is added, which does not depend on the prediction", False)
    eps = Float("added to the rate before its logarithm is taken", 1e-8, gt=0)
    reduction = Reduction()

    def numbers(self) -> Range:
        return 0, None

    def like_target(self, scores: Array) -> Array:
        """The rates."""
        return scores.exp() if self.log_input else scores

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The target, and the rate."""
        x, target = given
        if self.log_input:
            return tape.new((), [tape.each(x, "result"), tape.mul(target, x)])
        return tape.new((), [x, tape.mul(target, tape.each(tape.each(x), "input"))])


class GaussianNLLLoss(Loss):
    """The negative log likelihood of numbers whose mean and variance are predicted."""

    rule = "Takes two outputs, the mean and the variance, and a target of the mean's shape."
    regression = True
    predictions = 2
    words = ("gaussian_nll", "gaussian_nll_loss")
    example = "gaussian_nll"

    full = Bool("whether the constant term is added", False, keyword=True)
    eps = Float("the least variance", 1e-6, gt=0, keyword=True)
    reduction = Reduction(keyword=True)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        mean, variance = predictions
        shapes = (mean.shape, (*mean.shape[:-1], 1), mean.shape[:-1])
        if not any(alike(variance.shape, shape) for shape in shapes):
            text = f"takes a variance for each mean, the means are {show(mean.shape)}"
            raise Misfit(f"{text} and the variances {show(variance.shape)}")
        if target is not None:
            need_same_shape(mean, target)
            need_floats(target, "target")

    def inputs(self, predictions: Sequence[Array], target: Array) -> tuple[Array, ...]:
        mean, variance = predictions
        return mean, target, variance

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The difference, its square and the variance."""
        mean, variance, target = given
        variance = tape.each(variance)
        variance = variance.unsqueeze(-1) if len(variance.shape) < len(mean.shape) else variance
        square = tape.each(tape.add(mean, target), "input")
        return tape.new((), [tape.each(variance, "input"), tape.div(square, variance)])


class KLDivLoss(Elementwise):
    """The Kullback-Leibler divergence of predicted log probabilities from the target's distribution."""

    wants = "log probabilities"
    activation = "exp"
    rule = "Takes log probabilities and a distribution of the same shape."
    words = ("kl", "kl_div")
    example = "kl reduction=batchmean"

    reduction = Reduction("batchmean")
    log_target = Bool("whether the target holds log probabilities too", False)

    def numbers(self) -> Range:
        return (None, 0) if self.log_target else (0, 1)

    def like_target(self, scores: Array) -> Array:
        """Probabilities, or their logarithms where the target holds those."""
        return scores if self.log_target else super().like_target(scores)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The target, as shares."""
        x, target = given
        shares = tape.new(target.shape, [target]) if self.log_target else target
        return tape.new((), [tape.mul(shares, x)])
