"""Sums of products, told by letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.algebra import need_same_dtype
from netspec.ops.axes import MANY, differ
from netspec.ops.broadcasting import met
from netspec.records import Checked, refuse
from netspec.saved import Held, Tape
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

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What the products of matrices keep that pairs of inputs are brought to, from left to right.

        An axis is summed as soon as no input further right has it, as torch's einsum does (ATen/native/Linear.cpp).
        """
        labels = self._labels([x.tensor for x in inputs])
        sizes = _sizes([x.tensor for x in inputs], labels)
        result = self._result(sizes)
        order = [*result, *(label for label in sorted(sizes, key=_place) if label not in result)]
        left = [sum(label in names for names in labels) for label in order]
        total, *others = [_spread(x, names, order) for x, names in zip(inputs, labels, strict=True)]
        for other in others:
            gone = []
            for at in range(len(result), len(order)):
                if total.shape[at] != 1 and other.shape[at] != 1:
                    left[at] -= 1
                    if left[at] == 1:
                        gone.append(at)
                        left[at] = 0
                elif left[at] == 1 and (total.shape[at] != 1 or other.shape[at] != 1):
                    left[at] = 0
                    total = _summed(tape, total, at) if total.shape[at] != 1 else total
                    other = _summed(tape, other, at) if other.shape[at] != 1 else other
            total = _paired(tape, total, other, gone)
        shape = tuple(sizes[label] for label in result)
        if not others:
            return total if len(order) == len(result) else tape.new(shape, [total])
        return total.viewed(shape) or tape.new(shape, [total])


def _place(label: str) -> tuple[bool, str]:
    """How torch orders letters: those of dots behind all, else by the alphabet."""
    return label.startswith("."), label


def _spread(x: Held, names: Labels, order: Labels) -> Held:
    """An input with an axis for each letter, of size 1 where it has none; of a letter that comes twice the diagonal."""
    strides = [sum((x.strides[at] for at, name in enumerate(names) if name == label), 0) for label in order]
    shape = [x.shape[names.index(label)] if label in names else 1 for label in order]
    return replace(x, shape=tuple(shape), strides=tuple(strides))


def _summed(tape: Tape, x: Held, at: int) -> Held:
    """The sum along an axis, which stays with size 1."""
    return tape.new((*x.shape[:at], 1, *x.shape[at + 1 :]), [x])


def _paired(tape: Tape, one: Held, other: Held, gone: Sequence[int]) -> Held:
    """The product of two inputs summed over axes, by batches of matrices where there are any."""
    if not gone:
        return tape.mul(one, other)
    axes = [at for at in range(len(one.shape)) if at not in gone]
    both = [at for at in axes if one.shape[at] != 1 and other.shape[at] != 1]
    left = [at for at in axes if one.shape[at] != 1 and at not in both]
    right = [at for at in axes if at not in (*both, *left)]
    count = product(one.shape[at] for at in both)
    rows, columns = product(one.shape[at] for at in left), product(other.shape[at] for at in right)
    inner = product(one.shape[at] for at in gone)
    first = tape.reshape(one.permute([*both, *left, *gone, *right]), (count, rows, inner))
    second = tape.reshape(other.permute([*both, *gone, *right, *left]), (count, inner, columns))
    order = [*both, *left, *gone, *right]
    sizes = [1 if at in gone else one.shape[at] if one.shape[at] != 1 else other.shape[at] for at in order]
    made = tape.matmul(first, second).viewed(tuple(sizes))
    assert made is not None
    return made.permute([order.index(at) for at in range(len(order))])


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
