"""Axes and sizes as operations take them: counted as torch counts, the batch being axis 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from netspec.dims import Dim, Size
from netspec.records import MAX_INT, REQUIRED, Checked, Field, Int, refuse
from netspec.several import Several, whole
from netspec.tensors import Misfit, Tensor, show

MANY: Final = 1000
"""As many inputs as anybody names."""
MAX_PARTS: Final = 4096
"""As many parts as one operation may give."""


def Axis(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[int]:
    """One axis; negative ones count from the end."""
    return Int(sentence, default, **more)


def Axes(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[tuple[int, ...]]:
    """One axis or several, `mean 2 3`; other whole numbers that go by axis as well."""
    return Several(sentence, whole(), "whole numbers", default, least=0, **{"rest": True, **more})


def Extent(sentence: str, default: Any = REQUIRED, *, low: int = -MAX_INT, **more: Any) -> Field[Any]:
    """One size or place, which may be known only at run time."""
    expected = "a whole number" if low == -MAX_INT else f"a whole number of at least {low}"
    item = whole(low, open_sizes=True)

    def check(value: Any) -> Size:
        if not item.takes(value):
            raise refuse(expected)
        size: Size = value
        return size

    return Checked(sentence, check, item.json, default, symbols=True, **more)


def Extents(sentence: str, default: Any = REQUIRED, *, low: int = -MAX_INT, **more: Any) -> Field[Any]:
    """One size or place, or a tuple of them; each may be known only at run time. One alone stays a number."""
    expected = "sizes" if low == -MAX_INT else f"sizes of at least {low}"
    item = whole(low, open_sizes=True)
    return Several(sentence, item, expected, default, alone=True, least=0, symbols=True, **more)


def Number(sentence: str, default: Any = REQUIRED, **more: Any) -> Field[Any]:
    """A finite number, or a size that is known only at run time."""

    def check(value: Any) -> Any:
        if isinstance(value, Dim) or (type(value) is int and abs(value) <= MAX_INT):
            return value
        if type(value) is float and abs(value) < float("inf"):
            return value
        raise refuse("a number")

    return Checked(sentence, check, {"type": "number"}, default, symbols=True, **more)


def axis(dim: int, x: Tensor, field: str = "dim", extra: int = 0) -> int:
    """`dim` counted from the front. Raises Misfit where `x` has no such axis; `extra` axes are still to be made."""
    rank = len(x.shape) + extra
    if not -rank <= dim < rank:
        last = "It is a single number." if not rank else f"Axes go from 0, the batch, to {rank - 1}."
        raise Misfit(f"names axis {dim}, its input is {x}", last, field=field, code="rank")
    return dim % rank


def axes(dims: Sequence[int], x: Tensor, field: str = "dim") -> tuple[int, ...]:
    """Several different axes counted from the front."""
    found = tuple(axis(dim, x, field) for dim in dims)
    if len(set(found)) != len(found):
        raise Misfit(f"names an axis twice: {show(found).replace(' x ', ', ')}", field=field, code="rank")
    return found


def put(shape: Sequence[Size], at: int, *sizes: Size) -> tuple[Size, ...]:
    """`shape` with the size at one axis replaced, by none or by several."""
    return (*shape[:at], *sizes, *shape[at + 1 :])


def need_some(size: Size, what: str, field: str | None = None) -> Size:
    """Refuse a result that is known to hold nothing; torch would go on with an empty tensor."""
    if isinstance(size, int) and size < 1:
        raise Misfit(what, field=field, code="empty")
    return size


def need_parts(count: int) -> int:
    """Refuse to cut a tensor into more parts than anybody reads."""
    if count > MAX_PARTS:
        raise Misfit(f"gives {count} parts, more than {MAX_PARTS}", code="too-many-parts")
    return count


def differ(a: Size, b: Size) -> str:
    """The code for two sizes that should be equal and are not: known to differ, or not known at all."""
    return "shape-mismatch" if isinstance(a, int) and isinstance(b, int) else "unknown-size"
