"""Comparisons, which give booleans, and what is done with booleans."""

from __future__ import annotations

from netspec.layers.base import Op
from netspec.ops.arithmetic import Arithmetic
from netspec.ops.axes import Number
from netspec.ops.broadcasting import broadcast, promoted
from netspec.tensors import Misfit, Tensor


class Comparison(Arithmetic):
    """What all comparisons share: two tensors that broadcast, or one and a number; the result is boolean."""

    keeps = ""
    rule = "The inputs broadcast; the result is booleans."
    verb = "compares"

    def shape(self, *inputs: Tensor) -> Tensor:
        return Tensor(super().shape(*inputs).shape, "bool")


class Eq(Comparison):
    """Tells where the first input equals the second, or a number."""

    example = "eq(x) 0"


class Ne(Comparison):
    """Tells where the first input differs from the second, or from a number."""

    example = "ne(ids) 0"
    example_input = "int 10"


class Lt(Comparison):
    """Tells where the first input is less than the second, or than a number."""

    example = "lt(x) 0.5"


class Le(Comparison):
    """Tells where the first input is at most the second, or a number."""

    example = "le(x) 0.5"


class Gt(Comparison):
    """Tells where the first input is greater than the second, or than a number."""

    example = "gt(x) 0.5"


class Ge(Comparison):
    """Tells where the first input is at least the second, or a number."""

    example = "ge(x) 0.5"


class LogicalNot(Op):
    """Turns true into false and false into true."""

    keeps = ""
    rule = "The shape of the input stays."
    words = ("logical_not",)
    example, example_input = "logical_not(mask)", "bool 10"

    def shape(self, *inputs: Tensor) -> Tensor:
        need_bools(*inputs)
        return inputs[0]


class LogicalAnd(Op):
    """Tells where all inputs are true."""

    keeps = ""
    rule = "The inputs broadcast."
    inputs = (2, 2)
    words = ("logical_and",)
    example, example_input = "logical_and(a b)", "bool 10"

    def shape(self, *inputs: Tensor) -> Tensor:
        need_bools(*inputs)
        return Tensor(broadcast("joins", *inputs), "bool")


class LogicalOr(Op):
    """Tells where either input is true."""

    keeps = ""
    rule = "The inputs broadcast."
    inputs = (2, 2)
    words = ("logical_or",)
    example, example_input = "logical_or(a b)", "bool 10"

    def shape(self, *inputs: Tensor) -> Tensor:
        need_bools(*inputs)
        return Tensor(broadcast("joins", *inputs), "bool")


class Where(Op):
    """Takes the second input where the first is true, elsewhere the third input or a number."""

    keeps = "input"
    rule = "The three inputs broadcast."
    inputs = (2, 3)
    takes = ("condition", "input", "other")
    example, example_input = "where(mask x) 0", "{mask: bool 10, x: 10}"

    other = Number("a number in place of the third input", None)

    def shape(self, *inputs: Tensor) -> Tensor:
        if (self.other is None) == (len(inputs) == 2):
            hint = "As in `where(mask x) 0` or `where(mask x y)`."
            raise Misfit("takes what stands elsewhere as a number or as a third input", hint, code="inputs")
        need_bools(inputs[0])
        return Tensor(broadcast("chooses among", *inputs), promoted((x.dtype for x in inputs[1:]), self.other))


def need_bools(*inputs: Tensor) -> None:
    """Refuse anything but booleans."""
    for x in inputs:
        if x.dtype != "bool":
            raise Misfit(f"takes booleans, its input is {x.dtype}", "Compare first, as in `ne(x) 0`.", code="dtype")
