"""Padding: rows and columns added around the axes of space, or cut off where the number is negative."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from netspec.dims import Size
from netspec.layers.base import Layer
from netspec.layers.windows import AXES, spread
from netspec.records import MAX_INT, Float, Numbers
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_rank

SENTENCE = "rows to add: one number, or a pair for each axis, the last axis first (left, right, top, bottom)"


class Padding(Layer):
    """What all paddings share."""

    rule = "Channels stay; each size grows by what is added at its two ends."
    functional = True

    dims: ClassVar[int]
    mode: ClassVar[str | None] = None
    """What torch's function calls it, if it does not pad with a constant."""
    limit: ClassVar[int | None] = None
    """How many rows can be added on one side, less the size of the axis."""
    letters = {"p": "padding"}

    padding = Numbers(SENTENCE, ge=-MAX_INT, sides=2)

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], self.dims + 2, what=AXES[self.dims])
        if self.mode in ("reflect", "replicate") and inputs[0].dtype == "bool":
            raise Misfit(f"cannot {self.mode} booleans", code="dtype")
        return self

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        sides = spread(self.padding, 2 * self.dims)
        sizes = list(x.shape)
        for pair in range(self.dims):
            sizes[-1 - pair] = self._padded(sizes[-1 - pair], *sides[2 * pair : 2 * pair + 2])
        return x.with_shape(*sizes)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input where it is reflected or repeated, else nothing."""
        return tape.padded(inputs[0], self.shape(inputs[0].tensor).shape, self.mode or "constant")

    def _padded(self, size: Size, before: int, after: int) -> Size:
        """A size with this much added on both sides; negative numbers cut off. Raises Misfit."""
        out = size + before + after
        if isinstance(out, int) and isinstance(size, int):
            left = size + min(before, 0) + min(after, 0)
            if out < 1 or (left < 0 and self.mode in (None, "circular")):
                raise Misfit(f"has nothing left of a size of {size} with {before} and {after} added", field="padding")
            source = left if self.mode == "circular" else size
            if self.limit is not None and max(before, after) > source + self.limit:
                text = f"adds {max(before, after)} rows of {self.mode} padding, too much for a size of {source}"
                raise Misfit(text, field="padding")
        return out


class ZeroPad1d(Padding):
    """Adds zeros at the ends of a sequence."""

    dims, rank = 1, 3
    general = ("zero_pad", "zeropad")
    example, example_input = "zeropad1d 2", "8x100"


class ZeroPad2d(Padding):
    """Adds zeros around a map."""

    dims, rank = 2, 4
    general = ("zero_pad", "zeropad")
    example, example_input = "zeropad2d 0x1x0x1", "8x32x32"


class ZeroPad3d(Padding):
    """Adds zeros around a volume."""

    dims, rank = 3, 5
    general = ("zero_pad", "zeropad")
    example, example_input = "zeropad3d 1", "8x8x8x8"


class ConstantPad(Padding):
    """ConstantPad1d, 2d and 3d."""

    general = ("constant_pad", "constantpad")

    value = Float("what the new rows hold")


class ConstantPad1d(ConstantPad):
    """Adds a constant at the ends of a sequence."""

    dims, rank = 1, 3
    example, example_input = "constantpad1d 2 -1", "8x100"


class ConstantPad2d(ConstantPad):
    """Adds a constant around a map."""

    dims, rank = 2, 4
    example, example_input = "constantpad2d 2 0.5", "8x32x32"


class ConstantPad3d(ConstantPad):
    """Adds a constant around a volume."""

    dims, rank = 3, 5
    example, example_input = "constantpad3d 1 0.5", "8x8x8x8"


class ReflectionPad(Padding):
    """ReflectionPad1d, 2d and 3d."""

    mode, limit = "reflect", -1
    general = ("reflection_pad", "reflectionpad")


class ReflectionPad1d(ReflectionPad):
    """Continues a sequence by its mirror image, without repeating its ends."""

    dims, rank = 1, 3
    example, example_input = "reflectionpad1d 2", "8x100"


class ReflectionPad2d(ReflectionPad):
    """Continues a map by its mirror image, without repeating its edges."""

    dims, rank = 2, 4
    example, example_input = "reflectionpad2d 1", "8x32x32"


class ReflectionPad3d(ReflectionPad):
    """Continues a volume by its mirror image, without repeating its faces."""

    dims, rank = 3, 5
    example, example_input = "reflectionpad3d 1", "8x8x8x8"


class ReplicationPad(Padding):
    """ReplicationPad1d, 2d and 3d."""

    mode = "replicate"
    general = ("replication_pad", "replicationpad")


class ReplicationPad1d(ReplicationPad):
    """Continues a sequence by its first and last values."""

    dims, rank = 1, 3
    example, example_input = "replicationpad1d 2", "8x100"


class ReplicationPad2d(ReplicationPad):
    """Continues a map by the values on its edges."""

    dims, rank = 2, 4
    example, example_input = "replicationpad2d 1", "8x32x32"


class ReplicationPad3d(ReplicationPad):
    """Continues a volume by the values on its faces."""

    dims, rank = 3, 5
    example, example_input = "replicationpad3d 1", "8x8x8x8"


class CircularPad(Padding):
    """CircularPad1d, 2d and 3d."""

    mode, limit = "circular", 0
    general = ("circular_pad", "circularpad")


class CircularPad1d(CircularPad):
    """Continues a sequence by its other end, as if it were a ring."""

    dims, rank = 1, 3
    example, example_input = "circularpad1d 2", "8x100"


class CircularPad2d(CircularPad):
    """Continues a map by its opposite edges, as if it were a torus."""

    dims, rank = 2, 4
    example, example_input = "circularpad2d 1", "8x32x32"


class CircularPad3d(CircularPad):
    """Continues a volume by its opposite faces."""

    dims, rank = 3, 5
    example, example_input = "circularpad3d 1", "8x8x8x8"
