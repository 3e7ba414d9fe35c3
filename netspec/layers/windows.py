"""What layers over space share: how many axes there are, and how many windows fit on one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self

from netspec.dims import Size
from netspec.layers.base import Layer
from netspec.records import MAX_INT, REQUIRED, Field
from netspec.several import Several, positive, whole
from netspec.tensors import Misfit, Tensor, need_float, need_rank

AXES = {1: "channels x length", 2: "channels x height x width", 3: "channels x depth x height x width"}


def spread(value: Any, count: int) -> tuple[Any, ...]:
    """One value for each axis: 3 is (3, 3) over two."""
    return value if isinstance(value, tuple) else (value,) * count


def window(size: Size, kernel: int, stride: int, padding: int, dilation: int) -> Size:
    """How many windows fit: floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def same_padding(kernel: Sequence[int], dilation: Sequence[int], padding: Any) -> Any:
    """What `same` pads on both sides of each axis, dilation (kernel - 1) / 2; one number where they are equal.

    Raises Misfit for even kernels, and where a `padding` is given too.
    """
    if padding != 0:
        text = "sets the padding twice, by same and by padding"
        raise Misfit(text, "Keep one of them.", field="same", code="contradiction")
    total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    if any(t % 2 for t in total):
        shown = kernel[0] if len(set(kernel)) == 1 else tuple(kernel)
        text = f"cannot pad an even kernel of {shown} equally on both sides"
        raise Misfit(text, "Use an odd kernel, or write the padding.", field="same", code="even-kernel")
    each = tuple(t // 2 for t in total)
    return each[0] if len(set(each)) == 1 else each


CHANNELS: Final = (1, 3, 4)
"""How many channels images have: grey, colours, colours and transparency."""
SMALL: Final = 8
"""Up to so many rows or columns, a shape may be that of a small map, its channels first."""


def channels_last(sizes: Sequence[Size]) -> bool:
    """Whether a shape looks like height x width x channels."""
    large = all(isinstance(size, int) and size > SMALL for size in sizes[:2])
    return len(sizes) == 3 and sizes[2] in CHANNELS and large


def need_window(out: Size, size: Size, kernel: int, padding: int, dilation: int, sample: Sequence[Size] = ()) -> Size:
    """`out`, unless the window is larger than the padded size that it should slide over, in samples of that shape."""
    if isinstance(out, int) and out < 1:
        padded = f"{size} + 2 x {padding}" if padding else f"{size}"
        text = f"has a window of {dilation * (kernel - 1) + 1}, larger than its input's {padded}"
        hint = "Use a smaller kernel, more padding, or less downsampling before."
        if channels_last(sample):
            hint += " An image is channels x height x width: permute 0 3 1 2 moves channels from the end to the front."
        raise Misfit(text, hint, field="kernel_size")
    return out


def Counts(sentence: str, default: Any = REQUIRED) -> Field[Any]:
    """One whole number of at least 1, or one for each axis, however many those are."""
    return Several(sentence, whole(1), "a whole number greater than 0", default, alone=True)


def Factors(sentence: str, default: Any = REQUIRED, *, lt: float = MAX_INT) -> Field[Any]:
    """One positive number, or one for each axis, however many those are."""
    expected = f"a number greater than 0{f', less than {lt}' if lt < MAX_INT else ''}"
    return Several(sentence, positive(lt), expected, default, alone=True)


def for_axes(name: str, value: Any, count: int) -> tuple[Any, ...]:
    """`value` with one number for each of `count` axes. Raises Misfit where it has another number of them."""
    values = spread(value, count)
    if len(values) != count:
        text = f"has {len(values)} numbers in {name}, its input has {count} axes of space"
        raise Misfit(text, field=name, code="bad-argument")
    return values


class Spatial(Layer):
    """A layer over a batch of channels and `dims` axes of space."""

    dims: ClassVar[int]

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], self.dims + 2, what=AXES[self.dims])
        need_float(inputs[0])
        return super().fitted(*inputs)

    def per_axis(self, *names: str) -> list[tuple[int, ...]]:
        """The named arguments, each with one number for each axis."""
        return [spread(getattr(self, name), self.dims) for name in names]
