"""Activations: functions of each number alone."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from netspec.layers.base import Layer
from netspec.records import Bool, Choice, Field, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, axis_size, need_float, need_known


class Activation(Layer):
    """What all activations share: floats in, the same shape out."""

    family = "activation"
    keeps_axes = True
    rule = "The shape of the input stays."
    functional = True
    example_input = "16x8x8"

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class Overwriting(Activation):
    """An activation that can overwrite its input; torch puts that argument last."""

    overwritten: ClassVar[bool] = False
    """Whether backward makes do with the result where it overwrites the input; else that is copied before."""

    inplace = Bool("overwrite the input, which saves memory", False)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        return {**{name: f for name, f in fields.items() if name != "inplace"}, "inplace": fields["inplace"]}

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Where it overwrites its input, backward reads what it wrote, or a copy from before."""
        x = inputs[0]
        if self.inplace is not True:
            return super().kept(tape, x)
        if self.keeps is None:
            return tape.unread(self, inputs)
        if x.grad:
            tape.keep(x if self.overwritten else tape.new(x.shape, [x], x.dtype))
        return x


class ReLU(Overwriting):
    """Replaces negative numbers by 0: max(0, x)."""

    keeps = "result"
    overwritten = True
    at_least_0 = True
    example = "relu"


class ReLU6(Overwriting):
    """Clips to 0 ... 6: min(max(0, x), 6)."""

    keeps = "input"
    overwritten = True
    at_least_0 = True
    example = "relu6"


class LeakyReLU(Overwriting):
    """Multiplies negative numbers by a small slope."""

    keeps = "input"
    overwritten = True
    example = "leaky_relu 0.1"
    words = ("leaky_relu",)

    negative_slope = Float("what negative numbers are multiplied by", 0.01)


class PReLU(Activation):
    """Multiplies negative numbers by a learned slope, one for all or one for each channel."""

    functional = False
    example = "prelu"

    num_parameters = Int("how many slopes are learned: 1, or as many as there are channels", 1, ge=1)
    init = Float("what the slopes start at", 0.25)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        if self.num_parameters == 1:
            return fitted
        channels = need_known(axis_size(inputs[0], 1), 1)
        if channels != self.num_parameters:
            text = f"declares {self.num_parameters} slopes, its input has {channels} channels"
            raise Misfit(text, f"Write 1 or {channels}.", field="num_parameters")
        return fitted

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_parameters,)}

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input and the weight, which autocast makes short."""
        x, weight = tape.low(inputs[0], tape.own("weight"))
        made = tape.new(x.shape, [x, weight], like=x)
        if made.grad:
            tape.keep(x, weight)
        return made


class RReLU(Overwriting):
    """Multiplies negative numbers by a slope that is random in training and the mean of its bounds after."""

    example = "rrelu"

    lower = Float("smallest slope", 1 / 8)
    upper = Float("largest slope", 1 / 3)

    def fitted(self, *inputs: Tensor) -> Self:
        if self.lower > self.upper:
            text = f"has a lower bound of {self.lower}, above the upper bound of {self.upper}"
            raise Misfit(text, field="lower", code="bad-argument")
        return super().fitted(*inputs)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and the slopes that were drawn for it."""
        x = inputs[0]
        made = x if self.inplace is True else tape.each(x, "input")
        if x.grad:
            tape.keep(x, tape.new(x.shape, dtype=x.dtype))  # and the slopes that were drawn
        return made


class ELU(Overwriting):
    """Bends negative numbers towards -alpha: alpha (exp(x) - 1)."""

    keeps = "input"
    overwritten = True
    example = "elu"

    alpha = Float("what large negative numbers tend to, negated", 1.0)


class CELU(Overwriting):
    """Bends negative numbers towards -alpha with a continuous slope: alpha (exp(x / alpha) - 1)."""

    keeps = "input"
    overwritten = True
    example = "celu"

    alpha = Float("what large negative numbers tend to, negated", 1.0, gt=0)


