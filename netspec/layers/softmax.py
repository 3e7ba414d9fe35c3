"""Activations over the numbers along one axis."""

from __future__ import annotations

from typing import Any, Self

from netspec.dims import Size
from netspec.layers.activation import Activation
from netspec.records import Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, axis_size, need_known, need_rank


class AlongAxis(Activation):
    """An activation over the numbers along one axis."""

    dim = Int("the axis along which the numbers belong together: -1 is the last, 1 the channels", None)

    def fitted(self, *inputs: Tensor) -> Self:
        if self.dim is None:
            hint = "`-1` is the last axis, `1` the channels or classes."
            raise Misfit("needs the axis that it runs along", hint, code="missing-argument")
        axis_size(inputs[0], self.dim)
        return super().fitted(*inputs)


class Softmax(AlongAxis):
    """Turns numbers along an axis into probabilities: exp(x) divided by its sum."""

    makes = "probabilities"
    example = "softmax 1"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The result, in float32 on a GPU."""
        return tape.softmax(inputs[0])


class Softmin(AlongAxis):
    """Turns numbers along an axis into probabilities, the smallest number being the likeliest."""

    makes = "probabilities"
    example = "softmin 1"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The result; the input is negated before."""
        return tape.softmax(tape.each(inputs[0]))


class LogSoftmax(AlongAxis):
    """Takes the logarithm of the softmax, without losing precision."""

    makes = "log probabilities"
    example = "log_softmax 1"
    words = ("log_softmax",)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The result, in float32 on a GPU."""
        return tape.softmax(inputs[0])


class Softmax2d(Activation):
    """Turns the channels at each place of a map into probabilities."""

    makes = "probabilities"
    example = "softmax2d"

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 4, what="channels x height x width")
        return super().fitted(*inputs)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The result, in float32 on a GPU."""
        return tape.softmax(inputs[0])


class GLU(Activation):
    """Splits an axis in two halves and gates the first with the sigmoid of the second: a sigmoid(b)."""

    keeps = "input"
    rule = "The axis dim becomes half as long; all others stay."
    example = "glu 1"

    dim = Int("the axis that is split", -1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        axis = self.dim % len(x.shape) if axis_size(x, self.dim) else 0
        size = need_known(x.shape[axis], axis)
        if size % 2:
            raise Misfit(f"splits axis {self.dim} in two halves, its size is {size}", field="dim")
        sizes: list[Size] = list(x.shape)
        sizes[axis] = size // 2
        return x.with_shape(*sizes)
