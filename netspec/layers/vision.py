"""Layers that change the size of maps: upsampling, pixel shuffling, patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from netspec.dims import Size, product
from netspec.layers.base import Layer, Spatial
from netspec.layers.windows import AXES, Counts, Factors, for_axes, need_window, spread, window
from netspec.records import Bool, Choice, Int, Numbers
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_float, need_known, need_rank, sample, show

RANKS = {"linear": (3,), "bilinear": (4,), "bicubic": (4,), "trilinear": (5,)}
"""Ranks that a mode takes; the other modes take all three."""
SIZE = "size of the output; this or scale_factor"
SCALE = "what the size is multiplied by"


class Resize(Layer):
    """What the upsamplings share: a size, or a factor."""

    rule = "Channels stay; the sizes become size, or scale_factor times themselves, rounded down."
    functional = True
    keeps = ""
    letters = {"s": "scale_factor"}

    size = Counts(SIZE, None)
    scale_factor = Factors(SCALE, None)

    def fitted(self, *inputs: Tensor) -> Self:
        need_float(inputs[0])
        if (self.size is None) == (self.scale_factor is None):
            field = None if self.size is None else "scale_factor"
            raise Misfit("needs one of size and scale_factor", field=field, code="bad-argument")
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        count = len(x.shape) - 2
        if self.size is not None:
            return x.with_shape(*x.shape[:2], *for_axes("size", self.size, count))
        factors = for_axes("scale_factor", self.scale_factor, count)
        sizes = [
            scaled(size, factor, axis + 2) for axis, (size, factor) in enumerate(zip(x.shape[2:], factors, strict=True))
        ]
        return x.with_shape(*x.shape[:2], *sizes)


def scaled(size: Size, factor: float, axis: int) -> Size:
    """floor(size * factor). Raises Misfit where nothing is left, or the size is unknown and the factor is broken."""
    if factor == int(factor):
        return size * int(factor)
    out = int(need_known(size, axis) * factor)
    if out < 1:
        raise Misfit(f"has nothing left of a size of {size}, times {factor}", field="scale_factor")
    return out


class Upsample(Resize):
    """Resizes a sequence, map or volume, by interpolation."""

    example, example_input = "upsample scale_factor=2", "8x16x16"

    mode = Choice(
        "how values between are made; the names with linear or cubic belong to 1, 2 or 3 axes of space",
        ("nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"),
        "nearest",
    )
    align_corners = Bool("whether corners lie on corners, and not only edges on edges", None)
    recompute_scale_factor = Bool("work from the size that comes out, not from the factor", None)

    def fitted(self, *inputs: Tensor) -> Self:
        ranks = RANKS.get(self.mode, (3, 4, 5))
        need_rank(inputs[0], *ranks, what=f"for {self.mode} {' or '.join(AXES[r - 2] for r in ranks)}")
        if self.mode not in RANKS and self.align_corners is not None:
            text = f"has align_corners, which means nothing for the mode {self.mode}"
            raise Misfit(text, field="align_corners", code="bad-argument")
        if self.recompute_scale_factor and self.size is not None:
            text = "has recompute_scale_factor, which means nothing for a given size"
            raise Misfit(text, field="recompute_scale_factor", code="bad-argument")
        return super().fitted(*inputs)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; the input where the values between are means."""
        if self.mode != "area":
            return super().kept(tape, *inputs)
        return tape.averaged(inputs[0], self.shape(inputs[0].tensor).shape)


class Upsampling2d(Resize):
    """UpsamplingNearest2d and UpsamplingBilinear2d."""

    size = Numbers(SIZE, None, ge=1, axes=2)

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 4, what=AXES[2])
        return super().fitted(*inputs)


class UpsamplingNearest2d(Upsampling2d):
    """Resizes a map by repeating its values."""

    words = ("upsampling_nearest2d",)
    example, example_input = "upsampling_nearest2d scale_factor=2", "8x16x16"


class UpsamplingBilinear2d(Upsampling2d):
    """Resizes a map by weighing the four nearest values, with corners on corners."""

    words = ("upsampling_bilinear2d",)
    example, example_input = "upsampling_bilinear2d scale_factor=2", "8x16x16"


