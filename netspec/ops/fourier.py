"""Fourier transforms. A complex tensor is a pair of real ones: its parts .real and .imag."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.axes import Axes, Axis, Extent, axes, axis, put
from netspec.ops.broadcasting import broadcast
from netspec.records import Choice
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Shape, Tensor, need_float

NORMS = ("backward", "ortho", "forward")


class Fourier(Op):
    """What the transforms share."""

    norm = Choice(
        "what is divided by the length: the way back, both by its root, or the way there",
        NORMS,
        "backward",
        keyword=True,
    )

    def _counted(self, sizes: Sequence[Size], values: Size) -> Size | None:
        """2 n log2(n) for each complex row of n, as by halving; None where a length is open."""
        lengths = [size for size in sizes if isinstance(size, int)]
        if len(lengths) < len(sizes):
            return None
        return sum(((2 * values * round(log2(size))) for size in lengths if size > 1), 0)


class FFT(Fourier):
    """Transforms along one axis or several. One input is real, two are the real and the imaginary parts."""

    rule = "Both parts have the shape of the input."
    inputs = (1, 2)
    takes = ("real", "imag")
    results = ("real", "imag")
    example, example_input = "fft -1", "16x32"

    dim = Axes("axes to transform along", (-1,))

    def shape(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = whole(inputs)
        axes(self.dim, x)
        return x, x

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size | None:
        return self._counted([output.shape[at] for at in axes(self.dim, output)], product(output.shape))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The inputs."""
        x = whole([each.tensor for each in inputs])
        return _transformed(tape, x.shape, inputs, sorted(axes(self.dim, x)), parts=True)


class IFFT(FFT):
    """Transforms back along one axis or several. One input is real, two are the real and the imaginary parts."""

    example, example_input = "ifft(a b) -1", "{a: 16x32, b: 16x32}"


class RFFT(Fourier):
    """Transforms real numbers along an axis, and gives the half that tells all."""

    rule = "The axis becomes size // 2 + 1 long, in both parts; all others stay."
    results = ("real", "imag")
    example, example_input = "rfft -1", "16x32"

    dim = Axis("axis to transform along", -1)

    def shape(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = whole(inputs)
        at = axis(self.dim, x)
        half = x.with_shape(*put(x.shape, at, x.shape[at] // 2 + 1))
        return half, half

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size | None:
        x = inputs[0]
        whole = self._counted([x.shape[axis(self.dim, x)]], product(x.shape))
        return None if whole is None else whole // 2

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input."""
        half, _ = self.shape(inputs[0].tensor)
        return _transformed(tape, half.shape, inputs, [axis(self.dim, half)], parts=True)


class IRFFT(Fourier):
    """Transforms the half that rfft gave, its real and imaginary parts, back to real numbers."""

    rule = "The axis becomes n long, or 2 (size - 1) where nothing is said; all others stay."
    inputs = (2, 2)
    takes = ("real", "imag")
    example, example_input = "irfft(a b) 32", "{a: 16x17, b: 16x17}"

    n = Extent("length of the result; an odd one has to be said", None, low=1)
    dim = Axis("axis to transform along", -1)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = whole(inputs)
        at = axis(self.dim, x)
        size = x.shape[at]
        length = (size - 1) * 2 if self.n is None else self.n
        if isinstance(length, int) and length < 1:
            raise Misfit(f"has one frequency on axis {at}, which is half of nothing", "Say n=1.", field="n")
        return x.with_shape(*put(x.shape, at, length))

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size | None:
        whole = self._counted([output.shape[axis(self.dim, output)]], product(output.shape))
        return None if whole is None else whole // 2

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The inputs."""
        found = self.shape(*(x.tensor for x in inputs))
        return _transformed(tape, found.shape, inputs, [axis(self.dim, found)], parts=False)


def _transformed(tape: Tape, shape: Shape, inputs: Sequence[Held], dims: Sequence[int], parts: bool) -> Any:
    """What is made of real numbers or of two parts, which are kept for their gradients. The axes `dims` lie innermost.

    Of several axes, real numbers are made complex ones before, and nothing is kept.
    """
    inputs = tape.full(*inputs)
    if len(inputs) > 1 or len(dims) == 1:
        tape.keep(*(x for x in inputs if x.grad))
    first = inputs[0]
    if len(inputs) > 1 or len(dims) > 1:
        first = tape.new((*whole([x.tensor for x in inputs]).shape, 2), inputs)
    others = [at for at in range(len(shape)) if at not in dims]
    order = [*others, *dims]
    made = tape.new((*(shape[at] for at in order), *((2,) if parts else ())), [first], "float32")
    made = made.permute([*(order.index(at) for at in range(len(shape))), *((len(shape),) if parts else ())])
    return (made.without(-1), made.without(-1)) if parts else made


def whole(inputs: Sequence[Tensor]) -> Tensor:
    """What is transformed: real numbers, or two parts that broadcast to one shape. Raises Misfit."""
    if len(inputs) == 1:
        return Tensor(inputs[0].shape)
    for part in inputs:
        need_float(part)
    return Tensor(broadcast("joins parts of", *inputs))
