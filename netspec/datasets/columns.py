"""Tables as they are read: columns of texts or numbers, and words for the cell that is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from netspec.datasets.base import Origin
from netspec.errors import DataError, did_you_mean, printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


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

    def __init__(self, cells: Sequence[str], empty: Collection[str] = ()) -> None:
        self._cells = ["" if text in empty else text for text in cells] if empty else cells

    def texts(self) -> Sequence[str]:
        return self._cells

    def floats(self) -> Array | None:
        return self._floats

    @cached_property
    def _floats(self) -> Array | None:
        import numpy as np

        if not _written_plainly("".join(self._cells)):
            return None
        try:
            found = np.array([text or "nan" for text in self._cells]).astype(np.float64)
        except ValueError:
            return None
        return found if any(self._cells) else None

    def empty(self) -> Array:
        import numpy as np

        return np.array([not text for text in self._cells])


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a file by name, and where its rows stand in it."""

    origin: Origin
    columns: Mapping[str, Column]

    def column(self, name: str) -> Column:
        """A column. Raises DataError where there is none of this name."""
        if name not in self.columns:
            hint = did_you_mean(name, self.columns) or f"It has: {printable(', '.join(self.columns))}."
            raise DataError(f"{self.origin.name} has no column {name!r}. {hint}")
        return self.columns[name]

    def numeric(self, name: str) -> bool:
        """Whether a column holds numbers: all of its cells but empty ones. Raises DataError where only some are."""
        if self.column(name).floats() is not None:
            return True
        cells = self.column(name).texts()
        if any(map(_number, set(cells))):
            row = next(i for i, text in enumerate(cells) if text and not _number(text))
            text = f"{self._cell(name, row)} is {_shown(cells[row])}, other cells of {printable(name)} are numbers"
            raise DataError(f"{text}. Say in the spec which columns are numbers, which are categories, what is empty.")
        return False

    def decimal(self, name: str) -> bool:
        """Whether all of a column are numbers, some of them not whole."""
        import numpy as np

        found = self.column(name).floats()
        return found is not None and bool((found[np.isfinite(found)] % 1 > 0).any())

    def texts(self, name: str) -> Sequence[str]:
        """A column as texts, "" for empty cells. Raises DataError."""
        return self.column(name).texts()

    def floats(self, name: str, holes: bool = False) -> Array:
        """A column as numbers, nan for empty cells where `holes` are allowed. Raises DataError."""
        import numpy as np

        column = self.column(name)
        found, empty = column.floats(), column.empty()
        if found is not None:
            with np.errstate(over="ignore"):
                found = found.astype(np.float32)
        good = np.isfinite(found) if found is not None else np.array([_number(text) for text in column.texts()])
        for row in np.flatnonzero(~(good | empty) if holes else ~good)[:1]:
            text = f"{self._cell(name, row)} is {_shown(column.texts()[row])}, expected a finite number"
            raise DataError(text + ". Write missing: mean to fill empty cells." * bool(empty[row]))
        return found if found is not None else np.full(len(empty), np.nan, np.float32)

    def coded(self, name: str, codes: Mapping[str, int], holes: bool = False) -> Array:
        """A column as the numbers of its texts. Raises DataError at the first cell that has none, or is empty."""
        import numpy as np

        cells = self.column(name).texts()
        found = np.array([codes.get(text, -1) for text in cells], np.int64)
        for row in (i for i, text in enumerate(cells) if not text and not holes):
            raise DataError(f"{self._cell(name, row)} is empty, expected a category")
        for row in np.flatnonzero(found < 0)[:1]:
            raise DataError(f"{self._cell(name, row)} is {_shown(cells[row])}, which the training part does not have")
        return found

    def _cell(self, name: str, row: int) -> str:
        return f"{self.origin.at(row)}: {printable(name)}"


def distinct(texts: Sequence[str]) -> list[str]:
    """The distinct texts in order: of their values where all are whole numbers, else of the alphabet."""
    found = sorted(set(texts))
    numbers = all(re.fullmatch(r"[+-]?[0-9]{1,18}", text) for text in found)
    return sorted(found, key=int) if numbers else found


def _written_plainly(text: str) -> bool:
    """Whether Python reads numbers here as others do: it alone takes 1_0 for 10, and the digits of every script."""
    return text.isascii() and "_" not in text


def _number(text: str) -> bool:
    try:
        return _written_plainly(text) and abs(float(text)) < float("inf")
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(printable(text[:40])) if text else "empty"
