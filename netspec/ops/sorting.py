"""Orders along an axis: the largest places, and all of them in order."""

from __future__ import annotations

from netspec.layers.base import Op
from netspec.ops.axes import Axis, Extent, axis, put
from netspec.ops.broadcasting import need_numbers
from netspec.records import Bool
from netspec.tensors import Misfit, Tensor


class TopK(Op):
    """Takes the k largest values on an axis, as .values, and their places there, as .indices."""

    keeps = "places"
    rule = "The axis becomes k long; all others stay."
    results = ("values", "indices")
    example, example_input = "topk 3", "10x32"

    k = Extent("how many", low=1)
    dim = Axis("axis to take them on", -1)
    largest = Bool("the largest, not the smallest", True)
    sorted = Bool("in order", True)

    def picks_along(self) -> int:
        return int(self.dim)

    def shape(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        x = inputs[0]
        need_numbers("compares", x)
        at = axis(self.dim, x)
        size = x.shape[at]
        if isinstance(size, int) and isinstance(self.k, int) and self.k > size:
            raise Misfit(f"takes {self.k} places of {size} on axis {at}", "Take fewer.", field="k")
        values = x.with_shape(*put(x.shape, at, self.k))
        return values, Tensor(values.shape, "int64")


class Sort(Op):
    """Puts the values on an axis in order, as .values, and tells where each stood, as .indices."""

    keeps = "places"
    rule = "The shape of the input stays."
    results = ("values", "indices")
    example, example_input = "sort", "10x32"

    dim = Axis("axis to order", -1)
    descending = Bool("from the largest to the smallest", False)

    def shape(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        axis(self.dim, inputs[0])
        return inputs[0], Tensor(inputs[0].shape, "int64")


class ArgSort(Op):
    """Tells where each value of an axis stands once they are in order."""

    keeps = ""
    rule = "The shape of the input stays."
    example, example_input = "argsort", "10x32"

    dim = Axis("axis to order", -1)
    descending = Bool("from the largest to the smallest", False)

    def shape(self, *inputs: Tensor) -> Tensor:
        axis(self.dim, inputs[0])
        return Tensor(inputs[0].shape, "int64")
