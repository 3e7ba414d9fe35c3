"""Pooling: windows that slide over space and keep their largest value, or their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from netspec.dims import Size
from netspec.layers.base import Layer, Spatial
from netspec.layers.windows import need_window, same_padding, spread, window
from netspec.records import Bool, Field, Float, Int, Numbers
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor

INDICES = "also give where each largest value stands, as max_unpool wants it"
SAME = "pad by dilation * (kernel - 1) / 2"
CEIL = "let the last window reach beyond the input"
STRIDE = "step of the window; the window's own size if left out"


def pooled(size: Size, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Size:
    """How many windows fit, as torch counts: in ceil mode a window has to start inside the input or its left padding.

    With r = dilation (kernel - 1) + 1 - padding, that is ceil((size + padding - max(r - stride, 0)) / stride).
    """
    if not ceil_mode:
        return window(size, kernel, stride, padding, dilation)
    reach = dilation * (kernel - 1) + 1 - padding
    return (size + padding - max(reach - stride, 0) + stride - 1) // stride


class Pool(Spatial):
    """What all pools with a sliding window share."""

    family = "pooling"
    reads_channels = True
    functional = True

    whole_windows: ClassVar[bool] = False
    """Whether torch refuses a window larger than the input even where padding or ceil mode makes room for it."""
    letters = {"k": "kernel_size", "s": "stride", "p": "padding"}

    kernel_size = Numbers("size of the window", ge=1)
    stride = Numbers(STRIDE, None, ge=1)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        if not getattr(self, "same", False):
            return fitted
        kernel, _, padding, dilation = self._windows(getattr(self, "padding", 0), getattr(self, "dilation", 1))
        given = 0 if not any(padding) else padding
        return fitted.replace(same=False, padding=same_padding(kernel, dilation, given))

    def pooled(self, x: Tensor, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False) -> Tensor:
        """The input's shape with each axis of space counted in windows."""
        sizes = []
        for size, k, s, p, d in zip(x.shape[2:], *self._windows(padding, dilation), strict=True):
            if p > k // 2:
                text = f"has a padding of {p}, which must not be larger than half of the window's {k}"
                raise Misfit(text, field="padding", code="bad-argument")
            if self.whole_windows and isinstance(size, int) and k > size:
                raise Misfit(f"has a window of {k}, larger than its input's {size}", field="kernel_size")
            sizes.append(need_window(pooled(size, k, s, p, d, ceil_mode), size, k, p, d, x.shape[1:]))
        return x.with_shape(*x.shape[:2], *sizes)

    def _windows(self, padding: Any, dilation: Any) -> list[tuple[int, ...]]:
        stride = self.kernel_size if self.stride is None else self.stride
        return [spread(value, self.dims) for value in (self.kernel_size, stride, padding, dilation)]


