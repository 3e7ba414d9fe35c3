"""Tensors as memory has them: a piece of memory, and how a tensor's axes lie in it.

Sizes and strides are exact and may depend on what only the run knows. Where an order of strides has to be found, such
sizes are taken to be large.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from netspec.dims import Dim, Size, product, substitute
from netspec.tensors import Dtype, Tensor

BYTES: Final = {"float32": 4, "bfloat16": 2, "int64": 8, "int32": 4, "bool": 1, "uint8": 1}
LARGE: Final = 1009
"""What a size that only the run knows counts for where sizes are compared."""
Shape = tuple[Size, ...]


@dataclass(eq=False, slots=True)
class Storage:
    """A piece of memory; two tensors share it where one is a view of the other."""

    bytes: Size
    lasting: bool = False
    """Whether it is there before and after a step, as that of a parameter."""
    name: str = ""
    """That parameter's."""


@dataclass(frozen=True, slots=True)
class Held:
    """A tensor in memory."""

    storage: Storage
    shape: Shape
    strides: Shape
    dtype: str = "float32"
    grad: bool = False
    """Whether a gradient is wanted for it."""

    @property
    def tensor(self) -> Tensor:
        """What a shape rule sees of it: all floats are float32."""
        dtype: Dtype = self.dtype if self.dtype in ("int64", "bool") else "float32"  # type: ignore[assignment]
        return Tensor(self.shape, dtype)

    @property
    def floats(self) -> bool:
        """Whether it holds floats, which alone have gradients."""
        return self.dtype in ("float32", "bfloat16")

    @property
    def contiguous(self) -> bool:
        """Whether its numbers lie in their order, without gaps."""
        return self._lies(dense(self.shape))

    @property
    def channels_last(self) -> bool:
        """Whether it is a map that is stored pixel by pixel, and not channel by channel."""
        return len(self.shape) == 4 and self._lies(pixelwise(self.shape)) and not self.contiguous

    def _lies(self, strides: Shape) -> bool:
        """Whether its numbers lie as these strides say; those of axes of size 1 say nothing."""
        return all(a == b for size, a, b in zip(self.shape, self.strides, strides, strict=True) if size != 1)

    def at(self, axis: int) -> int:
        """An axis counted from the first."""
        return axis % len(self.shape)

    # --- views ----------------------------------------------------------------------------------

    def permute(self, dims: Sequence[int]) -> Held:
        """The axes in another order."""
        order = [self.at(d) for d in dims]
        return replace(self, shape=tuple(self.shape[d] for d in order), strides=tuple(self.strides[d] for d in order))

    def transpose(self, first: int, second: int) -> Held:
        """Two axes exchanged."""
        order = list(range(len(self.shape)))
        a, b = self.at(first), self.at(second)
        order[a], order[b] = order[b], order[a]
        return self.permute(order)

    def without(self, axis: int) -> Held:
        """One place of an axis."""
        a = self.at(axis)
        return replace(self, shape=_put(self.shape, a), strides=_put(self.strides, a))

    def narrow(self, axis: int, size: Size, step: Size = 1) -> Held:
        """Some places of an axis."""
        a = self.at(axis)
        return replace(self, shape=_put(self.shape, a, size), strides=_put(self.strides, a, self.strides[a] * step))

    def unsqueeze(self, axis: int) -> Held:
        """With an axis of size 1 before that of the result's number."""
        a = axis % (len(self.shape) + 1)
        stride = self.strides[a] * self.shape[a] if a < len(self.shape) else 1
        return replace(
            self,
            shape=(*self.shape[:a], 1, *self.shape[a:]),
            strides=(*self.strides[:a], stride, *self.strides[a:]),
        )

    def expand(self, shape: Shape) -> Held:
        """Stretched to a shape: what is repeated has a stride of 0."""
        more = len(shape) - len(self.shape)
        strides: list[Size] = [0] * more
        for size, wanted, stride in zip(self.shape, shape[more:], self.strides, strict=True):
            strides.append(0 if size == 1 and wanted != 1 else stride)
        return replace(self, shape=tuple(shape), strides=tuple(strides))

    def viewed(self, shape: Shape) -> Held | None:
        """The same memory in another shape, as `view` gives it; None where it cannot be seen so."""
        strides = _viewed(self.shape, self.strides, shape)
        return None if strides is None else replace(self, shape=tuple(shape), strides=strides)


def dense(shape: Sequence[Size]) -> Shape:
    """The strides of a tensor whose numbers lie in their order."""
    strides: list[Size] = []
    step: Size = 1
    for size in reversed(shape):
        strides.append(step)
        step = step * size
    return tuple(reversed(strides))


def pixelwise(shape: Sequence[Size]) -> Shape:
    """The strides of maps that are stored pixel by pixel."""
    _, c, h, w = shape
    return (h * w * c, 1, w * c, c)


def alike(shape: Sequence[Size], strides: Sequence[Size]) -> Shape:
    """Strides without gaps whose axes lie in the order of these."""
    order = sorted(range(len(shape)), key=lambda a: (-number(strides[a]), a))
    found: list[Size] = [1] * len(shape)
    step: Size = 1
    for a in reversed(order):
        found[a] = step
        step = step * shape[a]
    return tuple(found)


def number(size: Size) -> int:
    """A size as a number to compare with others."""
    if isinstance(size, Dim):
        size = substitute(size, dict.fromkeys(size.names, LARGE))
    return size if isinstance(size, int) else LARGE


def same_count(one: Sequence[Size], other: Sequence[Size]) -> bool:
    """Whether two shapes hold as many numbers."""
    return product(one) == product(other)


def _put(shape: Shape, at: int, *sizes: Size) -> Shape:
    """A shape with other sizes in place of one."""
    return (*shape[:at], *sizes, *shape[at + 1 :])


def _viewed(shape: Shape, strides: Shape, wanted: Sequence[Size]) -> Shape | None:
    """The strides of the same numbers in a wanted shape; None where they do not lie so.

    Axes that lie as one are put together, and each of these is cut into axes of the result.
    """
    axes = [(size, stride) for size, stride in zip(shape, strides, strict=True) if size != 1]
    if not axes:
        return dense(wanted)
    merged: list[tuple[Size, Size]] = []
    for size, stride in axes:
        if merged and merged[-1][1] == stride * size:
            merged[-1] = (merged[-1][0] * size, stride)
        else:
            merged.append((size, stride))
    found: list[Size] = [0] * len(wanted)
    at = len(wanted) - 1
    for size, stride in reversed(merged):
        taken: Size = 1
        while at >= 0 and (taken != size or wanted[at] == 1):
            found[at] = stride * taken
            taken = taken * wanted[at]
            at -= 1
            if number(taken) > number(size):
                return None
        if taken != size:
            return None
    return tuple(found) if at < 0 else None
