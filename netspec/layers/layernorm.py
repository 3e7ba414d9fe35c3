"""Normalisation of each sample over its last axes, or over neighbouring channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

from netspec.layers.base import Layer
from netspec.layers.windows import AXES
from netspec.records import Bool, Float, Int
from netspec.saved import Held, Tape
from netspec.saved.held import dense
from netspec.several import Several, whole
from netspec.tensors import Misfit, Tensor, axis_size, need_float, need_known, need_rank, sample, show


def affine_parameters(shape: tuple[int, ...], affine: bool, bias: bool) -> dict[str, tuple[int, ...]]:
    """A learned scale called weight, and the shift called bias."""
    return ({"weight": shape} | ({"bias": shape} if bias else {})) if affine else {}


def Trailing(sentence: str) -> Any:
    """The sizes of the last axes: one number or several. Inferred from the last axis where not written."""
    return Several(sentence, whole(1), "the size of the last axis, or of several last axes", None, alone=True, axis=-1)


class TrailingNorm(Layer):
    """What LayerNorm and RMSNorm share: they normalise over the last axes, `normalized_shape`."""

    family, normalises = "normalisation", "layer"
    keeps_axes = True
    rule = "The shape of the input stays."
    normalized_shape = Trailing("sizes of the last axes, over which each sample is normalised")

    def fitted(self, *inputs: Tensor) -> Self:
        x = inputs[0]
        need_float(x)
        if self.normalized_shape is None:
            return self.replace(normalized_shape=need_known(axis_size(x, -1), -1))
        written = self._sizes()
        axis_size(x, -len(written))
        trailing = x.shape[-len(written) :]
        for axis, size in enumerate(trailing):
            need_known(size, axis - len(written))
        if trailing != written:
            hint = f"{{source}} gives {sample(x.shape)}. Leave it out to normalise over the last axis."
            text = f"normalises over {show(written)}, its input ends in {show(trailing)}"
            raise Misfit(text, hint, field="normalized_shape")
        return self

    def _sizes(self) -> tuple[int, ...]:
        """The sizes of the last axes, as a tuple."""
        shape = self.normalized_shape
        return shape if isinstance(shape, tuple) else (shape,)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class LayerNorm(TrailingNorm):
    """Normalises each sample over its last axis, or its last axes."""

    flags = {"nobias": ("bias", False)}
    example, example_input = "layernorm", "10x32"

    eps = Float("added to the variance, so that nothing is divided by 0", 1e-5, gt=0)
    elementwise_affine = Bool("learn a scale and a shift for each number", True)
    bias = Bool("learn the shift too, where there is a scale", True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters(self._sizes(), self.elementwise_affine, self.bias)

    def needs_module(self) -> bool:
        return self.elementwise_affine

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and mean and deviation of each place."""
        x = inputs[0]
        weights = (tape.own(name) for name in self.parameters())
        return tape.norm(x, *weights, groups=x.shape[: len(x.shape) - len(self._sizes())])


class RMSNorm(TrailingNorm):
    """Divides each sample by the root of its mean square over the last axis, or the last axes."""

    example, example_input = "rmsnorm", "10x32"

    eps = Float("added to the mean square; by default the smallest step of the dtype", None, gt=0)
    elementwise_affine = Bool("learn a scale for each number", True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return affine_parameters(self._sizes(), self.elementwise_affine, bias=False)

    def needs_module(self) -> bool:
        return self.elementwise_affine

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What the functions that it is made of keep."""
        weight = tape.own("weight") if self.elementwise_affine is True else None
        return tape.rms_norm(inputs[0], weight, len(self._sizes()))


class ResponseNorm(Layer):
    """What the two local response norms share."""

    family, normalises = "normalisation", "response"
    keeps_axes = True
    rule = "The shape of the input stays."
    size = Int("how many channels are summed", ge=1)
    alpha = Float("what the sum of squares is multiplied by", 1e-4)
    beta = Float("the power that it is raised to", 0.75)
    k = Float("what is added before", 1.0)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]


class LocalResponseNorm(ResponseNorm):
    """Divides each number by a power of the sum of squares over neighbouring channels."""

    functional = True

    words = ("local_response_norm",)
    example, example_input = "local_response_norm 5", "16x32x32"

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        if len(inputs[0].shape) < 3:
            raise Misfit(f"takes channels and axes of space, its input is {sample(inputs[0].shape)}", code="rank")
        return self

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, its squares with channels added at both ends, their sums, and the powers of these."""
        x = inputs[0]
        batch, channels, *space = x.shape
        square = tape.new(x.shape, [x])
        wide = tape.new((batch, channels + (self.size - 1), *space), [square])
        wide = tape.full(wide)[0] if len(space) > 1 else wide
        sums = tape.new(x.shape, [wide], wide.dtype)
        tape.keep(*((x, wide) if x.grad else ()))
        return tape.div(x, tape.each(tape.each(sums), "input"))


class CrossMapLRN2d(ResponseNorm):
    """Divides each number by a power of the sum of squares over neighbouring channels, as Caffe does."""

    example, example_input = "crossmaplrn2d 5", "16x32x32"

    k = Float("what is added before", 1)

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 4, what=AXES[2])
        need_float(inputs[0])
        return self

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input and the result."""
        made = tape.each(inputs[0], "input result")
        return replace(made, strides=dense(made.shape))
