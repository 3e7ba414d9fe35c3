"""Arrays that answer to those methods of torch's tensors that losses and metrics call, so that these work on both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np


class ArrayTensor(np.ndarray[Any, Any]):
    """An array with the methods of a tensor, of which a single number is an array too.

    What numpy calls alike means the same here, but for the methods below.
    """

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array).view(type(self))

    def __array_finalize__(self, made: Any) -> None: ...

    @classmethod
    def of(cls, values: Any, dtype: Any = None) -> Self:
        """An array, or plain numbers, as such a tensor; it shares the memory of an array."""
        return np.asarray(values, dtype).view(cls)

    @property
    def plain(self) -> np.ndarray[Any, Any]:
        """The same as an array of numpy."""
        found: np.ndarray[Any, Any] = self.view(np.ndarray)
        return found

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> int:
        """The number of values."""
        return self.size

    def is_floating_point(self) -> bool:
        """Whether it holds floats."""
        return bool(self.dtype.kind == "f")

    def detach(self) -> Self:
        """The same: nothing here has gradients."""
        return self

    def double(self) -> Any:
        """The values in float64."""
        return self.astype(np.float64)

    def float(self) -> Any:
        """The values in float32."""
        return self.astype(np.float32)

    def long(self) -> Any:
        """The values as whole numbers of 64 bits."""
        return self.astype(np.int64)

    def abs(self) -> Any:
        """The absolute values."""
        return np.abs(self)

    def square(self) -> Any:
        """The squares."""
        return np.square(self)

    def exp(self) -> Any:
        """The exponentials."""
        return np.exp(self)

    def sigmoid(self) -> Any:
        """1 / (1 + exp(-x)), without overflow."""
        small = np.exp(-np.abs(self))
        return np.where(self.plain >= 0, 1 / (1 + small), small / (1 + small)).astype(self.dtype).view(type(self))

    def softmax(self, dim: int) -> Any:
        """The softmax along an axis."""
        return np.exp(self.log_softmax(dim))

    def log_softmax(self, dim: int) -> Any:
        """The logarithm of the softmax along an axis."""
        below = self - self.max(dim, keepdims=True)
        return below - np.log(np.exp(below).sum(dim, keepdims=True))

    def isfinite(self) -> Any:
        """Where the values are finite."""
        return np.isfinite(self)

    def nan_to_num(self) -> Any:
        """The values with 0 in place of nan."""
        return np.nan_to_num(self.plain).view(type(self))

    def movedim(self, source: int, destination: int) -> Any:
        """The same with an axis elsewhere."""
        return np.moveaxis(self, source, destination).view(type(self))

    def unsqueeze(self, dim: int) -> Any:
        """The same with one more axis, of size 1."""
        return np.expand_dims(self, dim).view(type(self))

    def flatten(self, start: int = 0, end: int = -1) -> Any:  # type: ignore[override]
        """The same with the axes from `start` to `end` as one."""
        if not self.ndim:
            return self.reshape(1)
        start, end = start % self.ndim, end % self.ndim
        return self.reshape(*self.shape[:start], -1, *self.shape[end + 1 :])

    def where(self, condition: Any, other: Any) -> Self:
        """The values where a condition holds, and another one elsewhere; in their own dtype."""
        return np.where(condition, self.plain, np.asarray(other, self.dtype)).view(type(self))

    def gather(self, dim: int, index: Any) -> Self:
        """Of each place along an axis the value that `index` names."""
        return np.take_along_axis(self.plain, np.asarray(index), dim).view(type(self))

    def topk(self, k: int, dim: int = -1) -> Largest:
        """The largest along an axis, the largest first."""
        found = np.argsort(-self.plain, dim, kind="stable").take(range(k), dim)
        return Largest(self.gather(dim, found), found.view(type(self)))

    def bincount(self, minlength: int = 0) -> Self:
        """How often each whole number occurs."""
        return np.bincount(self.plain, minlength=minlength).view(type(self))

    def unique(self, return_inverse: bool, return_counts: bool) -> tuple[Self, Self, Self]:
        """The values that occur in their order, which of them each is, and how often each occurs."""
        kept: dict[str, Any] = {"return_inverse": return_inverse, "return_counts": return_counts}
        values, inverse, counts = np.unique(self.plain, **kept)
        return values.view(type(self)), inverse.reshape(self.shape).view(type(self)), counts.view(type(self))

    def new_full(self, size: Sequence[int], fill: Any) -> Self:
        """A tensor of this dtype, filled with one number."""
        return np.full(tuple(size), fill, self.dtype).view(type(self))

    def new_zeros(self, size: Sequence[int]) -> Self:
        """A tensor of this dtype, filled with zeros."""
        return self.new_full(size, 0)

    def scatter_(self, dim: int, index: Any, value: Any) -> Self:
        """This tensor, with a value where `index` says along an axis."""
        np.put_along_axis(self.plain, np.asarray(index), value, dim)
        return self

    def nonzero(self) -> Any:
        """The places of what is not 0, a row for each."""
        return np.argwhere(self.plain).view(type(self))

    def view(self, *sizes: Any) -> Any:  # type: ignore[override]
        """The values in another shape; or as numpy's view, of another type."""
        return self.reshape(*sizes) if sizes and isinstance(sizes[0], int) else super().view(*sizes)


class Largest:
    """The largest values along an axis, and where they are."""

    def __init__(self, values: ArrayTensor, indices: ArrayTensor) -> None:
        """Both largest first."""
        self.values, self.indices = values, indices
