"""Products of matrices and distances between vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.axes import Number, differ
from netspec.ops.broadcasting import broadcast
from netspec.saved import Held, Tape
from netspec.saved.held import number
from netspec.tensors import Misfit, Tensor, need_float


class MatMul(Op):
    """Multiplies matrices: the last axis of the first input with the last but one of the second.

    The axes before these two broadcast.
    """

    rule = "n x k and k x m become n x m; the axes before these broadcast."
    inputs = (2, 2)
    example, example_input = "matmul(a b)", "{a: 10x32, b: 32x20}"

    def shape(self, *inputs: Tensor) -> Tensor:
        a, b = inputs
        need_same_dtype(a, b)
        if not a.shape or not b.shape:
            raise Misfit(f"multiplies matrices, its inputs are {a} and {b}", code="rank")
        need_equal(a.shape[-1], b.shape[-2 if len(b.shape) > 1 else -1], f"multiplies {a} with {b}")
        batch = broadcast("multiplies batches of", Tensor(a.shape[:-2]), Tensor(b.shape[:-2]))
        return a.with_shape(*batch, *a.shape[-2:-1], *(b.shape[-1:] if len(b.shape) > 1 else ()))

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return product(output.shape) * inputs[0].shape[-1]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """For the gradient of each factor the other."""
        return tape.matmul(*inputs)


class BMM(Op):
    """Multiplies two batches of matrices, sample by sample."""

    rule = "batch x n x k and batch x k x m become batch x n x m."
    inputs = (2, 2)
    example, example_input = "bmm(a b)", "{a: 10x32, b: 32x20}"

    def shape(self, *inputs: Tensor) -> Tensor:
        a, b = inputs
        need_same_dtype(a, b)
        if len(a.shape) != 3 or len(b.shape) != 3:
            hint = "matmul takes any number of axes."
            raise Misfit(f"takes two batches of matrices, its inputs are {a} and {b}", hint, code="rank")
        need_equal(a.shape[0], b.shape[0], f"multiplies {a} with {b}, whose batches differ")
        need_equal(a.shape[2], b.shape[1], f"multiplies {a} with {b}")
        return a.with_shape(*a.shape[:2], b.shape[2])

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return product(output.shape) * inputs[0].shape[-1]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """For the gradient of each factor the other."""
        return tape.matmul(*inputs)


class CDist(Op):
    """Gives the distance of every vector of the first input to every vector of the second."""

    rule = "n x width and m x width become n x m; the axes before these broadcast."
    inputs = (2, 2)
    example, example_input = "cdist(a b)", "{a: 10x3, b: 20x3}"

    p = Number("which distance: 2 for the ordinary one", 2.0, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        a, b = inputs
        need_float(a)
        need_float(b)
        if len(a.shape) < 2 or len(b.shape) < 2:
            raise Misfit(f"takes points x coordinates, its inputs are {a} and {b}", code="rank")
        need_equal(a.shape[-1], b.shape[-1], f"measures from {a} to {b}")
        batch = broadcast("measures between batches of", Tensor(a.shape[:-2]), Tensor(b.shape[:-2]))
        return a.with_shape(*batch, a.shape[-2], b.shape[-2])

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Both, as many of them as there are batches where distances are products of matrices, and the distances."""
        one, two = tape.full(*inputs)
        made = tape.new(self.shape(*(x.tensor for x in inputs)).shape, [one, two])
        if self.p == 2 and max(number(one.shape[-2]), number(two.shape[-2])) > 25:
            batch = made.shape[:-2]
            one, two = (
                tape.reshape(x.expand((*batch, *x.shape[-2:])), (product(batch), *x.shape[-2:])) for x in (one, two)
            )
        tape.keep(*((one, two, made) if made.grad else ()))
        return made

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        return product(output.shape) * inputs[0].shape[-1]


def need_equal(a: Size, b: Size, doing: str) -> None:
    """Refuse two sizes that must agree and do not."""
    if a != b:
        code = differ(a, b)
        what = "differ" if code == "shape-mismatch" else "are not known to be equal"
        raise Misfit(f"{doing}: {a} and {b} {what}", code=code)


def need_same_dtype(a: Tensor, b: Tensor) -> None:
    """Refuse dtypes that torch does not multiply."""
    if a.dtype != b.dtype or a.dtype == "bool":
        raise Misfit(f"multiplies {a.dtype} with {b.dtype}", "Bring both to floats with `to float32`.", code="dtype")
