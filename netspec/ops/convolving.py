"""Convolutions whose weights are computed: by a network beside, for each sample, or from other parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.layers.windows import need_window, spread, window
from netspec.ops.axes import differ
from netspec.records import Choice, Field, Int
from netspec.saved import Held, Tape
from netspec.several import Several, whole
from netspec.tensors import Misfit, Tensor, need_float


def Along(sentence: str, default: int, *, low: int) -> Field[Any]:
    """A number for every axis that the filters slide over, or one for each."""
    expected = f"a whole number of at least {low}, or one for each of up to three axes"
    return Several(sentence, whole(low), expected, default, alone=True, fit=lambda items: len(items) <= 3)


class Convolve(Op):
    """Slides filters that are computed over its first input. The second holds them, the third may add to each.

    Filters are out_channels x in_channels x sizes as those of a layer, or with the batch before them: then each sample
    has its own.
    """

    rule = (
        "channels x sizes become out_channels x (size + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, "
        "axis by axis."
    )
    inputs = (2, 3)
    takes = ("input", "weight", "bias")
    letters = {"s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
    example, example_input = "convolve(x w) p1", "{x: 8x32x32, w: parameter 16x8x3x3}"

    stride = Along("step of the window", 1, low=1)
    padding = Along("zeros added on both sides of each axis", 0, low=0)
    dilation = Along("spacing between the window's points", 1, low=1)
    groups = Int("groups that channels are split into, each with its own filters", 1, ge=1)
    dims = Choice("axes that the filters slide over, which is inferred", ("1d", "2d", "3d"), None, keyword=True)
    whose = Choice("whether all samples share the filters, which is inferred", ("all", "each"), None, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        rank = len(inputs[0].shape)
        known = {"dims": f"{rank - 2}d", "whose": "each" if len(inputs[1].shape) == rank + 1 else "all"}
        for name, found in known.items():
            if getattr(self, name) not in (None, found):
                text = f"says {name}={getattr(self, name)}, its inputs are {inputs[0]} and {inputs[1]}"
                raise Misfit(text, "Leave it out; it is inferred.", field=name)
        return super().fitted(*inputs).replace(**known)

    def shape(self, *inputs: Tensor) -> Tensor:
        x, weight = inputs[:2]
        for each in inputs:
            need_float(each)
        dims = len(x.shape) - 2
        own = len(weight.shape) == dims + 3
        if not 1 <= dims <= 3 or len(weight.shape) not in (dims + 2, dims + 3):
            text = f"takes channels and one to three more axes, and filters for them: they are {x} and {weight}"
            hint = "Filters are out_channels x in_channels x sizes, or have the batch before that."
            raise Misfit(text, hint, code="rank")
        batch = weight.shape[:1] if own else x.shape[:1]
        if batch != x.shape[:1]:
            text = f"has filters for {batch[0]} samples, its input has {x.shape[0]}"
            raise Misfit(text, code=differ(batch[0], x.shape[0]))
        filters, channels, *kernel = weight.shape[-dims - 2 :]
        if not all(isinstance(size, int) for size in (filters, channels, *kernel)):
            raise Misfit(f"must know the sizes of its filters, which are {weight}", code="unknown-size")
        if channels * self.groups != x.shape[1]:
            text = f"has filters of {channels} channels in {self.groups} groups, its input has {x.shape[1]}"
            raise Misfit(text, "Filters have in_channels / groups channels.", code=differ(channels, x.shape[1]))
        if isinstance(filters, int) and filters % self.groups:
            raise Misfit(f"cannot split {filters} filters into {self.groups} groups", field="groups")
        self._need_bias(inputs, filters)
        numbers = [spread(getattr(self, name), dims) for name in ("stride", "padding", "dilation")]
        if any(len(each) != dims for each in numbers):
            raise Misfit(f"takes one number or {dims} for each of stride, padding and dilation", code="bad-argument")
        sizes = [
            need_window(window(size, k, s, p, d), size, k, p, d)
            for size, k, s, p, d in zip(x.shape[2:], kernel, *numbers, strict=True)
        ]
        return x.with_shape(x.shape[0], filters, *sizes)

    def _need_bias(self, inputs: Sequence[Tensor], filters: Size) -> None:
        """Refuse what cannot be added to the filters' results. Raises Misfit."""
        if len(inputs) > 2 and (self.whose == "each" or inputs[2].shape != (filters,)):
            text = f"adds {inputs[2]} to the results of {filters} filters"
            hint = "A bias has one number for each filter; what differs from sample to sample is added by `add`."
            raise Misfit(text, hint, code="shape-mismatch")

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        weight = inputs[1].shape[1:] if self.whose == "each" else inputs[1].shape
        return output.shape[0] * product(output.shape[2:]) * product(weight)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input and the filters; all samples lie beside each other where each has its own."""
        x, weight, *bias = inputs
        shape = self.shape(*(each.tensor for each in inputs)).shape
        if self.whose == "all":
            return tape.conv(x, weight, bias[0] if bias else None, shape)
        batch, filters, *space = shape
        x = tape.reshape(x, (1, x.shape[0] * x.shape[1], *x.shape[2:]))
        made = tape.conv(x, tape.flatten(weight, 0, 1), None, (1, batch * filters, *space))
        return tape.reshape(made, shape)
