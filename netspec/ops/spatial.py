"""Maps made larger or smaller, padded, and sampled at other places."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import floor
from typing import Any, Final

from netspec.dims import Dim, Size
from netspec.layers.base import Op
from netspec.ops.axes import Number, differ, need_some
from netspec.ops.broadcasting import need_numbers
from netspec.records import MAX_INT, Bool, Choice, Maybe
from netspec.saved import Held, Tape
from netspec.saved.held import dense
from netspec.several import Dims, Several, positive
from netspec.tensors import Misfit, Shape, Tensor, need_float, show

MODES: Final = {
    "nearest": (3, 4, 5),
    "linear": (3,),
    "bilinear": (4,),
    "bicubic": (4,),
    "trilinear": (5,),
    "area": (3, 4, 5),
    "nearest-exact": (3, 4, 5),
}
"""The ways to interpolate, and for which numbers of axes each is defined."""
_SMOOTH: Final = ("linear", "bilinear", "bicubic", "trilinear")


class Pad(Op):
    """Adds elements at both ends of the last axes: `pad 1 1 2 2` is left, right, top, bottom."""

    rule = "The last axes grow by what is added at their ends; all others stay."
    example, example_input = "pad 1 1 2 2", "16x8x8"

    pad = Dims(
        "how many at the start and the end of the last axis, then of the one before; negative ones crop",
        low=-MAX_INT,
        rest=True,
    )
    mode = Choice("what is added", ("constant", "reflect", "replicate", "circular"), "constant", keyword=True)
    value = Number("the number that is added where mode=constant", 0, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        count = len(self.pad) // 2
        if len(self.pad) % 2 or not 0 < count <= len(x.shape):
            hint = "Two for each axis, the last axis first: left, right, top, bottom."
            raise Misfit(f"has {len(self.pad)} sizes for an input of {x}", hint, field="pad", code="bad-argument")
        if self.mode != "constant":
            self._check_mode(x, count)
            if self.value != 0:
                raise Misfit(f"has a value, which mode={self.mode} does not take", field="value", code="bad-argument")
        sizes = list(x.shape)
        for at in range(count):
            sizes[-1 - at] = padded(sizes[-1 - at], *self.pad[2 * at : 2 * at + 2])
        return x.with_shape(*sizes)

    def _check_mode(self, x: Tensor, count: int) -> None:
        """What torch asks of the modes that copy from the input."""
        if len(x.shape) not in (count + 1, count + 2) or count > 3:
            text = f"has {len(self.pad)} sizes, {self.mode} padding takes two for each axis of space: the input is {x}"
            raise Misfit(text, field="pad", code="rank")
        if self.mode != "circular":
            need_numbers("copies", x)
        for at, amount in enumerate(self.pad):
            size = x.shape[-1 - at // 2]
            if isinstance(amount, Dim):
                continue
            if amount < 0:
                raise Misfit(f"crops with {self.mode} padding", "Crop with slice.", field="pad", code="negative-pad")
            limit = {"reflect": -1, "circular": 0}.get(self.mode)
            if limit is not None and isinstance(size, int) and amount > size + limit:
                raise Misfit(f"has {self.mode} padding of {amount}, too much for a size of {size}", field="pad")

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input where it is reflected or repeated, else nothing."""
        return tape.padded(inputs[0], self.shape(inputs[0].tensor).shape, self.mode)


def padded(size: Size, before: Size, after: Size) -> Size:
    """The size with these added; negative ones crop, before anything is added."""
    text = f"adds {before} and {after} to a size of {size}, which leaves nothing"
    need_some(size + before + after, text, "pad")
    if isinstance(size, int) and isinstance(before, int) and isinstance(after, int):
        need_some(size + min(before, 0) + min(after, 0) + 1, text, "pad")
    return size + before + after


