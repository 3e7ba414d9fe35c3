"""What the values of an input are like: kept with a run, and held against those of new samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from netspec.datasets.base import Column

SAMPLED: Final = 2**20
"""Values of an input that are looked at, from samples all through it."""
DECODED: Final = 32
"""Images in files that are looked at."""
BYTE: Final = 255
DOUBT: Final = 8.0
"""How many times larger or smaller values may be than those of training, before it is doubted that they are right."""
LARGEST: Final = 1e300
"""No value of data is as large as this, and none but 0 as small as what it goes into once."""


@dataclass(frozen=True, slots=True)
class Values:
    """The form of a sample, and the values that an input has before any transform."""

    shape: tuple[int, ...]
    """Without the batch."""
    dtype: str
    low: float
    high: float
    typical: float | None = None
    """The median of how far values are from 0, of those that are not 0; None where that is not known."""
    mean: float | None = None

    @property
    def extent(self) -> float:
        """How far a value is from 0, at most."""
        return max(abs(self.low), abs(self.high))

    @property
    def size(self) -> int:
        """The values of a sample."""
        return prod(self.shape)

    def kept(self) -> dict[str, Any]:
        """The same as plain data that JSON can hold."""
        return {**asdict(self), "shape": list(self.shape)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """What was kept so."""
        return cls(**{**kept, "shape": tuple(kept["shape"])})


def measured(column: Column) -> Values:
    """The values of an input. Images in files have a byte's range, those of more bits are decoded, some of them."""
    import numpy as np

    form, decodes = (tuple(column.shape[1:]), column.dtype.name), getattr(column, "decodes", False)
    if decodes and column.dtype == np.uint8:
        return Values(*form, 0, BYTE)
    few = max(1, min(len(column), DECODED if decodes else SAMPLED, SAMPLED // max(1, prod(column.shape[1:]))))
    seen = column[np.linspace(0, len(column) - 1, few).astype(np.int64)]
    seen = seen[np.isfinite(seen)].astype(np.float64)
    if not seen.size:
        return Values(*form, 0, 0)
    far = np.abs(seen[seen != 0])
    typical = float(np.median(far)) if far.size else None
    return Values(*form, float(seen.min()), float(seen.max()), typical, float(seen.mean()))


def extent(column: Any) -> list[float]:
    """How far the numbers of a column are from 0, of those that are not 0: the least, their median and the most."""
    import numpy as np

    far = np.abs(column[np.isfinite(column) & (column != 0)])
    return [float(far.min()), float(np.median(far)), float(far.max())] if far.size else []


def is_extent(kept: Any) -> bool:
    """Whether plain data is what `extent` gives."""
    return isinstance(kept, list) and len(kept) == 3 and all(type(x) in (int, float) and 0 < x < LARGEST for x in kept)


def apart(seen: list[float], known: list[float]) -> bool:
    """Whether none of some numbers is within twice the reach of others, or they are of another size as a whole."""
    (least, typical, most), (low, middle, high) = seen, known
    return most < low / 2 or least > 2 * high or (typical > DOUBT * middle and most > 2 * high)


def is_kept(kept: Any) -> bool:
    """Whether plain data is what `kept` gives."""
    if not isinstance(kept, dict) or kept.keys() != set(Values.__dataclass_fields__):
        return False
    sizes, numbers = kept["shape"], [kept[name] for name in ("low", "high", "typical", "mean")]
    typical = kept["typical"]
    return (
        isinstance(sizes, list)
        and all(type(size) is int and size >= 0 for size in sizes)
        and isinstance(kept["dtype"], str)
        and None not in numbers[:2]
        and all(x is None or (type(x) in (int, float) and abs(x) < LARGEST) for x in numbers)
        and (typical is None or typical > 1 / LARGEST)
    )
