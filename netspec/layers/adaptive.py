"""Pooling to a chosen size: adaptive, global and fractional."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from netspec.dims import Size
from netspec.layers.base import Layer, Spatial
from netspec.layers.pooling import INDICES, placed, with_indices
from netspec.layers.windows import Factors, for_axes, spread
from netspec.records import Bool, Numbers
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_float, need_known, need_rank


class AdaptivePool(Spatial):
    """What all adaptive pools share: windows as large as the wanted size asks for."""

    family = "pooling"
    reads_channels = True
    rule = "Channels stay; the sizes become output_size, null keeping the input's own."
    functional = True
    output_size = Numbers("size of the output; null keeps the input's own", ge=1, optional=True)

    def resized(self, x: Tensor) -> Tensor:
        """The input with its axes of space as `output_size` says; one that is null there stays."""
        wanted = spread(self.output_size, self.dims)
        sizes = [size if want is None else want for size, want in zip(x.shape[2:], wanted, strict=True)]
        return x.with_shape(*x.shape[:2], *sizes)


class AdaptiveAvgPool(AdaptivePool):
    """AdaptiveAvgPool1d, 2d and 3d."""

    general = ("adaptive_avgpool", "adaptive_avg_pool")

    def shape(self, *inputs: Tensor) -> Tensor:
        return self.resized(inputs[0])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input; nothing where there is one window, which is a mean."""
        return tape.averaged(inputs[0], self.resized(inputs[0].tensor).shape)


class AdaptiveAvgPool1d(AdaptiveAvgPool):
    """Takes means over a sequence in as many windows as asked for, whatever its length."""

    dims, rank = 1, 3
    words = ("adaptive_avg_pool1d",)
    example, example_input = "adaptive_avg_pool1d 5", "8x100"

    output_size = Numbers("length of the output", ge=1)


class AdaptiveAvgPool2d(AdaptiveAvgPool):
    """Takes means over a map in as many windows as asked for, whatever its size."""

    dims, rank = 2, 4
    words = ("adaptive_avg_pool2d",)
    example, example_input = "adaptive_avg_pool2d 7", "8x32x32"


class AdaptiveAvgPool3d(AdaptiveAvgPool):
    """Takes means over a volume in as many windows as asked for, whatever its size."""

    dims, rank = 3, 5
    words = ("adaptive_avg_pool3d",)
    example, example_input = "adaptive_avg_pool3d 2", "8x16x16x16"


class AdaptiveMaxPool(AdaptivePool):
    """AdaptiveMaxPool1d, 2d and 3d."""

    general = ("adaptive_maxpool", "adaptive_max_pool")
    results = ("output", "indices")

    return_indices = Bool(INDICES, False)

    def shape(self, *inputs: Tensor) -> Tensor | tuple[Any, ...]:
        return with_indices(self.resized(inputs[0]), self.return_indices)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and the places of the largest values, given or not."""
        return placed(tape, self, inputs)


class AdaptiveMaxPool1d(AdaptiveMaxPool):
    """Keeps the largest values of a sequence in as many windows as asked for, whatever its length."""

    dims, rank = 1, 3
    words = ("adaptive_max_pool1d",)
    example, example_input = "adaptive_max_pool1d 1", "8x100"

    output_size = Numbers("length of the output", ge=1)


class AdaptiveMaxPool2d(AdaptiveMaxPool):
    """Keeps the largest values of a map in as many windows as asked for, whatever its size."""

    dims, rank = 2, 4
    words = ("adaptive_max_pool2d",)
    example, example_input = "adaptive_max_pool2d 1", "8x32x32"


class AdaptiveMaxPool3d(AdaptiveMaxPool):
    """Keeps the largest values of a volume in as many windows as asked for, whatever its size."""

    dims, rank = 3, 5
    words = ("adaptive_max_pool3d",)
    example, example_input = "adaptive_max_pool3d 2", "8x16x16x16"


class GAP(Layer):
    """Takes the mean of each channel over all of space and keeps the axes, now of size 1."""

    family = "pooling"
    rule = "Channels stay; every other axis becomes 1."
    functional = True
    words = ("gap",)
    example, example_input = "gap", "8x7x7"

    dims = 2
    """Axes of space in the input, known once it is fitted."""

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], 3, 4, 5, what="channels and 1 to 3 axes of space")
        need_float(inputs[0])
        return self.replace(dims=len(inputs[0].shape) - 2)

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_shape(*inputs[0].shape[:2], *(1,) * self.dims)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing, as it is a mean."""
        return tape.averaged(inputs[0], self.shape(inputs[0].tensor).shape)


class FractionalMaxPool(Spatial):
    """FractionalMaxPool2d and 3d: windows at random places, which shrink a map by any ratio."""

    family = "pooling"
    reads_channels = True
    rule = "Channels stay; the sizes become output_size, or output_ratio of themselves, rounded down."
    general = ("fractional_max_pool",)
    letters = {"k": "kernel_size"}
    results = ("output", "indices")
    spare: ClassVar[int]
    """How much larger than the windows need the input must be."""

    kernel_size = Numbers("size of the window", ge=1)
    output_size = Numbers("size of the output; this or output_ratio", None, ge=1)
    output_ratio = Factors("size of the output as a part of the input's", None, lt=1)
    return_indices = Bool(INDICES, False)

    def shape(self, *inputs: Tensor) -> Tensor | tuple[Any, ...]:
        x = inputs[0]
        if (self.output_size is None) == (self.output_ratio is None):
            text = "needs one of output_size and output_ratio"
            raise Misfit(text, field=None if self.output_size is None else "output_ratio", code="bad-argument")
        sizes = self._sizes(x.shape[2:])
        for axis, (size, out, k) in enumerate(
            zip(x.shape[2:], sizes, spread(self.kernel_size, self.dims), strict=True)
        ):
            if out < 1 or out + k - 1 + self.spare > need_known(size, axis + 2):
                text = f"cannot take {out} windows of {k} from a size of {size}"
                raise Misfit(text, "Use a smaller window or output.", field="kernel_size")
        return with_indices(x.with_shape(*x.shape[:2], *sizes), self.return_indices)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and the places of the largest values, given or not."""
        return placed(tape, self, [tape.contiguous(x) for x in tape.full(*inputs)])

    def _sizes(self, sizes: tuple[Size, ...]) -> tuple[int, ...]:
        """The sizes of the output for those of the input, channels left out."""
        if self.output_ratio is None:
            return spread(self.output_size, self.dims)
        ratios = for_axes("output_ratio", self.output_ratio, self.dims)
        return tuple(int(need_known(size, i + 2) * r) for i, (size, r) in enumerate(zip(sizes, ratios, strict=True)))


class FractionalMaxPool2d(FractionalMaxPool):
    """Keeps the largest values of a map in windows at random places, so that it can shrink by any ratio."""

    dims, rank, spare = 2, 4, 0
    words = ("fractional_max_pool2d",)
    example, example_input = "fractional_max_pool2d 2 output_ratio=0.7", "8x32x32"


class FractionalMaxPool3d(FractionalMaxPool):
    """Keeps the largest values of a volume in windows at random places, so that it can shrink by any ratio."""

    dims, rank, spare = 3, 5, 1
    words = ("fractional_max_pool3d",)
    example, example_input = "fractional_max_pool3d 2 output_ratio=0.7", "8x16x16x16"
