"""Optimizers that divide each weight's step by a measure of its past gradients."""

from __future__ import annotations

from netspec.optimizers.base import Eps, Foreach, Fused, Maximize, Numbers, Optimizer, Rate, WeightDecay
from netspec.records import Bool, Float


class Adagrad(Optimizer):
    """Divides by the root of the sum of all past squares, so that steps only get smaller."""

    fused_on = ("cpu",)
    example = "adagrad lr=0.01"

    lr = Rate(1e-2)
    lr_decay = Float("how fast the rate falls with the steps", 0, ge=0)
    weight_decay = WeightDecay()
    initial_accumulator_value = Float("what the sum of squares begins with", 0, ge=0)
    eps = Eps(1e-10)
    foreach = Foreach()
    maximize = Maximize()
    fused = Fused()

    def copies(self) -> int:
        return 1


class Adadelta(Optimizer):
    """Divides by a running mean of squares, and sets the step's length by the steps before."""

    example = "adadelta"

    lr = Rate(1.0)
    rho = Float("share of the mean square that is remembered", 0.9, ge=0, le=1)
    eps = Eps(1e-6)
    weight_decay = WeightDecay()
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 2


class Adafactor(Optimizer):
    """Keeps squares of a matrix only by row and column, which saves memory."""

    foreach_is_exact = False
    shardable = False
    example = "adafactor lr=0.01"

    lr = Rate(1e-2)
    beta2_decay = Float("the power by which new squares lose weight", -0.8, le=0)
    eps = Numbers("the least square, and the least size of a weight", (None, 1e-3), nulls=(0,))
    d = Float("the largest size of an update", 1.0, ge=1)
    weight_decay = WeightDecay(0.0)
    foreach = Foreach()
    maximize = Maximize()


class RMSprop(Optimizer):
    """Divides by the root of a running mean of squares."""

    example = "rmsprop lr=1e-3"

    lr = Rate(1e-2)
    alpha = Float("share of the mean square that is remembered", 0.99, ge=0)
    eps = Eps(1e-8)
    weight_decay = WeightDecay()
    momentum = Float("share of the last step that is taken again", 0, ge=0)
    centered = Bool("whether the mean gradient is taken off first", False)
    foreach = Foreach()
    maximize = Maximize()

    def copies(self) -> int:
        return 1 + (self.momentum != 0) + (self.centered is True)
