"""How tensors of different shapes and dtypes meet, as torch defines it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from netspec.dims import Size, names
from netspec.ops.axes import differ
from netspec.tensors import Dtype, Misfit, Shape, Tensor, show

_ORDER: Final[tuple[Dtype, ...]] = ("bool", "int64", "float32")


def met(a: Size, b: Size) -> Size | None:
    """The size that two sizes broadcast to; None where they do not."""
    if a == b or b == 1:
        return a
    return b if a == 1 else None


def broadcast(verb: str, *tensors: Tensor) -> Shape:
    """The shape that all broadcast to: axes are matched from the last on, and a size of 1 is stretched.

    Stricter than torch where the batch of a tensor with fewer axes would meet another axis than the batch.
    Raises Misfit, which begins with `verb` and names both shapes.
    """
    shape = tensors[0].shape
    for tensor in tensors[1:]:
        shape = _pair(verb, shape, tensor.shape)
    return shape


def fits(shape: Shape, target: Shape) -> bool:
    """Whether `shape` can be stretched to `target`."""
    matched = zip(reversed(shape), reversed(target), strict=False)
    return len(shape) <= len(target) and all(a in (1, b) for a, b in matched)


def _pair(verb: str, left: Shape, right: Shape) -> Shape:
    """The shape that two broadcast to. Raises Misfit."""
    _need_batch_in_place(verb, left, right)
    _need_batch_in_place(verb, right, left)
    rank = max(len(left), len(right))
    found: list[Size] = []
    for at, (a, b) in enumerate(zip(_padded(left, rank), _padded(right, rank), strict=True)):
        size = met(a, b)
        if size is None:
            code = differ(a, b)
            what = "differ" if code == "shape-mismatch" else "are not known to be equal"
            hint = "Sizes must be equal, or one of them 1; axes are matched from the last one on."
            raise Misfit(f"{verb} {show(left)} and {show(right)}: {a} and {b} on axis {at} {what}", hint, code=code)
        found.append(size)
    return tuple(found)


def _need_batch_in_place(verb: str, shorter: Shape, longer: Shape) -> None:
    """Refuse `B x 8` against `7 x 1 x 8`, which would mix the samples of a batch."""
    if not 0 < len(shorter) < len(longer) or "B" not in names(shorter[0]):
        return
    if longer[-len(shorter)] != shorter[0]:
        text = f"{verb} {show(shorter)} and {show(longer)}: the batch of the first would meet another axis"
        raise Misfit(text, "Insert axes of 1 with unsqueeze, so that both have as many.", code="batch-misplaced")


def _padded(shape: Shape, rank: int) -> Shape:
    """A shape with axes of size 1 before it, up to so many."""
    return (1,) * (rank - len(shape)) + shape


def promoted(dtypes: Iterable[Dtype], number: Any = None) -> Dtype:
    """The dtype of a computation on these tensors and perhaps a number: floats over whole numbers over booleans."""
    rank = max(_ORDER.index(dtype) for dtype in dtypes)
    of_number = 0 if number is None else 2 if isinstance(number, float) else 1
    return _ORDER[max(rank, of_number)]


def need_numbers(verb: str, *tensors: Tensor) -> None:
    """Refuse booleans where torch computes only with numbers."""
    if any(tensor.dtype == "bool" for tensor in tensors):
        raise Misfit(f"{verb} booleans", "Turn them into numbers with `to int64` or `to float32`.", code="dtype")
