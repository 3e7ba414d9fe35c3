"""Arithmetic between tensors, or between a tensor and a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from netspec.layers.base import Op
from netspec.ops.axes import MANY, Number
from netspec.ops.broadcasting import broadcast, need_numbers, promoted
from netspec.records import Field
from netspec.saved import Held, Tape
from netspec.saved.held import dense
from netspec.tensors import Dtype, Misfit, Tensor


class Arithmetic(Op):
    """What all arithmetic shares: two tensors that broadcast, or one tensor and a number."""

    rule = "The inputs broadcast: axes are aligned from the last, and sizes of 1 stretch."
    inputs = (1, 2)
    example_input = "16x8x8"
    verb: ClassVar[str]

    other: Field[Any] = Number("a number in place of the second input", None)

    def shape(self, *inputs: Tensor) -> Tensor:
        if len(inputs) > 1 and self.other is not None:
            raise Misfit(f"{self.verb} {len(inputs)} inputs and the number {self.other}", _WAYS, code="inputs")
        if len(inputs) == 1 and self.other is None:
            raise Misfit(f"{self.verb} one input only", _WAYS, code="inputs")
        return Tensor(broadcast(self.verb, *inputs), self.result(*inputs))

    def result(self, *inputs: Tensor) -> Dtype:
        """The dtype of the result, by torch's rules of promotion. Raises Misfit."""
        return promoted((x.dtype for x in inputs), self.other)


_WAYS = "Give it two inputs, `add(x skip)`, or one and a number, `add(x) 1`."


class Add(Arithmetic):
    """Adds inputs, or a number to an input, element by element."""

    keeps = ""
    keeps_axes = True
    inputs = (1, MANY)
    verb = "adds"
    bare = 1
    example = "add(x skip)"

    def result(self, *inputs: Tensor) -> Dtype:
        if self._negative():
            need_numbers(self.verb, *inputs)
        return super().result(*inputs)

    def _negative(self) -> bool:
        """Whether a negative number is added."""
        return isinstance(self.other, int | float) and self.other < 0


class Sub(Arithmetic):
    """Subtracts the second input, or a number, from the first."""

    keeps = ""
    verb = "subtracts"
    bare = 1
    example = "sub(x mean)"

    def result(self, *inputs: Tensor) -> Dtype:
        need_numbers(self.verb, *inputs)
        return super().result(*inputs)


class RSub(Sub):
    """Subtracts the input from a number: `rsub 1` is 1 - x. With two inputs, the first from the second."""

    example = "rsub(gate) 1"


class Mul(Arithmetic):
    """Multiplies inputs, or an input by a number, element by element."""

    keeps_axes = True
    inputs = (1, MANY)
    verb = "multiplies"
    bare = 1
    example = "mul(x gate)"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """For the gradient of each factor the other."""
        if len(inputs) == 1:
            return tape.plain(self, inputs)
        total = inputs[0]
        for each in inputs[1:]:
            total = tape.mul(total, each)
        return total


class Div(Arithmetic):
    """Divides the first input by the second, or by a number; whole numbers give floats."""

    verb = "divides"
    bare = 1
    example = "div(x norm)"

    def result(self, *inputs: Tensor) -> Dtype:
        return "float32"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The divisor, and for its gradient both."""
        return tape.div(*inputs) if len(inputs) == 2 else tape.plain(self, inputs)


class Power(Arithmetic):
    """What powers share."""

    verb = "raises"

    def result(self, *inputs: Tensor) -> Dtype:
        found = super().result(*inputs)
        if found == "bool":
            need_numbers(self.verb, *inputs)
        return found


class Pow(Power):
    """Raises the first input to the power of the second, or of a number."""

    example = "pow(x) 2"

    def result(self, *inputs: Tensor) -> Dtype:
        found = super().result(*inputs)
        if found == "int64" and isinstance(self.other, int) and self.other < 0:
            hint = "Write the exponent as a float, such as -1.0."
            raise Misfit(f"raises whole numbers to the power of {self.other}", hint, field="other", code="dtype")
        return found

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Base and exponent, and where the exponent is computed the result."""
        return _power(tape, self, *inputs)


def _power(tape: Tape, op: Power, base: Held, *exponent: Held) -> Any:
    """A power: base and exponent are kept, and where the exponent is computed the result."""
    return tape.plain(op, (base, *exponent), "inputs result" if exponent else "inputs")


class RPow(Power):
    """Raises a number to the power of the input: `rpow 2` is 2 ** x. With two inputs, the second to the first."""

    example = "rpow(x) 2.0"

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The exponent and the result."""
        if len(inputs) == 2:
            return _power(tape, self, *reversed(inputs))
        made = tape.plain(self, inputs, "input result")
        return replace(made, strides=dense(made.shape))


class Extreme(Arithmetic):
    """What maximum and minimum share."""

    keeps = "inputs"
    bound: ClassVar[str]

    def result(self, *inputs: Tensor) -> Dtype:
        if self.other is not None:
            need_numbers(self.verb, *inputs)
        return super().result(*inputs)


class Maximum(Extreme):
    """Gives the larger of two inputs, or of an input and a number, element by element."""

    verb, bound = "compares", "min"
    example = "maximum(a b)"


class Minimum(Extreme):
    """Gives the smaller of two inputs, or of an input and a number, element by element."""

    verb, bound = "compares", "max"
    example = "minimum(a b)"


class Lerp(Op):
    """Goes from the first input towards the second: a + weight * (b - a). A third input is the weight."""

    rule = "The inputs broadcast: axes are aligned from the last, and sizes of 1 stretch."
    inputs = (2, 3)
    takes = ("input", "end", "weight")
    example, example_input = "lerp(a b) 0.5", "16x8x8"

    weight = Number("how far to go, where 0 is the first input and 1 the second", None)

    def shape(self, *inputs: Tensor) -> Tensor:
        if (self.weight is None) == (len(inputs) == 2):
            raise Misfit("takes its weight as a number or as a third input", "As in `lerp(a b) 0.5`.", code="inputs")
        if any(x.dtype != "float32" for x in inputs):
            raise Misfit(f"takes floats, its inputs are {', '.join(x.dtype for x in inputs)}", code="dtype")
        return Tensor(broadcast("blends", *inputs))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """A weight that is computed, and for its gradient both others."""
        one, other, *weight = inputs
        tape.keep(*((one, other) if any(each.grad for each in weight) else ()))
        tape.keep(*(weight if one.grad or other.grad else ()))
        return tape.plain(self, inputs)
