"""Sums of products, told by letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.algebra import need_same_dtype
from netspec.ops.axes import MANY, differ
from netspec.ops.broadcasting import met
from netspec.records import Checked, refuse
from netspec.tensors import Misfit, Tensor

_SIDE: Final = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")
Labels = list[str]


def _equation(value: Any) -> str:
    """An equation as torch writes it. In a row `/` stands for the comma and `:` for the arrow."""
    expected = "an equation, such as bij,bjk->bik or, in a row, bij/bjk:bik"
    if not isinstance(value, str) or len(value) > 200:
        raise refuse(expected)
    text = value.replace(" ", "").replace("/", ",").replace(":", "->")
    left, arrow, right = text.partition("->")
    if not arrow or not all(_SIDE.fullmatch(side) for side in (*left.split(","), right)):
        raise refuse(expected)
    letters = right.replace(".", "")
    if len(set(letters)) != len(letters):
        raise refuse(f"a result that has each letter once, it is {right}")
    if not set(letters) <= set(left):
        raise refuse(f"a result of letters that the inputs have, it is {right}")
    return text


class Einsum(Op):
    """Multiplies inputs and sums over the letters that the result leaves out: `einsum(a b) bij/bjk:bik`."""

    rule = "The sizes of the letters that the result keeps, in its order."
    inputs = (1, MANY)
    example, example_input = "einsum(q k) bhid/bhjd:bhij", "4x10x8"

    equation = Checked(
        "a letter for each axis of each input, and those of the result",
        _equation,
        {"type": "string"},
        textual=True,
    )

    def shape(self, *inputs: Tensor) -> Tensor:
        for x in inputs[1:]:
            need_same_dtype(inputs[0], x)
        labels = self._labels(inputs)
        sizes = _sizes(inputs, labels)
        return inputs[0].with_shape(*(sizes[label] for label in self._result(sizes)))

    def _labels(self, inputs: Sequence[Tensor]) -> list[Labels]:
        """For each input, what each of its axes is called; axes under dots are .1, .0, counted from the last."""
        sides = self.equation.partition("->")[0].split(",")
        if len(sides) != len(inputs):
            text = f"names {len(sides)} inputs in {self.equation}, it has {len(inputs)}"
            raise Misfit(text, field="equation", code="inputs")
        found = []
        for side, x in zip(sides, inputs, strict=True):
            letters = len(side.replace(".", ""))
            more = len(x.shape) - letters
            if more < 0 or (more and "." not in side):
                text = f"names {letters} axes in {side}, the input has {len(x.shape)}: {x}"
                raise Misfit(text, field="equation", code="rank")
            found.append(_spelled(side, more))
        return found

    def _result(self, sizes: dict[str, Size]) -> Labels:
        """The labels of the result, axes of the ellipsis written out."""
        return _spelled(self.equation.partition("->")[2], sum(label.startswith(".") for label in sizes))

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size | None:
        """Every combination of the letters that both inputs or the result have; the others are summed before."""
        if len(inputs) < 2:
            return 0
        if len(inputs) > 2:
            return None
        labels = self._labels(inputs)
        sizes = _sizes(inputs, labels)
        needed = set(self._result(sizes)) | (set(labels[0]) & set(labels[1]))
        return product(size for label, size in sizes.items() if label in needed)


def _spelled(side: str, more: int) -> Labels:
    """The labels of one side of an equation, with `more` in place of an ellipsis."""
    before, dots, after = side.partition("...")
    return [*before, *(f".{n}" for n in reversed(range(more)) if dots), *after]


def _sizes(inputs: Sequence[Tensor], labels: list[Labels]) -> dict[str, Size]:
    """The size that each label stands for. Raises Misfit where two axes of one name differ."""
    sizes: dict[str, Size] = {}
    for x, names in zip(inputs, labels, strict=True):
        for name, size in zip(names, x.shape, strict=True):
            before = sizes.setdefault(name, size)
            found = met(before, size) if name.startswith(".") else size if before == size else None
            if found is None:
                text = f"has sizes {before} and {size} for {'...' if name.startswith('.') else name}"
                code = "stretched" if 1 in (before, size) else differ(before, size)
                raise Misfit(text, field="equation", code=code)
            sizes[name] = found
    return sizes