class PixelShuffle(Layer):
    """Makes a map larger by spreading groups of channels over space: C r^2 x H x W to C x H r x W r."""

    keeps = ""
    rule = "channels x height x width become channels / r^2 x height r x width r, r being upscale_factor."
    functional = True
    words = ("pixel_shuffle",)
    example, example_input = "pixel_shuffle 2", "16x8x8"

    upscale_factor = Int("what height and width are multiplied by", ge=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x, r = inputs[0], self.upscale_factor
        *batch, channels, height, width = need_map(x)
        if need_known(channels, -3) % (r * r):
            text = f"needs channels that {r} x {r} divides, its input has {channels}"
            raise Misfit(text, field="upscale_factor")
        return x.with_shape(*batch, channels // (r * r), height * r, width * r)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; a GPU copies the numbers into their order."""
        made = super().kept(tape, *inputs)
        return tape.contiguous(made) if tape.cuda else made


class PixelUnshuffle(Layer):
    """Makes a map smaller by moving blocks of it into channels: C x H r x W r to C r^2 x H x W."""

    keeps = ""
    rule = "channels x height x width become channels r^2 x height / r x width / r, r being downscale_factor."
    functional = True
    words = ("pixel_unshuffle",)
    example, example_input = "pixel_unshuffle 2", "4x16x16"

    downscale_factor = Int("what height and width are divided by", ge=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x, r = inputs[0], self.downscale_factor
        *batch, channels, height, width = need_map(x)
        for size in (height, width):
            if isinstance(size, int) and size % r:
                text = f"needs a height and width that {r} divides, its input has {height} x {width}"
                raise Misfit(text, field="downscale_factor")
        return x.with_shape(*batch, channels * (r * r), height // r, width // r)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; a GPU copies the numbers into their order."""
        made = super().kept(tape, *inputs)
        return tape.contiguous(made) if tape.cuda else made


def need_map(x: Tensor) -> tuple[Size, ...]:
    """The shape of an input whose last three axes are channels x height x width. Raises Misfit."""
    if len(x.shape) < 3:
        raise Misfit(f"takes channels x height x width, its input is {sample(x.shape)}", code="rank")
    return x.shape


class Patches(Layer):
    """What Fold and Unfold share: the windows that slide over a map."""

    keeps = ""
    functional = True

    dims = 2
    letters = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation"}

    kernel_size = Numbers("size of the window", ge=1)
    dilation = Numbers("spacing between the window's points", 1, ge=1)
    padding = Numbers("zeros added on both sides of each axis", 0)
    stride = Numbers("step of the window", 1, ge=1)

    def windows(self, sizes: Sequence[Size]) -> Size:
        """How many windows fit on a map of these sizes."""
        numbers = [spread(v, 2) for v in (self.kernel_size, self.stride, self.padding, self.dilation)]
        each = [
            need_window(window(size, k, s, p, d), size, k, p, d)
            for size, k, s, p, d in zip(sizes, *numbers, strict=True)
        ]
        return product(each)


class Unfold(Patches, Spatial):
    """Cuts a map into windows: C x H x W to C k^2 x windows."""

    rule = "channels x height x width become channels times the window's points x the number of windows."
    example, example_input = "unfold 3 p1", "3x8x8"

    def shape(self, *inputs: Tensor) -> Tensor:
        batch, channels, *sizes = inputs[0].shape
        return Tensor((batch, channels * product(spread(self.kernel_size, 2)), self.windows(sizes)))


class Fold(Patches):
    """Puts windows back onto a map and sums where they overlap: C k^2 x windows to C x H x W."""

    rule = "channels times the window's points x the number of windows become channels x output_size."
    example, example_input = "fold 8 3 p1", "27x64"

    output_size = Numbers("height and width of the map", ge=1)

    @classmethod
    def ordered(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return {"output_size": fields["output_size"], **fields}

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 3, what="channels x windows")
        need_float(inputs[0])
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        batch, channels, count = inputs[0].shape
        points = product(spread(self.kernel_size, 2))
        if need_known(channels, 1) % need_known(points, 1):
            text = f"needs channels that the window's {points} points divide, its input has {channels}"
            raise Misfit(text, field="kernel_size")
        size = spread(self.output_size, 2)
        windows = self.windows(size)
        if need_known(count, 2) != windows:
            text = f"lays {windows} windows on {show(size)}, its input has {count}"
            raise Misfit(text, field="output_size")
        return Tensor((batch, channels // points, *size))
