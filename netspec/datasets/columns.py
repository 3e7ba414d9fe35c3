"""Tables as they are read: columns of texts or numbers, and words for the cell that is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from netspec.datasets import dates
from netspec.datasets.base import Origin
from netspec.datasets.writing import Writing, guessed
from netspec.errors import DataError
from netspec.words import did_you_mean, printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PLAIN: Final = Writing()
"""Numbers as Python writes them."""


class Column(Protocol):
    """The cells of one column."""

    def texts(self) -> Sequence[str]:
        """Each cell as text, the same for the same value; "" for one that is empty."""

    def floats(self) -> Array | None:
        """Each cell as a number, nan for one that is empty; None where one is no number, or all are empty."""

    def empty(self) -> Array:
        """Which cells are empty."""


class Texts:
    """A column of which only texts are known. `empty` are those that mean the same as no text at all."""

    def __init__(self, cells: Sequence[str], empty: Collection[str] = (), writing: Writing = PLAIN) -> None:
        self._cells = ["" if text in empty else text for text in cells] if empty else cells
        self._writing = writing

    def texts(self) -> Sequence[str]:
        return self._cells

    def floats(self) -> Array | None:
        return self._floats

    @cached_property
    def _floats(self) -> Array | None:
        import numpy as np

        cells = self._cells if self._writing == PLAIN else self._plainly()
        if cells is None or not _written_plainly("".join(cells)):
            return None
        try:
            found = np.array([text or "nan" for text in cells]).astype(np.float64)
        except ValueError:
            return None
        return found if any(cells) else None

    def _plainly(self) -> list[str] | None:
        """Each cell as Python writes its number, "" for an empty one; None where one is no number."""
        known = {text: self._writing.number(text) if text else "" for text in set(self._cells)}
        return None if None in known.values() else [known[text] or "" for text in self._cells]

    def empty(self) -> Array:
        import numpy as np

        return np.array([not text for text in self._cells])


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file by name, where its rows stand in it, and how its numbers are written."""

    origin: Origin
    columns: Mapping[str, Column]
    writing: Writing = PLAIN
    unnamed: frozenset[str] = frozenset()
    """The columns that the file gives no name, and that are called by their places."""
    notes: tuple[str, ...] = ()
    """What was guessed to read the file, for a person to know."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).empty())

    def column(self, name: str) -> Column:
        """A column. Raises DataError where there is none of this name."""
        if name not in self.columns:
            hint = did_you_mean(name, self.columns) or f"It has: {printable(', '.join(self.columns))}."
            alone = " Is something else its separator?" if len(self.columns) == 1 else ""
            raise DataError(f"{self.origin.name} has no column {printable(name)!r}. {hint}{alone}")
        return self.columns[name]

    def decimal(self, name: str) -> bool:
        """Whether all of a column are numbers, some of them not whole."""
        import numpy as np

        found = self.column(name).floats()
        return found is not None and bool((found[np.isfinite(found)] % 1 > 0).any())

    def texts(self, name: str) -> Sequence[str]:
        """A column as texts, "" for empty cells. Raises DataError."""
        return self.column(name).texts()

    def filled(self, name: str, expected: str) -> Sequence[str]:
        """A column as texts. Raises DataError at the first empty cell."""
        cells = self.texts(name)
        for row in (i for i, text in enumerate(cells) if not text):
            raise DataError(f"{self.cell(name, row)} is empty, expected {expected}")
        return cells

    def floats(self, name: str, holes: bool = False) -> Array:
        """A column as numbers, nan for empty cells where `holes` are allowed. Raises DataError."""
        import numpy as np

        column = self.column(name)
        found, empty = column.floats(), column.empty()
        if found is not None:
            with np.errstate(over="ignore"):
                found = found.astype(np.float32)
        good = np.isfinite(found) if found is not None else np.array([self.is_number(t) for t in column.texts()])
        for row in np.flatnonzero(~(good | empty) if holes else ~good)[:1]:
            cell = column.texts()[row]
            text = f"{self.cell(name, row)} is {shown(cell)}, expected a finite number"
            way = guessed([text for text in column.texts() if text], self.writing) if cell else []
            hint = f" Write {way[0].with_signs(self.writing).options()}." if way else ""
            raise DataError(text + (". Write missing: mean to fill empty cells." if empty[row] else f".{hint}"))
        return found if found is not None else np.full(len(empty), np.nan, np.float32)

    def coded(self, name: str, codes: Mapping[str, int]) -> Array:
        """A column as the numbers of its texts. Raises DataError at the first cell that has none, or is empty."""
        import numpy as np

        cells = self.filled(name, "a class")
        found = np.array([codes.get(text, -1) for text in cells], np.int64)
        for row in np.flatnonzero(found < 0)[:1]:
            raise DataError(f"{self.cell(name, row)} is {shown(cells[row])}, which the training part does not have")
        return found

    def key(self, name: str, what: Literal["group", "time"]) -> Array:
        """A column for a split to go by: texts that name groups, or numbers for times. Raises DataError."""
        import numpy as np

        if what == "group":
            return np.array(self.filled(name, "a group"), np.str_)
        if self.column(name).floats() is not None:
            return self._times(name)
        cells = self.filled(name, "a time")
        ways = dates.ways(cells)
        if len(ways) != 1:
            hint = "Write them as numbers, or as dates with the year first: 2026-03-14 15:09."
            raise DataError(f"{self.cell(name, 0)} is {shown(cells[0])}, expected times to split by. {hint}")
        known = {text: dates.numbers(text, ways[0], ("elapsed",))[0] for text in set(cells)}
        return np.array([known[text] for text in cells])

    def _times(self, name: str) -> Array:
        """A column of numbers that may be as large as seconds since 1970, each told apart."""
        import numpy as np

        found = self.column(name).floats()
        assert found is not None
        for row in np.flatnonzero(~np.isfinite(found))[:1]:
            raise DataError(f"{self.cell(name, row)} is {shown(self.texts(name)[row])}, expected a time")
        return found

    def is_number(self, text: str) -> bool:
        """Whether a cell holds a finite number, as this table writes numbers."""
        found = text if self.writing == PLAIN else self.writing.number(text)
        try:
            return found is not None and _written_plainly(found) and abs(float(found)) < float("inf")
        except ValueError:
            return False

    def cell(self, name: str, row: int) -> str:
        """What a message calls a cell: "a.csv, line 7: size"."""
        return f"{self.origin.at(row)}: {printable(name)}"


def twice(names: Sequence[str]) -> str | None:
    """The first name that several columns have."""
    counts = Counter(names)
    return next((name for name in names if counts[name] > 1), None)


def distinct(texts: Sequence[str]) -> list[str]:
    """The distinct texts in order: of their values where all are whole numbers, else of the alphabet."""
    found = sorted(set(texts))
    numbers = all(re.fullmatch(r"[+-]?[0-9]{1,18}", text) for text in found)
    return sorted(found, key=int) if numbers else found


def _written_plainly(text: str) -> bool:
    """Whether Python reads numbers here as others do: it alone takes 1_0 for 10, and the digits of every script."""
    return text.isascii() and "_" not in text


def shown(text: str) -> str:
    """A cell as messages show it."""
    return repr(printable(text[:40])) if text else "empty"