class MaxPool(Pool):
    """MaxPool1d, 2d and 3d."""

    rule = (
        "Channels stay; each size becomes (size + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, "
        "or rounds up with ceil_mode."
    )
    letters = {"k": "kernel_size", "s": "stride", "p": "padding", "d": "dilation"}
    general = ("pool", "maxpool", "max_pool")
    results = ("output", "indices")

    padding = Numbers("minus infinities added on both sides of each axis", 0)
    dilation = Numbers("spacing between the window's points", 1, ge=1)
    return_indices = Bool(INDICES, False)
    ceil_mode = Bool(CEIL, False)
    same = Bool(SAME, False, torch=False, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor | tuple[Any, ...]:
        return with_indices(self.pooled(inputs[0], self.padding, self.dilation, self.ceil_mode), self.return_indices)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input, and the places of the largest values, given or not."""
        return placed(tape, self, inputs)


def placed(tape: Tape, op: Layer, inputs: Sequence[Held]) -> Any:
    """What a pool gives that takes the largest values, with its input and their places kept."""
    made = tape.plain(op, [tape.full_in_volumes(inputs[0])], "input")
    values, places = made if isinstance(made, tuple) else (made, tape.new(made.shape, dtype="int64"))
    if values.grad:
        tape.keep(places)
    return made


def with_indices(output: Tensor, wanted: bool) -> Tensor | tuple[Any, ...]:
    """The output, followed by the indices where they are wanted."""
    return (output, replace(output, dtype="int64")) if wanted else output


class MaxPool1d(MaxPool):
    """Keeps the largest value of each window of a sequence."""

    dims, rank = 1, 3
    words = ("max_pool1d",)
    example, example_input = "max_pool1d 2", "8x100"


class MaxPool2d(MaxPool):
    """Keeps the largest value of each window of a map."""

    dims, rank = 2, 4
    words = ("max_pool2d",)
    example, example_input = "max_pool2d 3 s2 p1", "8x32x32"


class MaxPool3d(MaxPool):
    """Keeps the largest value of each window of a volume."""

    dims, rank = 3, 5
    words = ("max_pool3d",)
    example, example_input = "max_pool3d 2", "8x16x16x16"


class AvgPool(Pool):
    """AvgPool1d, 2d and 3d."""

    rule = (
        "Channels stay; each size becomes (size + 2 padding - kernel_size) // stride + 1, or rounds up with ceil_mode."
    )
    general = ("avgpool", "avg_pool")

    padding = Numbers("zeros added on both sides of each axis", 0)
    ceil_mode = Bool(CEIL, False)
    count_include_pad = Bool("count the zeros of the padding in the mean", True)
    same = Bool(SAME, False, torch=False, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        return self.pooled(inputs[0], self.padding, ceil_mode=self.ceil_mode)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input."""
        return tape.plain(self, [tape.full_in_volumes(inputs[0])], "input")


class AvgPool1d(AvgPool):
    """Takes the mean of each window of a sequence."""

    dims, rank = 1, 3
    words = ("avg_pool1d",)
    example, example_input = "avg_pool1d 2", "8x100"


class AvgPool2d(AvgPool):
    """Takes the mean of each window of a map."""

    dims, rank = 2, 4
    words = ("avg_pool2d",)
    example, example_input = "avg_pool2d 2", "8x32x32"

    divisor_override = Int("what each sum is divided by, in place of the window's size", None, ge=1)


class AvgPool3d(AvgPool):
    """Takes the mean of each window of a volume."""

    dims, rank = 3, 5
    whole_windows = True
    words = ("avg_pool3d",)
    example, example_input = "avg_pool3d 2", "8x16x16x16"

    divisor_override = Int("what each sum is divided by, in place of the window's size", None, ge=1)


class LPPool(Pool):
    """LPPool1d, 2d and 3d."""

    rule = "Channels stay; each size becomes (size - kernel_size) // stride + 1, or rounds up with ceil_mode."
    general = ("lp_pool",)

    norm_type = Float("the power p: 1 sums, a large one comes near the maximum", gt=0)
    ceil_mode = Bool(CEIL, False)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        return {"norm_type": fields["norm_type"], **fields}

    def shape(self, *inputs: Tensor) -> Tensor:
        return self.pooled(inputs[0], ceil_mode=self.ceil_mode)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its parts keep: the power, the mean, the sign and the magnitude of that, and the root."""
        power = tape.full_in_volumes(tape.each(inputs[0], "input"))
        mean = tape.shaped(self.shape(power.tensor), [power])
        tape.keep(*([power, mean] if mean.grad else ()))
        magnitude = tape.each(tape.each(mean), "result")
        whole = tape.mul(replace(tape.each(mean), grad=False), magnitude)
        return tape.each(tape.each(whole), "input")


class LPPool1d(LPPool):
    """Takes the p-norm of each window of a sequence: (sum of x^p)^(1/p)."""

    dims, rank = 1, 3
    words = ("lp_pool1d",)
    example, example_input = "lp_pool1d 2 4", "8x100"

    kernel_size = Int("size of the window", ge=1)
    stride = Int(STRIDE, None, ge=1)


class LPPool2d(LPPool):
    """Takes the p-norm of each window of a map: (sum of x^p)^(1/p)."""

    dims, rank = 2, 4
    words = ("lp_pool2d",)
    example, example_input = "lp_pool2d 2 3 s2", "8x32x32"


class LPPool3d(LPPool):
    """Takes the p-norm of each window of a volume: (sum of x^p)^(1/p)."""

    dims, rank = 3, 5
    whole_windows = True
    words = ("lp_pool3d",)
    example, example_input = "lp_pool3d 2 2", "8x16x16x16"


class MaxUnpool(Pool):
    """MaxUnpool1d, 2d and 3d."""

    rule = "Channels stay; each size becomes (size - 1) stride - 2 padding + kernel_size."
    general = ("max_unpool",)
    inputs = (2, 2)
    takes = ("input", "indices")

    padding = Numbers("padding that the pool had", 0)

    def fitted(self, *inputs: Tensor) -> Self:
        x, indices = inputs
        if indices.dtype != "int64":
            raise Misfit(f"takes the indices of a max pool as its second input, not {indices.dtype}", code="dtype")
        if indices.shape != x.shape:
            raise Misfit(f"takes an index for each value, its inputs are {x} and {indices}, batch first")
        return super().fitted(x)

    def shape(self, *inputs: Tensor) -> Tensor:
        """(size - 1) stride - 2 padding + kernel_size, as torch documents it."""
        x = inputs[0]
        windows = zip(x.shape[2:], *self._windows(self.padding, 1), strict=True)
        sizes = [(size - 1) * s - 2 * p + k for size, k, s, p, _ in windows]
        if any(isinstance(size, int) and size < 1 for size in sizes):
            raise Misfit(f"has nothing left: the padding of {self.padding} removes the whole output", field="padding")
        return x.with_shape(*x.shape[:2], *sizes)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The places."""
        return tape.plain(self, [*tape.full(inputs[0]), inputs[1]], "second")


class MaxUnpool1d(MaxUnpool):
    """Puts values back where a MaxPool1d took them from, with zeros between."""

    dims, rank = 1, 3
    words = ("max_unpool1d",)
    example, example_input = "max_unpool1d(x i) 2", "{x: 8x50, i: int 8x50}"


class MaxUnpool2d(MaxUnpool):
    """Puts values back where a MaxPool2d took them from, with zeros between."""

    dims, rank = 2, 4
    words = ("max_unpool2d",)
    example, example_input = "max_unpool2d(x i) 2", "{x: 8x16x16, i: int 8x16x16}"


class MaxUnpool3d(MaxUnpool):
    """Puts values back where a MaxPool3d took them from, with zeros between."""

    dims, rank = 3, 5
    words = ("max_unpool3d",)
    example, example_input = "max_unpool3d(x i) 2", "{x: 8x4x4x4, i: int 8x4x4x4}"
