"""Functions of each element by itself."""

from __future__ import annotations

from typing import Any, ClassVar

from netspec.layers.base import Op
from netspec.ops.axes import Number
from netspec.ops.broadcasting import need_numbers, promoted
from netspec.records import Choice
from netspec.saved import Held, Tape
from netspec.tensors import Dtype, Misfit, Tensor


class Elementwise(Op):
    """What functions of one element share: the shape stays, the result is a float."""

    rule = "The shape of the input stays."
    example_input: ClassVar[str] = "16x8x8"

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor(inputs[0].shape, self.result(inputs[0]))

    def result(self, x: Tensor) -> Dtype:
        """The dtype of the result for this input. Raises Misfit."""
        return "float32"


class Numeric(Elementwise):
    """What functions share that leave whole numbers whole, and take no booleans."""

    def result(self, x: Tensor) -> Dtype:
        need_numbers("takes", x)
        return x.dtype


class Neg(Numeric):
    """Changes the sign."""

    keeps = ""
    example = "neg"


class Abs(Numeric):
    """Gives the absolute value."""

    keeps = "input"
    example = "abs"


class Sign(Elementwise):
    """Gives -1, 0 or 1: the sign."""

    keeps = ""
    example = "sign"

    def result(self, x: Tensor) -> Dtype:
        return x.dtype


class Square(Elementwise):
    """Multiplies the input by itself."""

    keeps = "input"
    example = "square"

    def result(self, x: Tensor) -> Dtype:
        return promoted([x.dtype], 1)


class Floor(Numeric):
    """Rounds down."""

    keeps = ""
    example = "floor"


class Ceil(Numeric):
    """Rounds up."""

    keeps = ""
    example = "ceil"


class Round(Numeric):
    """Rounds to the nearest whole number, halves to the even one."""

    keeps = ""
    example = "round"


class Sqrt(Elementwise):
    """Gives the square root."""

    keeps = "result"
    example = "sqrt"


class RSqrt(Elementwise):
    """Gives one over the square root."""

    keeps = "result"
    example = "rsqrt"


class Reciprocal(Elementwise):
    """Gives one over the input."""

    keeps = "result"
    example = "reciprocal"


class Exp(Elementwise):
    """Gives e to the power of the input."""

    keeps = "result"
    example = "exp"


class Log(Elementwise):
    """Gives the natural logarithm."""

    keeps = "input"
    example = "log"


class Log1p(Elementwise):
    """Gives the natural logarithm of 1 + x."""

    keeps = "input"
    example = "log1p"


class Sin(Elementwise):
    """Gives the sine."""

    keeps = "input"
    example = "sin"


class Cos(Elementwise):
    """Gives the cosine."""

    keeps = "input"
    example = "cos"


class Erf(Elementwise):
    """Gives the error function, the integral of the bell curve."""

    keeps = "input"
    example = "erf"


class Clamp(Elementwise):
    """Keeps every element between two bounds."""

    keeps = "input"
    example = "clamp -1 1"
    words = ("clip",)

    min = Number("lower bound", None)
    max = Number("upper bound", None)

    def result(self, x: Tensor) -> Dtype:
        if self.min is None and self.max is None:
            raise Misfit("has no bound", "Give it min, max or both.", code="missing-argument")
        need_numbers("takes", x)
        return promoted([promoted([x.dtype], self.min)], self.max)


class To(Elementwise):
    """Turns the input into another dtype."""

    example = "to float32"
    words = ("cast",)

    takes_dtype = True
    dtype = Choice("int64, bool, or float32 for the floats that the network computes in", ("float32", "int64", "bool"))

    def result(self, x: Tensor) -> Dtype:
        found: Dtype = self.dtype  # type: ignore[assignment]
        return found

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing: a cast knows what it was cast from."""
        x = inputs[0]
        return x if x.dtype == self.dtype else tape.each(x, dtype=self.dtype)