class Interpolate(Op):
    """Makes maps larger or smaller, to a size or by a factor: `interpolate scale_factor=2 mode=bilinear`."""

    rule = "Channels stay; the sizes become size, or scale_factor times themselves, rounded down."
    example, example_input = "interpolate 32x32 mode=bilinear", "16x8x8"

    size = Maybe(Dims("sizes of the result's axes of space, or one for all", None, low=1))
    scale_factor = Several(
        "how many times larger, one number or one for each axis of space",
        positive(below=10**6),
        "a positive number, or one for each axis of space",
        None,
        alone=True,
        keyword=True,
    )
    mode = Choice("how values between the elements are found", tuple(MODES), "nearest", keyword=True)
    align_corners = Bool("let the corners of input and result coincide, not their edges", None, keyword=True)
    antialias = Bool("smooth when making smaller", False, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        self._check(x)
        space = x.shape[2:]
        if self.size is not None:
            sizes = self._each(self.size, len(space), "size")
        else:
            factors = self._each(self.scale_factor, len(space), "scale_factor")
            sizes = tuple(scaled(size, factor) for size, factor in zip(space, factors, strict=True))
        for before, size in zip(space, sizes, strict=True):
            need_some(size, f"shrinks a size of {before} to nothing", "scale_factor")
        return x.with_shape(*x.shape[:2], *sizes)

    def _check(self, x: Tensor) -> None:
        """Refuse an input or arguments that torch does not take. Raises Misfit."""
        need_float(x)
        if (self.size is None) == (self.scale_factor is None):
            hint = "As in `interpolate 32x32` or `interpolate scale_factor=2`."
            raise Misfit("takes either a size or a scale_factor", hint, code="bad-argument")
        if len(x.shape) not in MODES[self.mode]:
            ways = ", ".join(mode for mode, ranks in MODES.items() if len(x.shape) in ranks) or "none"
            text = f"cannot interpolate {x}, batch included, with mode={self.mode}"
            raise Misfit(text, f"For as many axes there are: {ways}.", field="mode", code="rank")
        if self.align_corners is not None and self.mode not in _SMOOTH:
            text = f"has align_corners, which mode={self.mode} does not know"
            raise Misfit(text, f"It belongs to {', '.join(_SMOOTH)}.", field="align_corners", code="bad-argument")
        if self.antialias and self.mode not in ("bilinear", "bicubic"):
            raise Misfit("smooths only with bilinear or bicubic", field="antialias", code="bad-argument")

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; the input where the elements between are means."""
        shape = self.shape(inputs[0].tensor).shape
        return tape.averaged(inputs[0], shape) if self.mode == "area" else tape.plain(self, inputs)

    def _each(self, value: Any, count: int, field: str) -> tuple[Any, ...]:
        """One number for each axis of space."""
        numbers = value if isinstance(value, tuple) else (value,)
        if field == "size" and len(numbers) == 1:
            return numbers * count
        if not isinstance(value, tuple):
            return numbers * count
        if len(numbers) != count:
            raise Misfit(f"has {len(numbers)} numbers for {count} axes of space", field=field, code="bad-argument")
        return numbers


def scaled(size: Size, factor: float) -> Size:
    """floor(size * factor), as torch computes it; exact where the size is known only at run time."""
    if isinstance(size, int):
        return floor(size * factor)
    exact = Fraction(factor).limit_denominator(10**6)
    if float(exact) != factor:
        hint = "Use a factor that is a fraction, or give a size."
        raise Misfit(f"cannot tell the size of {size} times {factor}", hint, field="scale_factor", code="unknown-size")
    return size * exact.numerator // exact.denominator


class GridSample(Op):
    """Takes values from a map at the places that the second input gives, as x, y between -1 and 1."""

    rule = "The channels of the map x the height and width of the grid."
    inputs = (2, 2)
    takes = ("input", "grid")
    words = ("grid_sample",)
    example, example_input = "grid_sample(x grid)", "{x: 3x32x32, grid: 16x16x2}"

    mode = Choice("how values between the elements are found", ("bilinear", "nearest", "bicubic"), "bilinear")
    padding_mode = Choice("what lies outside", ("zeros", "border", "reflection"), "zeros", keyword=True)
    align_corners = Bool("-1 and 1 are the centres of the corners, not their edges", False, torch_default=None)

    def shape(self, *inputs: Tensor) -> Tensor:
        x, grid = inputs
        need_float(x)
        need_float(grid)
        dims = len(x.shape) - 2
        if dims not in (2, 3) or len(grid.shape) != len(x.shape):
            raise Misfit(f"takes maps and a grid of as many axes, its inputs are {x} and {grid}", code="rank")
        if grid.shape[-1] != dims:
            raise Misfit(f"takes a grid of {dims} coordinates, it is {grid}", code=differ(grid.shape[-1], dims))
        if x.shape[0] != grid.shape[0]:
            raise Misfit(f"samples {x} at {grid}, whose batches differ", code=differ(x.shape[0], grid.shape[0]))
        if self.mode == "bicubic" and dims == 3:
            raise Misfit("is bicubic only over height and width", field="mode", code="rank")
        return x.with_shape(*x.shape[:2], *grid.shape[1:-1])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The map and the places."""
        made = tape.plain(self, tape.full(*inputs), "inputs")
        return replace(made, strides=dense(made.shape))


class AffineGrid(Op):
    """Gives the grid of places for grid_sample that turns, shifts and scales by a matrix for each sample."""

    rule = "batch x height x width x 2 for the size that is written."
    words = ("affine_grid",)
    example, example_input = "affine_grid(theta) Bx1x16x16", "2x3"

    size = Dims("size of the map that is to be sampled: batch, channels, height, width", low=1)
    align_corners = Bool("-1 and 1 are the centres of the corners, not their edges", False, torch_default=None)

    def shape(self, *inputs: Tensor) -> Tensor:
        theta = inputs[0]
        need_float(theta)
        dims = len(self.size) - 2
        if dims not in (2, 3):
            raise Misfit(f"makes a grid for maps or volumes, size has {dims + 2} numbers", field="size", code="rank")
        expected: Shape = (self.size[0], dims, dims + 1)
        if theta.shape != expected:
            unknown = any(isinstance(size, Dim) for size in (*theta.shape, self.size[0]))
            code = "unknown-size" if unknown and len(theta.shape) == 3 else "shape-mismatch"
            raise Misfit(f"takes matrices of {show(expected)}, its input is {theta}", code=code)
        return theta.with_shape(self.size[0], *self.size[2:], dims)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; it is a product of matrices."""
        return tape.plain(self, tape.low(*inputs))
