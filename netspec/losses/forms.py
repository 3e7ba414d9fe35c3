"""Forms of a target that say the same, of which a loss takes one and not the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from netspec.dims import Size
from netspec.tensors import Dtype, Tensor

SAME: Final[dict[Dtype, tuple[Dtype, ...]]] = {
    "bool": ("bool", "int64", "float32"),
    "int64": ("int64", "float32"),
    "float32": ("float32",),
}
"""In which dtypes the values of a target can be said, the one that it has first."""


def as_taken(target: Tensor, takes: Callable[[Tensor], bool]) -> Tensor:
    """The first form of a target that a loss `takes`, itself where it takes none.

    Whole numbers may be floats, booleans either, and an axis of size 1, first or last in a sample, may be there or not.
    One float a sample stays as it is: the network says whether it means a column.
    """
    shapes = tuple(_shapes(target))
    forms = (Tensor(shape, dtype) for shape in shapes for dtype in SAME.get(target.dtype, (target.dtype,)))
    return next((form for form in forms if takes(form)), target)


def _shapes(target: Tensor) -> Iterator[tuple[Size, ...]]:
    """The shapes of as many numbers, an axis of size 1 first or last in a sample apart; the one that it has first."""
    batch, *sizes = target.shape
    yield target.shape
    if not sizes and target.dtype == "float32":
        return
    plain = [sizes]
    if sizes:
        plain += [sizes[1:]] * (sizes[0] == 1) + [sizes[:-1]] * (sizes[-1] == 1)
    for each in plain:
        yield (batch, *each)
        yield (batch, 1, *each)
        yield (batch, *each, 1)
