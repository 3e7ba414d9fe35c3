"""Axes into one number each: sums, means, extremes."""

from __future__ import annotations

from typing import Any, ClassVar

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.axes import Axes, Axis, Number, axes, axis, put
from netspec.ops.broadcasting import need_numbers
from netspec.records import Bool, Int
from netspec.saved import Held, Tape
from netspec.tensors import Dtype, Misfit, Tensor, need_float


class Reduction(Op):
    """What reductions over one axis or several share."""

    rule = "Without the axes named, or with 1 in their place with keepdim; without axes, one number."
    example_input: ClassVar[str] = "16x8x8"

    dim = Axes("axes to reduce; they are dropped")
    keepdim = Bool("keep the axes, with a size of 1", False)

    def shape(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        gone = axes(self.dim, x)
        self.check(x, product(x.shape[at] for at in gone))
        kept = [1 if at in gone else size for at, size in enumerate(x.shape) if self.keepdim or at not in gone]
        return Tensor(tuple(kept), self.result(x))

    def check(self, x: Tensor, count: Size) -> None:
        """Refuse an input that cannot be reduced; `count` elements become one."""
        need_float(x)

    def result(self, x: Tensor) -> Dtype:
        """The dtype of the result for this input."""
        return x.dtype


class Mean(Reduction):
    """Averages over axes: `mean 2 3` over height and width."""

    keeps = ""
    example = "mean 2 3"


class Sum(Reduction):
    """Sums over axes."""

    keeps = ""
    example = "sum 1"

    def check(self, x: Tensor, count: Size) -> None:
        pass

    def result(self, x: Tensor) -> Dtype:
        return "int64" if x.dtype == "bool" else x.dtype


class AMax(Reduction):
    """Takes the largest value over axes."""

    keeps = "input result"
    example = "amax 2 3"

    def check(self, x: Tensor, count: Size) -> None:
        pass


class AMin(Reduction):
    """Takes the smallest value over axes."""

    keeps = "input result"
    example = "amin 2 3"

    def check(self, x: Tensor, count: Size) -> None:
        pass


class LogSumExp(Reduction):
    """Gives log(sum(exp(x))) over axes, computed without overflow."""

    keeps = "input result"
    example = "logsumexp 1"

    def check(self, x: Tensor, count: Size) -> None:
        pass

    def result(self, x: Tensor) -> Dtype:
        return "float32"


class Spread(Reduction):
    """What variance and standard deviation share."""

    correction = Int("what is taken off the number of elements to divide by", 1, ge=0, keyword=True)

    def check(self, x: Tensor, count: Size) -> None:
        need_float(x)
        if isinstance(count, int) and count <= self.correction:
            text = f"measures the spread of {count} element{'s' if count > 1 else ''}, which is not defined"
            raise Misfit(text, "Use more axes or correction=0.", field="dim", code="undefined")


class Var(Spread):
    """Gives the variance over axes."""

    keeps = "input"
    example = "var 1"


class Std(Spread):
    """Gives the standard deviation over axes."""

    keeps = "input result"
    example = "std 1"


class VectorNorm(Reduction):
    """Gives the length of the vectors that lie along axes; for ord=2 the root of the sum of squares."""

    keeps = "input result"
    words = ("vector_norm",)
    example = "vector_norm 1"

    ord: Any = Number("which norm: 2 for the ordinary length, 1 for the sum of absolute values", 2, keyword=True)


class SingleAxis(Op):
    """What reductions over exactly one axis share."""

    rule = "Without the axis named, or with 1 in its place with keepdim."
    example_input: ClassVar[str] = "10x32"

    dim = Axis("axis to reduce; it is dropped")
    keepdim = Bool("keep the axis, with a size of 1", False)

    def reduced(self, x: Tensor) -> Tensor:
        """The input without the axis `dim`, or with size 1 there."""
        at = axis(self.dim, x)
        return x.with_shape(*put(x.shape, at, *([1] if self.keepdim else [])))


class Extremes(SingleAxis):
    """What max and min share: the values, and where on the axis they stand."""

    keeps = "places"
    results = ("values", "indices")

    def shape(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        values = self.reduced(inputs[0])
        return values, Tensor(values.shape, "int64")


class Max(Extremes):
    """Takes the largest value on an axis, as .values, and its place there, as .indices."""

    example = "max 1"


class Min(Extremes):
    """Takes the smallest value on an axis, as .values, and its place there, as .indices."""

    example = "min 1"


class Place(SingleAxis):
    """What argmax and argmin share."""

    def shape(self, *inputs: Tensor) -> Tensor:
        need_numbers("compares", inputs[0])
        return Tensor(self.reduced(inputs[0]).shape, "int64")


class ArgMax(Place):
    """Tells where on an axis the largest value stands."""

    keeps = ""
    example = "argmax 1"


class ArgMin(Place):
    """Tells where on an axis the smallest value stands."""

    keeps = ""
    example = "argmin 1"


class Prod(SingleAxis):
    """Multiplies all values on an axis."""

    example = "prod 1"

    def shape(self, *inputs: Tensor) -> Tensor:
        x = self.reduced(inputs[0])
        return Tensor(x.shape, "int64" if x.dtype == "bool" else x.dtype)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The input and the result, in float32."""
        return tape.plain(self, tape.full(*inputs), "input result")


class CumSum(Op):
    """Sums along an axis, keeping every sum on the way."""

    keeps = ""
    rule = "The shape of the input stays."
    example, example_input = "cumsum 1", "10x32"

    dim = Axis("axis to sum along")

    def shape(self, *inputs: Tensor) -> Tensor:
        axis(self.dim, inputs[0])
        return Tensor(inputs[0].shape, "int64" if inputs[0].dtype == "bool" else inputs[0].dtype)
