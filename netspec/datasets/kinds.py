"""Kinds of column: how each is read, what is learnt of it in the training part, and what the network is given.

Between reading and learning lies the split: a column is read as it stands in the file, a row for each sample; what is
learnt of the samples to train on is plain data, kept with the run; with it the same column becomes inputs of the
network, in this file and in any other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import dates
from netspec.datasets.columns import Table, distinct, shown
from netspec.datasets.holes import Holes
from netspec.datasets.values import extent, is_extent
from netspec.datasets.writing import option
from netspec.errors import DataError
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Taught = Mapping[str, Any]

UNKNOWN: Final = 0
"""The number of every category that the training part does not have."""
SHOWN: Final = 12
"""The most columns that are told by name."""


class Kind(ABC):
    """Columns that are read, learnt and given to the network alike."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the network's inputs that come of these columns."""

    @abstractmethod
    def read(self, table: Table) -> Array:
        """The columns as they stand in a table, a row for each sample. Raises DataError."""

    @abstractmethod
    def learn(self, raw: Array, name: str) -> dict[str, Any]:
        """What the training part, which messages call `name`, teaches of them, as JSON can hold it."""

    @abstractmethod
    def seen(self, raw: Array, taught: Taught) -> list[Array]:
        """The network's inputs."""

    @abstractmethod
    def lines(self, raw: Array, taught: Taught) -> Iterator[str]:
        """What a person should know: which columns these are, and what was learnt of them."""


@dataclass(frozen=True, slots=True)
class Numbers(Kind):
    """Numbers, and dates as numbers: one input of `B x columns` floats."""

    numbers: tuple[str, ...]
    ways: Mapping[str, str]
    """How the dates of each column of dates are written."""
    parts: tuple[str, ...]
    """What a date is given as."""
    holes: Holes

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("numbers",)

    @property
    def columns(self) -> tuple[str, ...]:
        """What each number of the input is."""
        return *self.numbers, *(f"{name} {part}" for name in self.ways for part in self.parts)

    def read(self, table: Table) -> Array:
        import numpy as np

        found = [self._floats(table, name) for name in self.numbers]
        dated = (self._dates(table, name, self.holes.filled(name)) for name in self.ways)
        return np.concatenate([*found, *dated], 1)

    def _floats(self, table: Table, name: str) -> Array:
        import numpy as np

        hint = table.hole_hint(self.holes.written(name, "mean"))
        return table.floats(name, self.holes.filled(name), hint)[:, None].astype(np.float64)

    def _dates(self, table: Table, name: str, holes: bool) -> Array:
        import numpy as np

        way, cells = self.ways[name], table.texts(name)
        known = {text: dates.numbers(text, way, self.parts) for text in set(cells)}
        found = np.array([known[text] for text in cells])
        for row in np.flatnonzero(np.isnan(found[:, 0])).tolist():
            if cells[row] or not holes:
                text = f"{table.cell(name, row)} is {shown(cells[row])}, expected a date such as {_example(way)}"
                hint = "" if cells[row] else f". {table.hole_hint(self.holes.written(name, 'median'))}"
                raise DataError(text + hint)
        return found

    def learn(self, raw: Array, name: str) -> dict[str, Any]:
        import numpy as np

        wide, start = raw.copy(), {}
        for date in self.ways:
            if "elapsed" in self.parts:
                column = wide[:, self.columns.index(f"{date} elapsed")]
                start[date] = 0.0 if np.isnan(column).all() else float(np.nanmin(column))
                column -= start[date]
        owners = [*self.numbers, *(date for date in self.ways for _ in self.parts)]
        columns = zip(self.columns, owners, wide.T, strict=True)
        fills = {label: self._filling(column, label, owner, name) for label, owner, column in columns}
        taught: dict[str, Any] = {"numbers": {label: fills[label] for label in self.numbers}}
        known = zip(self.numbers, (extent(column) for column in raw.T), strict=False)
        taught["extents"] = {label: found for label, found in known if found}
        if self.ways:
            taught["dates"] = {
                date: {"way": way, "start": start.get(date, 0.0), "fills": [fills[f"{date} {p}"] for p in self.parts]}
                for date, way in self.ways.items()
            }
        return taught

    def _filling(self, column: Array, label: str, owner: str, name: str) -> float | None:
        """What stands in for an empty cell of the column that is called `owner`; None where that is an error."""
        import numpy as np

        if not self.holes.filled(owner):
            return None
        way = self.holes.learns(owner)
        if way is None:
            return float(self.holes.number(owner))
        if np.isnan(column).all():
            raise DataError(f"{name}: the training part has no number in {label} to fill cells with")
        return float((np.nanmean if way == "mean" else np.nanmedian)(column))

    def seen(self, raw: Array, taught: Taught) -> list[Array]:
        import numpy as np

        known, wide = taught.get("dates", {}), raw.copy()
        for date in self.ways:
            if "elapsed" in self.parts:
                wide[:, self.columns.index(f"{date} elapsed")] -= known[date]["start"]
        fills = [taught["numbers"][name] for name in self.numbers] + [f for d in self.ways for f in known[d]["fills"]]
        held = np.array([np.nan if fill is None else fill for fill in fills])
        return [np.where(np.isnan(wide), held, wide).astype(np.float32)]

    def lines(self, raw: Array, taught: Taught) -> Iterator[str]:
        import numpy as np

        yield f"numbers ({len(self.columns)}): {listed(self.columns)}"
        holes = int(np.isnan(raw).any(1).sum())
        if holes:
            owners = [*self.numbers, *(date for date in self.ways for _ in self.parts)]
            empty: Any = np.isnan(raw).any(0)
            found = dict.fromkeys(owner for owner, lacks in zip(owners, empty, strict=True) if lacks)
            ways = {owner: self.holes.told(owner) for owner in found}
            for way in dict.fromkeys(ways.values()):
                of = (
                    f" of {listed([owner for owner in ways if ways[owner] == way])}"
                    if len({*ways.values()}) > 1
                    else ""
                )
                plural = "s" * (holes != 1)
                yield f"empty cells of numbers{of or f', in {holes:,} row{plural}'}, take {way}"
        for name, way in self.ways.items():
            short = f"; of their years {dates.PIVOT}" if dates.is_short(way) else ""
            yield f"dates: {printable(name)}, written as {_example(way)}{short}"


