"""The same elements more than once, or moved around."""

from __future__ import annotations

from typing import Any

from netspec.layers.base import Op
from netspec.ops.axes import Axes, Axis, Extent, Extents, axes, axis, differ, put
from netspec.saved import Held, Tape
from netspec.several import Dims
from netspec.tensors import Misfit, Tensor, show


class Expand(Op):
    """Stretches axes of size 1 without copying; -1 keeps a size. New axes may come first."""

    is_view = True
    rule = "The sizes that are written; only axes of size 1 stretch, and -1 keeps a size."
    example, example_input = "expand(token) B -1 -1", "{token: parameter 1x1x32}"

    sizes = Dims("sizes of the whole result, the batch included; -1 keeps a size", rest=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        new = len(self.sizes) - len(x.shape)
        if new < 0:
            text = f"stretches to {show(self.sizes)}, its input has {len(x.shape)} axes: {x}"
            raise Misfit(text, "Name every axis, the batch included.", field="sizes", code="rank")
        if -1 in self.sizes[:new]:
            raise Misfit(f"keeps the size of an axis that is new, its input is {x}", field="sizes", code="bad-argument")
        found = list(self.sizes[:new])
        for size, to in zip(x.shape, self.sizes[new:], strict=True):
            if to != -1 and size not in (1, to):
                text = f"stretches {x} to {show(self.sizes)}: {size} is neither 1 nor {to}"
                raise Misfit(text, field="sizes", code=differ(size, to))
            found.append(size if to == -1 else to)
        if 0 in found:
            raise Misfit("stretches to nothing", field="sizes", code="empty")
        return x.with_shape(*found)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a view, whose axis has a stride of 0."""
        return inputs[0].expand(self.shape(inputs[0].tensor).shape)


class Tile(Op):
    """Repeats the whole tensor along its axes; the numbers are for the last axes, as in torch.tile."""

    keeps = ""
    rule = "Each axis multiplied by its number."
    example, example_input = "tile 1 1 4", "16x1"

    dims = Dims("how many times along each axis", low=1, rest=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        sizes = inputs[0].shape
        rank = max(len(sizes), len(self.dims))
        sizes = (1,) * (rank - len(sizes)) + sizes
        times = (1,) * (rank - len(self.dims)) + self.dims
        return inputs[0].with_shape(*(size * n for size, n in zip(sizes, times, strict=True)))


class RepeatInterleave(Op):
    """Repeats each element on an axis, one after the other: a, a, b, b."""

    keeps = ""
    rule = "The axis multiplied by the number of repeats; all others stay."
    words = ("repeat_interleave",)
    example, example_input = "repeat_interleave 2 1", "8x10"

    repeats = Extent("how many times", low=1)
    dim = Axis("axis to repeat on")

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        at = axis(self.dim, x)
        return x.with_shape(*put(x.shape, at, x.shape[at] * self.repeats))


class Roll(Op):
    """Moves elements along axes; what leaves at one end comes back at the other: `roll -3x-3 2x3`."""

    keeps = ""
    rule = "The shape of the input stays."
    example, example_input = "roll -3x-3 2x3", "16x8x8"

    shifts = Extents("how far to move, one number for each axis of `dims`")
    dims = Axes("axes to move along", rest=False)

    def shape(self, *inputs: Tensor) -> Tensor:
        shifts = self.shifts if isinstance(self.shifts, tuple) else (self.shifts,)
        for dim in self.dims:
            axis(dim, inputs[0], "dims")
        if len(shifts) != len(self.dims):
            text = f"has {len(shifts)} shifts for {len(self.dims)} axes"
            raise Misfit(text, "As in `roll -3x-3 2x3`.", field="shifts", code="bad-argument")
        return inputs[0]


class Flip(Op):
    """Reverses the order of the elements along axes."""

    keeps = ""
    rule = "The shape of the input stays."
    example, example_input = "flip 1", "10x32"

    dims = Axes("axes to reverse")

    def shape(self, *inputs: Tensor) -> Tensor:
        axes(self.dims, inputs[0], "dims")
        return inputs[0]
