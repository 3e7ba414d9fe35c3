"""Convolutions and transposed convolutions over 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any, Self

from netspec.dims import Size, product
from netspec.layers.base import Spatial
from netspec.layers.windows import need_window, same_padding, spread, window
from netspec.records import Bool, Choice, Field, Int, Numbers
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor

MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Spatial):
    """What all convolutions share."""

    family = "convolution"
    reads_channels = True
    letters = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation", "g": "groups"}
    flags = {"nobias": ("bias", False)}
    arrow = ("in_channels", "out_channels")

    in_channels = Int("channels of the input", None, ge=1, axis=1)
    out_channels = Int("filters, which are the channels of the output", ge=1)
    kernel_size = Numbers("size of the window", ge=1)
    stride = Numbers("step of the window", 1, ge=1)
    padding = Numbers("zeros added on both sides of each axis", 0)
    dilation = Numbers("spacing between the window's points", 1, ge=1)
    groups = Int("groups that channels are split into, each with its own filters", 1, ge=1)
    bias = Bool("whether a learned number is added to each output channel", True)
    padding_mode = Choice("what the padding is filled with", MODES, "zeros")

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        for size, noun in ((fitted.in_channels, "input"), (fitted.out_channels, "output")):
            if size % self.groups:
                text = f"cannot split {size} {noun} channels into {self.groups} groups"
                hint = f"Groups divide both {fitted.in_channels} and {fitted.out_channels}, as {{}} does."
                raise Misfit(text, hint.format(gcd(fitted.in_channels, fitted.out_channels)), field="groups")
        return fitted

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, padded where its edges are not filled with zeros, and the weight."""
        shape = self.shape(inputs[0].tensor)
        assert isinstance(shape, Tensor)
        x = self.padded(tape, inputs[0])
        bias = tape.own("bias") if self.bias else None
        return tape.conv(x, tape.own("weight"), bias, shape.shape, self._windows(inputs[0].tensor, shape))

    def _windows(self, x: Tensor, made: Tensor) -> tuple[Size, ...]:
        """The numbers in all windows of the input, which some kernels write out: of one sample after the other where
        they are dilated or transposed, and none where windows are the places themselves.
        """
        kernel, stride, dilation = self.per_axis("kernel_size", "stride", "dilation")
        wide = any(d != 1 for d in dilation) or self.transposed
        if not wide and {*kernel, *stride} == {1} and self.padding in (0, "valid"):
            return (0,)
        filters, places = (made, x) if self.transposed else (x, made)
        return (1 if wide else x.shape[0], filters.shape[1] // self.groups, *kernel, *places.shape[2:])

    def padded(self, tape: Tape, x: Held) -> Held:
        """The input with what is added around it, where that is no zeros."""
        if self.padding_mode == "zeros":
            return x
        kernel, dilation = self.per_axis("kernel_size", "dilation")
        around = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        if self.padding != "same":
            around = [0 if self.padding == "valid" else 2 * p for p in spread(self.padding, self.dims)]
        sizes = [size + more for size, more in zip(x.shape[2:], around, strict=True)]
        return tape.padded(x, (*x.shape[:2], *sizes), self.padding_mode)


class DirectConvolution(Convolution):
    """Conv1d, Conv2d and Conv3d."""

    rule = (
        "channels x sizes become out_channels x (size + 2 padding - dilation (kernel_size - 1) - 1) // stride "
        "+ 1, axis by axis."
    )
    padding = Numbers("zeros added on both sides of each axis; or same, valid", 0, words=("same", "valid"))
    same = Bool("pad by dilation * (kernel - 1) / 2", False, torch=False, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        if not self.same:
            return fitted
        kernel, dilation = self.per_axis("kernel_size", "dilation")
        return fitted.replace(same=False, padding=same_padding(kernel, dilation, self.padding))

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        kernel, stride, dilation = self.per_axis("kernel_size", "stride", "dilation")
        if self.padding == "same":
            if any(s != 1 for s in stride):
                hint = "The bare word `same` pads for any stride, evenly on both sides; TensorFlow pads more behind."
                raise Misfit("has padding=same, which needs stride 1", hint, field="padding")
            return x.with_shape(x.shape[0], self.out_channels, *x.shape[2:])
        padding = (0,) * self.dims if self.padding == "valid" else spread(self.padding, self.dims)
        self._check_padding(x, padding)
        sizes = [
            need_window(window(size, k, s, p, d), size, k, p, d, x.shape[1:])
            for size, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
        ]
        return x.with_shape(x.shape[0], self.out_channels, *sizes)

    def _check_padding(self, x: Tensor, padding: tuple[int, ...]) -> None:
        """Refuse more padding than there is to reflect or to repeat. Raises Misfit."""
        limit = {"reflect": -1, "circular": 0}.get(self.padding_mode)
        if limit is None:
            return
        for size, p in zip(x.shape[2:], padding, strict=True):
            if isinstance(size, int) and p > size + limit:
                raise Misfit(f"has {self.padding_mode} padding of {p}, too much for a size of {size}", field="padding")

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.out_channels, self.in_channels // self.groups, *spread(self.kernel_size, self.dims))
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return output.shape[0] * product(output.shape[2:]) * product(self.parameters()["weight"])


class Conv1d(DirectConvolution):
    """Slides learned filters over a sequence of channels x length."""

    dims, rank = 1, 3
    general = ("conv",)
    example, example_input = "conv1d 16 k3 same", "8x100"


class Conv2d(DirectConvolution):
    """Slides learned filters over a map of channels x height x width."""

    dims, rank = 2, 4
    general = ("conv",)
    example, example_input = "conv2d 16 k3 same", "3x32x32"


class Conv3d(DirectConvolution):
    """Slides learned filters over a volume of channels x depth x height x width."""

    dims, rank = 3, 5
    general = ("conv",)
    example, example_input = "conv3d 8 k3 same", "1x16x16x16"


class TransposedConvolution(Convolution):
    """ConvTranspose1d, 2d and 3d: the gradient of a convolution, used to make maps larger."""

    transposed = True
    rule = (
        "channels x sizes become out_channels x (size - 1) stride - 2 padding + dilation (kernel_size - 1) + "
        "output_padding + 1."
    )
    output_padding = Numbers("extra size on one side of each axis, to choose among the sizes that the stride allows", 0)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        order = "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode"
        return {name: fields[name] for name in order.split()} if "output_padding" in fields else fields

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        if self.padding_mode != "zeros":
            text = "is a transposed convolution, which pads only with zeros"
            raise Misfit(text, field="padding_mode", code="bad-argument")
        names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
        sizes = [self._grow(size, *numbers) for size, *numbers in zip(x.shape[2:], *self.per_axis(*names), strict=True)]
        return x.with_shape(x.shape[0], self.out_channels, *sizes)

    def _grow(self, size: Size, kernel: int, stride: int, padding: int, extra: int, dilation: int) -> Size:
        """(size - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1, as torch documents it."""
        if extra >= max(stride, dilation):
            text = f"has an output_padding of {extra}, it must be smaller than the stride or the dilation"
            raise Misfit(text, field="output_padding", code="bad-argument")
        out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
        if isinstance(out, int) and out < 1:
            raise Misfit(f"has nothing left: the padding of {padding} removes the whole output", field="padding")
        return out

    def parameters(self) -> dict[str, tuple[int, ...]]:
        weight = (self.in_channels, self.out_channels // self.groups, *spread(self.kernel_size, self.dims))
        return {"weight": weight} | ({"bias": (self.out_channels,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return inputs[0].shape[0] * product(inputs[0].shape[2:]) * product(self.parameters()["weight"])


class ConvTranspose1d(TransposedConvolution):
    """Spreads each value of a sequence over a learned window: a convolution that makes it longer."""

    dims, rank = 1, 3
    words = ("conv_transpose1d",)
    general = ("conv_transpose",)
    example, example_input = "conv_transpose1d 8 k4 s2 p1", "16x50"


class ConvTranspose2d(TransposedConvolution):
    """Spreads each value of a map over a learned window: a convolution that makes it larger."""

    dims, rank = 2, 4
    words = ("conv_transpose2d",)
    general = ("conv_transpose",)
    example, example_input = "conv_transpose2d 8 k4 s2 p1", "16x8x8"


class ConvTranspose3d(TransposedConvolution):
    """Spreads each value of a volume over a learned window: a convolution that makes it larger."""

    dims, rank = 3, 5
    words = ("conv_transpose3d",)
    general = ("conv_transpose",)
    example, example_input = "conv_transpose3d 8 k4 s2 p1", "16x4x4x4"