@dataclass(frozen=True, slots=True)
class Categories(Kind):
    """Texts that occur again and again, as numbers of one embedding: one input of `B x columns` whole numbers."""

    columns: tuple[str, ...]
    holes: Holes

    @property
    def inputs(self) -> tuple[str, ...]:
        return ("categories",)

    def read(self, table: Table) -> Array:
        import numpy as np

        found = np.empty((len(table), len(self.columns)), object)
        for place, name in enumerate(self.columns):
            refused = self.holes.refused(name)
            hole = f"Write missing: {self.holes.written(name, 'category')} to make one of empty cells."
            found[:, place] = table.filled(name, "a category", hole) if refused else table.texts(name)
        return found

    def learn(self, raw: Array, name: str) -> dict[str, Any]:
        return {"categories": {name: distinct(column) for name, column in zip(self.columns, raw.T, strict=True)}}

    def seen(self, raw: Array, taught: Taught) -> list[Array]:
        import numpy as np

        found, start = np.empty(raw.shape, np.int64), UNKNOWN + 1
        for place, name in enumerate(self.columns):
            known = taught["categories"][name]
            numbers = {text: start + i for i, text in enumerate(known)}
            found[:, place] = [numbers.get(text, UNKNOWN) for text in raw[:, place]]
            start += len(known)
        return [found]

    def lines(self, raw: Array, taught: Taught) -> Iterator[str]:
        known = {name: len(taught["categories"][name]) for name in self.columns}
        yield f"categories ({len(known)}): {listed([f'{name} {count:,}' for name, count in known.items()])}"
        yield f"all categories are one embedding of {1 + sum(known.values()):,} rows, 0 for any other text"


def listed(names: Sequence[str]) -> str:
    """Names of columns as a person is told them."""
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return printable(", ".join(names[:SHOWN])) + more


def _example(way: str) -> str:
    """A date as such cells have it."""
    return "2026-03-14" if way == dates.ISO else datetime(2026, 3, 14, 15, 9).strftime(way)


def way_of(table: Table, name: str, order: str | None, pattern: str | None) -> str:
    """How the dates of a column are written. Raises DataError where that cannot be told."""
    cells = [text for text in table.texts(name) if text]
    found = [pattern] if pattern else dates.ways(cells, order)
    if len(found) == 1 and (pattern or not dates.is_short(found[0])):
        return found[0]
    if not cells:
        raise DataError(f"{table.origin.name}: {printable(name)} holds no date, all of its cells are empty")
    if len(found) == 1:
        text = f"{table.cell(name, list(table.texts(name)).index(cells[0]))} is {shown(cells[0])}"
        way_out = f'date_format: "{found[0]}" takes {dates.PIVOT}'
        raise DataError(f"{text}, whose year has two digits. {way_out}; or write years with four digits into the file.")
    if found:
        text = f"{table.cell(name, list(table.texts(name)).index(cells[0]))} is {shown(cells[0])}"
        raise DataError(f"{text}: day or month may stand first. Write date_order=day or date_order=month.")
    first = dates.ways(cells[:1], order)
    odd = next((text for text in cells if not any(dates.parsed(text, way) for way in first)), cells[0])
    text = f"{table.cell(name, list(table.texts(name)).index(odd))} is {shown(odd)}"
    way_out = f'Say how: date_format: "%d.%m.%Y %H:%M". Or leave the column out: {option("drop", name)}.'
    raise DataError(f"{text}, expected dates that are all written alike. {way_out}")


def are_learnt(columns: Any) -> bool:
    """Whether plain data is what kinds of column teach, as a run keeps it."""

    def each(key: str, good: Callable[[Any], bool]) -> bool:
        held = columns.get(key, {})
        return isinstance(held, dict) and all(map(good, held.values()))

    def filling(value: Any) -> bool:
        return isinstance(value, int | float | None)

    def names(value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(x, str) for x in value)

    def date(value: Any) -> bool:
        if not isinstance(value, dict) or value.keys() != {"way", "start", "fills"}:
            return False
        plain = isinstance(value["way"], str) and isinstance(value["start"], int | float)
        return plain and isinstance(value["fills"], list) and all(map(filling, value["fills"]))

    def text(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        if value.get("tokenizer") == "file":
            return isinstance(value.get("file"), str)
        return value.get("tokenizer") in ("words", "characters") and names(value.get("tokens"))

    if not isinstance(columns, dict) or not {"numbers", "categories"} <= columns.keys() <= LEARNT:
        return False
    kinds = each("numbers", filling) and each("categories", names) and each("dates", date) and each("texts", text)
    kinds = kinds and each("extents", is_extent)
    return kinds and each("units", lambda unit: isinstance(unit, str)) and names(columns.get("ids", []))


LEARNT: Final = {"numbers", "categories", "dates", "texts", "extents", "units", "ids"}
"""What is kept of the columns of a table."""
