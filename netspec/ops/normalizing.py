"""Normalisation with the weights given as inputs: the functional forms of torch's norm layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from netspec.dims import product
from netspec.layers.base import Op
from netspec.ops.axes import Axis, Number, axis
from netspec.records import Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Shape, Tensor, need_float, show


class Normalize(Op):
    """Divides the vectors along an axis by their length."""

    rule = "The shape of the input stays."
    example, example_input = "normalize", "64"

    p = Number("which length: 2 for the ordinary one", 2.0, keyword=True)
    dim = Axis("axis along which the vectors lie", 1)
    eps = Float("smallest length to divide by", 1e-12, ge=0, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        need_float(inputs[0])
        axis(self.dim, inputs[0])
        return inputs[0]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The vectors and their lengths."""
        return tape.normalized(inputs[0], self.dim)


class FunctionalNorm(Op):
    """What the functional norms share: an input, a weight and perhaps a bias."""

    rule = "The shape of the first input stays."
    inputs = (2, 3)
    takes: ClassVar[tuple[str, ...]] = ("input", "weight", "bias")

    def check(self, inputs: Sequence[Tensor], expected: Shape, noun: str) -> None:
        """Refuse weights of another shape."""
        for x in inputs:
            need_float(x)
        for weight, name in zip(inputs[1:], ("weight", "bias"), strict=False):
            if weight.shape != expected:
                raise Misfit(f"has a {name} of {weight}, its input has {noun} of {show(expected)}")


class LastAxesNorm(FunctionalNorm):
    """A norm over as many of the last axes as its weight has."""

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        count = len(inputs[1].shape)
        if not 0 < count <= len(x.shape):
            raise Misfit(f"normalises {count} axes, its input has {len(x.shape)}: {x}", code="rank")
        self.check(inputs, x.shape[-count:], "last axes")
        return x


class LayerNormFunction(LastAxesNorm):
    """Brings the last axes to mean 0 and variance 1, with a weight and a bias that are given as inputs.

    The weight's axes are the ones that are normalised.
    """

    words = ("layer_norm",)
    example, example_input = "layer_norm(x weight bias)", "{x: 10x32, weight: parameter 32, bias: parameter 32}"

    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, ge=0)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, mean and deviation of each place, and the weights."""
        x, *weights = inputs
        count = len(weights[0].shape)
        made = tape.norm(x, *weights, groups=x.shape[: len(x.shape) - count])
        tape.keep(*(weights if made.grad else ()))
        return made


class RMSNormFunction(LastAxesNorm):
    """Divides the last axes by their root mean square, with a weight that is given as input."""

    inputs = (2, 2)
    takes = ("input", "weight")
    words = ("rms_norm",)
    example, example_input = "rms_norm(x weight)", "{x: 10x32, weight: parameter 32}"

    eps = Float("added to the mean square; without it, the smallest step of the dtype", None, ge=0)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What the functions that it is made of keep."""
        x, weight = inputs
        return tape.rms_norm(x, weight, len(weight.shape))


class GroupNormFunction(FunctionalNorm):
    """Brings each group of channels to mean 0 and variance 1, with a weight and a bias that are given as inputs."""

    words = ("group_norm",)
    example, example_input = "group_norm(x weight bias) 4", "{x: 16x8x8, weight: parameter 16, bias: parameter 16}"

    num_groups = Int("groups that the channels are split into", ge=1)
    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, ge=0)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        channels = x.shape[axis(1, x)]
        if isinstance(channels, int) and channels % self.num_groups:
            raise Misfit(f"cannot split {channels} channels into {self.num_groups} groups", field="num_groups")
        self.check(inputs, (channels,), "channels")
        if product(x.shape) == self.num_groups:
            raise Misfit(f"normalises groups of one element: {x} in {self.num_groups} groups", field="num_groups")
        return x

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, mean and deviation of each group, and the scale."""
        x, *weights = inputs
        made = tape.norm(tape.mapped(x), *weights, groups=(x.shape[0], self.num_groups), mapped=True)
        tape.keep(weights[0] if made.grad else None)
        return made
