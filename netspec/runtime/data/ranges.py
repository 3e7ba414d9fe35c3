"""Value ranges: whether new values are on the scale that a run was trained on, and how those get there that are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.rows import Rows
from netspec.datasets.values import BYTE, DOUBT, Values, measured
from netspec.errors import DataError

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]

SURE: Final = 3.0
"""The same for values that are only right once they are converted."""
MANY: Final = 16
"""From so many values a sample on, they are of one kind, as points of an image are, and a doubt is a refusal."""
SLACK: Final = 0.01
"""How far floats of 0.0 to 1.0 may lie outside, as those do that were enlarged or turned."""
AS_IS: Final = "Where they are right as they are, add --as-is."


@dataclass(frozen=True, slots=True, eq=False)
class Converted(Rows):
    """Rows that become others when they are read."""

    rows: Rows
    convert: Callable[[Array], Array]

    @property
    def _one(self) -> Array:
        """One row, which shows shape and dtype of all."""
        return self.convert(np.zeros((1, *self.rows.shape[1:]), self.rows.dtype))

    @property
    def decodes(self) -> bool:  # type: ignore[override]
        return self.rows.decodes

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.rows), *self._one.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        found: np.dtype[Any] = self._one.dtype
        return found

    def read(self, rows: Array) -> Array:
        return self.convert(self.rows.read(rows))


def converted(column: Column, convert: Callable[[Array], Array]) -> Column:
    """A column with `convert` done to its rows: now, or as they are read."""
    return Converted(column, convert) if isinstance(column, Rows) else convert(column)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to take values: divided by a number, or as they are; and what is told of it."""

    divisor: float | None = None
    said: str = ""

    def take(self, column: Column) -> Column:
        """A column on the scale of the training: floats divided by the divisor, or as it is where there is none."""
        divisor = self.divisor
        if divisor is None:
            return column
        return converted(column, lambda rows: (rows / np.float32(divisor)).astype(np.float32))


def on_scale(column: Column, trained: Values, peak: int, label: str, photos: str = "") -> tuple[Column, str]:
    """New samples of an input on the scale of training, and what is to be told; `peak` is the byte that is 1.0.

    `photos` is what to do where they are images in files and on another scale. Raises DataError for values that are
    most likely on another scale.
    """
    kinds = {trained.dtype, column.dtype.name}
    if "bool" in kinds or kinds == {"int64"}:
        return column, ""
    if trained.dtype == "int64" and column.dtype == np.uint8 and not photos:  # they may be tokens
        return converted(column, lambda x: x.astype(np.int64)), ""
    seen = measured(column)
    fitting = [way for way in _ways(column, seen, trained, peak) if _fits(way, column, seen, trained, peak)]
    if fitting and (len(fitting) == 1 or not seen.extent):
        way = fitting[0]
        said = f"{label}: values {_range(seen)} {way.said}" if way.said else _one_sided(seen, trained, label)
        return way.take(column), said
    text = f"{label}: the values go {_range(seen)}, those that the run was trained on {_range(trained)}"
    if kinds == {"float32"} and trained.size < MANY:
        return column, f"{text}. Are they on the same scale?"
    raise DataError(f"{text}. {photos or _advice(seen, trained, peak)} {AS_IS}")


def doubt(column: Column, trained: Values, peak: int, own_peak: int, label: str) -> str:
    """What is told of data that is measured as it is, where it may be on another scale than that of training.

    `peak` is the byte that is 1.0 in training, `own_peak` the one that is here.
    """
    kinds = {trained.dtype, column.dtype.name}
    if "bool" in kinds or kinds == {"int64"}:
        return ""
    seen, way = measured(column), Way(own_peak if column.dtype == np.uint8 else None)
    if _fits(way, column, seen, trained, peak):
        return ""
    text = f"{label}: the values go {_range(seen)}, those that the run was trained on {_range(trained)}"
    full = f", of which {peak} is 1.0" * (trained.dtype == "uint8")
    return f"{text}{full}. Are they on the same scale?"


def _ways(column: Column, seen: Values, trained: Values, peak: int) -> Iterator[Way]:
    """How values may be meant, the likeliest first."""
    if trained.dtype == "uint8" and column.dtype == np.uint8:
        if seen.high <= peak:
            yield Way()
        elif seen.high > BYTE // 2:
            yield Way(BYTE, f"are taken as 0 to {BYTE}; the run's own data counts to {peak}")
    elif trained.dtype == "uint8":
        if column.dtype == np.float32 and seen.low >= -SLACK and seen.high <= 1 + SLACK:
            yield Way()
        elif seen.low >= 0:
            fulls = [full for full in dict.fromkeys((peak, BYTE)) if seen.high <= full]
            yield from (Way(full, f"are taken as 0 to {full}, which the run's data has as bytes") for full in fulls)
    elif column.dtype == np.uint8:
        whole = trained.dtype == "int64"
        if trained.low >= 0 and not whole:
            yield Way(peak, "are bytes and are taken as 0.0 to 1.0, which the run's data has as floats")
        kind = "whole numbers" if whole else "floats"
        yield Way(1, f"are bytes and are taken as those numbers, which the run's data has as {kind}")
    else:
        yield Way() if column.dtype == np.float32 else Way(1)


def _one_sided(seen: Values, trained: Values, label: str) -> str:
    """What is said of values of which none is below 0, where many of training are; they may be no mistake."""
    if trained.size < MANY or seen.low < 0 or trained.low > -trained.high / 4 or not seen.extent:
        return ""
    text = f"{label}: no value is below 0, those that the run was trained on go {_range(trained)}"
    return f"{text}. Was something done to them that is not done to these?"


def _fits(way: Way, column: Column, seen: Values, trained: Values, peak: int) -> bool:
    """Whether values that are taken so are about as large as those of training."""
    given = 1 / (way.divisor or (peak if column.dtype == np.uint8 else 1))
    known = 1 / peak if trained.dtype == "uint8" else 1
    own, other = seen.extent * given, trained.extent * known
    if trained.low >= 0 and seen.low * given < -other / 2:
        return False
    if not own or not other:
        return True
    if seen.typical is None or trained.typical is None:  # of images in files only the range is known
        return 1 / DOUBT <= own / other <= 2
    far = DOUBT if way.divisor is None or not way.said else SURE
    ratio = seen.typical * given / (trained.typical * known)
    return not (ratio > far and own > 2 * other) and not (ratio < 1 / far and own * far <= other)


def _advice(seen: Values, trained: Values, peak: int) -> str:
    """What brings values to the scale of training."""
    if trained.low < 0:
        return "Do to them what was done to the run's data before it was saved, such as (x - mean) / std."
    if seen.low < 0:
        return "Give them as they were before they were normalised, as the run's own data is."
    full, wanted = _full(seen), peak if trained.dtype == "uint8" and peak < BYTE else _full(trained)
    if full is None:
        return f"Bring them to that scale{', or as floats to 0.0 to 1.0' * (trained.dtype == 'uint8')}."
    most = wanted or (trained.high if trained.high < 1000 else round(trained.high))
    divided, times = f" / {full}" * (full != 1), f" * {most if wanted or most >= 1000 else f'{most:.3g}'}" * (most != 1)
    return f"Where {full} is the most that a value can be, save x{divided}{times}."


def _full(values: Values) -> int | None:
    """The largest value that there can be, for values on a scale that is commonly used."""
    return next((full for full in (1, BYTE, 2**16 - 1) if full / 2 < values.high <= full), None)


def _range(values: Values) -> str:
    """The smallest and the largest of the values that were seen."""
    return f"from {values.low:.4g} to {values.high:.4g}"
