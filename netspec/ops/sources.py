"""Values that are made from nothing, on the device of the network: constants, ranges, noise.

A source takes no input; its `call` is given the text of a tensor to take the device from, and where it makes floats
that of the dtype which the network computes in.
"""

from __future__ import annotations

from typing import Any, ClassVar

from netspec.dims import Size
from netspec.layers.base import Op
from netspec.ops.axes import Extent, Number, need_some
from netspec.records import MAX_INT, Checked, Choice, Int, refuse
from netspec.saved import Held, Tape
from netspec.several import Dims
from netspec.tensors import Dtype, Misfit, Tensor


class Source(Op):
    """What all sources share."""

    keeps = ""
    inputs = (0, 0)
    source = True
    needs_device = True


class Filled(Source):
    """What sources of one shape share."""

    rule = "The shape that is written."
    size = Dims("sizes; none of them is the batch unless it is written", low=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor(self.size, self.result())

    def result(self) -> Dtype:
        """The dtype of what is made."""
        return "float32"


class Typed(Filled):
    """What zeros and ones share."""

    dtype = Choice("int64 or bool in place of floats", ("float32", "int64", "bool"), None, keyword=True)

    def result(self) -> Dtype:
        found: Any = self.dtype or "float32"
        return found  # type: ignore[no-any-return]


class Zeros(Typed):
    """Makes a tensor of zeros."""

    example = "zeros 2xBx32"


class Ones(Typed):
    """Makes a tensor of ones."""

    example = "ones 10x10 dtype=bool"


class Randn(Filled):
    """Makes new noise at every run, from a normal distribution of mean 0 and variance 1."""

    example = "randn Bx16"


class Rand(Filled):
    """Makes new noise at every run, evenly spread from 0 to 1."""

    example = "rand Bx16"


class Full(Filled):
    """Makes a tensor of one number; a whole number gives whole numbers."""

    example = "full 3x4 0.5"

    value = Number("the number")

    def result(self) -> Dtype:
        return "float32" if isinstance(self.value, float) else "int64"


class Eye(Source):
    """Makes a matrix with ones on its diagonal and zeros elsewhere."""

    rule = "n x n, or n x m."
    example = "eye 64"

    n = Extent("rows", low=1)
    m = Extent("columns; as many as rows without it", None, low=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor((self.n, self.n if self.m is None else self.m))


class Arange(Source):
    """Counts: `arange T` is 0, 1, 2, ... up to the last place of an axis."""

    counts = True
    rule = "One axis, as long as it counts."
    example, example_input = "arange T", ""

    end = Extent("where to stop; this number is not reached")
    start = Extent("where to begin", 0, keyword=True)
    step = Int("distance between two numbers", 1, ge=1, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        count: Size = self.end - self.start if self.step == 1 else -((self.start - self.end) // self.step)
        return Tensor((need_some(count, f"counts from {self.start} to {self.end}, which is nothing", "end"),), "int64")


class Linspace(Source):
    """Goes evenly from one number to another, both of them included."""

    rule = "One axis of as many steps as are written."
    example = "linspace -1 1 32"

    start = Number("the first number")
    end = Number("the last number")
    steps = Extent("how many numbers", low=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor((self.steps,))


class Causal(Source):
    """Makes a mask to be added to scores: minus infinity where a place would see what comes after it, else 0."""

    rule = "length x length."
    example = "causal T"

    size = Extent("length of the sequence", low=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor((self.size, self.size))


def _numbers(value: Any) -> Any:
    """A number, or nested lists of numbers whose lengths agree."""
    if isinstance(value, list | tuple):
        items = [_numbers(v) for v in value]
        if not items or len({_lengths(v) for v in items}) > 1:
            raise refuse("numbers, or lists of numbers that are equally long")
        return items
    if type(value) in (int, float, bool) and abs(value) <= MAX_INT:
        return value
    raise refuse("a number, or lists of numbers")


def _lengths(value: Any) -> tuple[int, ...]:
    """The shape of nested lists, as far as their first entries tell."""
    return (len(value), *_lengths(value[0])) if isinstance(value, list) else ()


def _leaves(value: Any) -> list[Any]:
    """The numbers of nested lists, in order."""
    return [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]


class Constant(Source):
    """Makes a tensor of numbers that are written in the spec: `constant 0.485x0.456x0.406`."""

    rule = "The shape of the numbers that are written."
    example = "constant 0.485x0.456x0.406"

    kinds: ClassVar[tuple[tuple[type, Dtype], ...]] = ((float, "float32"), (int, "int64"), (bool, "bool"))
    value = Checked("a number, or nested lists of numbers", _numbers, {"type": ["number", "array"]})

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor(_lengths(self.value), self.result())

    def result(self) -> Dtype:
        """The dtype that torch gives these numbers."""
        found = {type(leaf) for leaf in _leaves(self.value)}
        return next(dtype for kind, dtype in self.kinds if kind in found)


class Like(Op):
    """What sources share that take their shape from an input."""

    rule = "The shape of the input stays."
    example_input: ClassVar[str] = "16x8"

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing, and no gradient goes through it."""
        return tape.new(inputs[0].shape, dtype=inputs[0].dtype, like=inputs[0])


class ZerosLike(Like):
    """Makes zeros in the shape and dtype of the input."""

    words = ("zeros_like",)
    example = "zeros_like"


class OnesLike(Like):
    """Makes ones in the shape and dtype of the input."""

    words = ("ones_like",)
    example = "ones_like"


class Noise(Like):
    """What noise in the shape of an input shares."""

    def shape(self, *inputs: Tensor) -> Tensor:
        if inputs[0].dtype != "float32":
            raise Misfit(f"makes floats in the shape of floats, its input is {inputs[0].dtype}", code="dtype")
        return inputs[0]


class RandnLike(Noise):
    """Makes new noise at every run, in the shape of the input, from a normal distribution."""

    words = ("randn_like",)
    example = "randn_like"


class RandLike(Noise):
    """Makes new noise at every run, in the shape of the input, evenly spread from 0 to 1."""

    words = ("rand_like",)
    example = "rand_like"