class SELU(Overwriting):
    """ELU with the scale that keeps mean 0 and variance 1 from layer to layer."""

    keeps = "input"
    overwritten = True
    example = "selu"


class GELU(Activation):
    """Multiplies x by the probability that a standard normal number is below it."""

    keeps = "input"
    example = "gelu"

    approximate = Choice("none for the exact function, tanh for the approximation", ("none", "tanh"), "none")


class SiLU(Overwriting):
    """Multiplies x by its sigmoid; also known as swish."""

    keeps = "input"
    example = "silu"
    words = ("swish",)


class Mish(Overwriting):
    """Multiplies x by tanh(softplus(x))."""

    keeps = "input"
    example = "mish"


class Hardswish(Overwriting):
    """Approximates SiLU by straight pieces: x relu6(x + 3) / 6."""

    keeps = "input"
    example = "hardswish"


class Sigmoid(Activation):
    """Squeezes numbers between 0 and 1: 1 / (1 + exp(-x))."""

    keeps = "result"
    makes = "probabilities"
    example = "sigmoid"


class LogSigmoid(Activation):
    """Takes the logarithm of the sigmoid, without losing precision."""

    makes = "log probabilities"
    example = "logsigmoid"
    words = ("log_sigmoid",)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and on the CPU exp(-|x|) beside it."""
        x = inputs[0]
        made = tape.each(x, "input")
        if x.grad and not tape.cuda:
            tape.keep(tape.new(x.shape, dtype=x.dtype))  # exp(-|x|)
        return made


class Hardsigmoid(Overwriting):
    """Approximates the sigmoid by a straight piece: relu6(x + 3) / 6."""

    keeps = "input"
    makes = "probabilities"
    example = "hardsigmoid"


class Tanh(Activation):
    """Squeezes numbers between -1 and 1."""

    keeps = "result"
    example = "tanh"


class Hardtanh(Overwriting):
    """Clips numbers between two bounds."""

    keeps = "input"
    overwritten = True
    example = "hardtanh"

    min_val = Float("lower bound", -1.0)
    max_val = Float("upper bound", 1.0)

    def fitted(self, *inputs: Tensor) -> Self:
        if self.min_val >= self.max_val:
            text = f"has a lower bound of {self.min_val}, not below the upper bound of {self.max_val}"
            raise Misfit(text, field="min_val", code="bad-argument")
        return super().fitted(*inputs)


class Tanhshrink(Activation):
    """Subtracts the hyperbolic tangent: x - tanh(x)."""

    example = "tanhshrink"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The tangent, which is taken from the input."""
        return tape.add(inputs[0], tape.each(inputs[0], "result"))


class Softplus(Activation):
    """Smooths ReLU: log(1 + exp(beta x)) / beta."""

    keeps = "input"
    example = "softplus"

    beta = Float("how sharp the bend is", 1.0, gt=0)
    threshold = Float("beta x above which it is x itself", 20.0)


class Softsign(Activation):
    """Squeezes numbers between -1 and 1: x / (1 + |x|)."""

    example = "softsign"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and 1 + |x|, by which it is divided."""
        return tape.div(inputs[0], tape.each(tape.each(inputs[0], "input")))


class Softshrink(Activation):
    """Pulls numbers towards 0 by lambd, and to 0 what is nearer than that."""

    keeps = "input"
    example = "softshrink"

    lambd = Float("how far numbers are pulled", 0.5, ge=0)


class Hardshrink(Activation):
    """Replaces numbers within lambd of 0 by 0."""

    keeps = "input"
    example = "hardshrink"

    lambd = Float("largest magnitude that becomes 0", 0.5)


class Threshold(Overwriting):
    """Replaces numbers that are not above a threshold by a fixed value."""

    keeps = "input"
    overwritten = True
    example = "threshold 0.1 0"

    threshold = Float("what numbers have to exceed to stay")
    value = Float("what the others become")
