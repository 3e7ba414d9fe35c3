"""Whole numbers turned into vectors: rows of a table, ones among zeros."""

from __future__ import annotations

from netspec.layers.base import Op
from netspec.ops.indexing import need_index
from netspec.records import Int
from netspec.tensors import Misfit, Tensor


class OneHot(Op):
    """Turns each whole number into zeros with a single one at its place. The result is whole numbers too."""

    keeps = ""
    rule = "A last axis of as many places as there are classes."
    words = ("one_hot",)
    example, example_input = "one_hot 10", "int 5"

    num_classes = Int("how many places there are", ge=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        need_index(inputs[0])
        return inputs[0].with_shape(*inputs[0].shape, self.num_classes)


class Lookup(Op):
    """Takes for each whole number of the first input a row of the second, as an embedding does with its weight."""

    keeps = "input"
    rule = "The shape of the first input, with the other axes of the table behind it."
    inputs = (2, 2)
    takes = ("index", "table")
    example, example_input = "lookup(index table)", "{index: buffer 49x49 init=arange, table: parameter 2401x3}"

    def shape(self, *inputs: Tensor) -> Tensor:
        index, table = inputs
        need_index(index)
        if len(table.shape) != 2:
            raise Misfit(f"takes a table of rows x width, its second input is {table}", code="rank")
        return table.with_shape(*index.shape, table.shape[1])
