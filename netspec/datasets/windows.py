"""Sliding windows over the rows of a table: a stretch of a series as input, and what follows it as target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netspec.datasets.base import Origin, Part
from netspec.datasets.columns import Table
from netspec.datasets.rows import Picked, Rows
from netspec.errors import DataError
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.base import Column

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Windows(Rows):
    """Stretches of `length` rows, each cut out of `values` when it is asked for: `columns x length`.

    Rows of one column without an axis for it give `length` alone.
    """

    values: Array
    """Rows x columns, or rows alone for a target of one column."""
    starts: Array
    """The row that each stretch begins with."""
    length: int

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.starts), *self.values.shape[1:], self.length)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        found: np.dtype[Any] = self.values.dtype
        return found

    def read(self, rows: Array) -> Array:
        import numpy as np

        found: Array = self.values[self.starts[rows][:, None] + np.arange(self.length)]
        return np.ascontiguousarray(np.moveaxis(found, 1, -1))


@dataclass(frozen=True, slots=True)
class Frame:
    """Where windows lie in a table whose rows are put in `order`: series by series, each by its time."""

    order: Array
    """The numbers of the rows, whole numbers along one axis."""
    starts: Array
    """The place in that order that each window begins at."""
    moments: Array
    """The time of each row in that order."""
    window: int
    """Rows that are seen."""
    horizon: int
    """Rows behind them that are foretold."""

    def inputs(self, values: Array) -> Windows:
        """The stretches that the network is given."""
        return Windows(values[self.order], self.starts, self.window)

    def target(self, values: Array) -> Windows:
        """The stretches that follow them; those of a single column have no axis for it."""
        values = values[:, 0] if values.shape[1] == 1 else values
        return Windows(values[self.order], self.starts + self.window, self.horizon)

    @property
    def span(self) -> tuple[Array, Array]:
        """When each target begins, and when it ends."""
        first = self.starts + self.window
        return self.moments[first], self.moments[first + self.horizon - 1]

    @property
    def last(self) -> Array:
        """The row of the table that each window ends with."""
        found: Array = self.order[self.starts + self.window - 1]
        return found

    def origin(self, table: Table) -> Origin:
        """The row that each target begins with."""
        return table.origin.only(self.order[self.starts + self.window])


def framed(table: Table, series: str | None, time: str | None, window: int, horizon: int, stride: int) -> Frame:
    """The windows of a table, each within one series, the last ones as late as can be. Raises DataError."""
    import numpy as np

    count = len(table)
    group = np.zeros(count, np.int64)
    if series is not None:
        group = np.unique(table.key(series, "group"), return_inverse=True)[1]
    moments = table.key(time, "time") if time is not None else np.arange(count, dtype=np.float64)
    order = np.lexsort((moments, group))
    group, moments = group[order], moments[order]
    same = (group[1:] == group[:-1]) & (moments[1:] == moments[:-1])
    for place in np.flatnonzero(same)[:1]:
        text = f"{table.cell(str(time), int(order[place + 1]))} is the time of another row too"
        hint = "" if series else " Write series= where rows belong to several series."
        raise DataError(f"{text}.{hint}")
    edges = np.flatnonzero(np.diff(group)) + 1
    starts, longest = [], 0
    for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), count], strict=True):
        longest = max(longest, end - begin)
        starts.append(np.arange(end - window - horizon, begin - 1, -stride)[::-1])
    if series is None and time is not None:
        moments = moments.astype(np.float64)
    elif time is None:  # the places within each series, which all begin at 0
        moments = np.arange(count) - np.repeat([0, *edges.tolist()], np.diff([0, *edges.tolist(), count]))
    found = np.concatenate(starts)
    if not len(found):
        text = f"{table.origin.name}: the longest series has {longest:,} rows"
        after = f" and the {horizon:,} after it" if horizon else ""
        raise DataError(f"{text}, too few for a window of {window:,}{after}")
    return Frame(order, found, moments, window, horizon)


def windowed(part: Part, table: Table, frame: Frame, series: str | None) -> Part:
    """A part with a row for each of a table's, as one with a sample for each window."""
    inputs = tuple(frame.inputs(x[:]) for x in part.inputs)

    def key(name: str, what: Any) -> Array:
        if name != series:
            text = f"{printable(name)} may change within a window"
            raise DataError(f"{text}: windows are split by the column that source's series= names, or by their time")
        found: Array = table.key(name, what)[frame.order[frame.starts]]
        return found

    return Part(inputs, frame.target(part.target[:]), frame.origin(table), key)


def on_rows(column: Column, change: Callable[[Array], Array]) -> Column:
    """A column changed row by row, before windows are cut out of it."""
    match column:
        case Picked():
            rows = on_rows(column.rows, change)
            assert isinstance(rows, Rows)
            return Picked(rows, column.chosen)
        case Windows():
            return Windows(change(column.values), column.starts, column.length)
    return change(column[:])


def rows_of(column: Column) -> Array:
    """The rows of a table that samples are made of, each once."""
    import numpy as np

    match column:
        case Picked(Windows() as windows, chosen):
            return rows_of(Windows(windows.values, windows.starts[chosen], windows.length))
        case Windows():
            used = np.unique(column.starts[:, None] + np.arange(column.length))
            return column.values[used]
    return column[:]
