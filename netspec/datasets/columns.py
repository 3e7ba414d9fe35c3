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
from netspec.datasets.writing import HOLES, Writing, guessed, is_money, option
from netspec.errors import DataError
from netspec.words import did_you_mean, few, printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NOTHING: Final = "The run has nothing to fill it with."
"""What is said of an empty cell in new samples, for which no option can be written any more."""
LONGEST: Final = 64
"""Characters of a number, at most; what is longer is a text."""
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
        known = list(dict.fromkeys(cells or ()))  # each once: a file may hold a text once for many cells
        if cells is None or max(map(len, known), default=0) > LONGEST or not _written_plainly("".join(known)):
            return None
        try:
            found = np.array([text or "nan" for text in known]).astype(np.float64)
        except ValueError:
            return None
        if not any(known):
            return None
        if len(known) == len(cells):
            return found
        numbers = dict(zip(known, found.tolist(), strict=True))
        return np.fromiter((numbers[text] for text in cells), np.float64, len(cells))

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
    settled: bool = False
    """Whether a run's spec says how it is read, so that no other option can be written there."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).empty())

    def column(self, name: str) -> Column:
        """A column. Raises DataError where there is none of this name."""
        self.need([name])
        return self.columns[name]

    def need(self, names: Sequence[str]) -> None:
        """Refuse a table that lacks any of these columns. Raises DataError that names them all."""
        missing = [name for name in dict.fromkeys(names) if name not in self.columns]
        if not missing:
            return
        which = f"column{'s' * (len(missing) > 1)} {few(repr(printable(name)) for name in missing)}"
        meant = [did_you_mean(name, self.columns) for name in missing]
        hint = " ".join(filter(None, meant)) if all(meant) else f"It has: {printable(', '.join(self.columns))}."
        alone = " Is something else its separator?" if len(self.columns) == 1 else ""
        raise DataError(f"{self.origin.name} has no {which}. {hint}{alone}")

    def decimal(self, name: str) -> bool:
        """Whether all of a column are numbers, some of them not whole."""
        import numpy as np

        found = self.column(name).floats()
        return found is not None and bool((found[np.isfinite(found)] % 1 > 0).any())

    def texts(self, name: str) -> Sequence[str]:
        """A column as texts, "" for empty cells. Raises DataError."""
        return self.column(name).texts()

    def filled(self, name: str, expected: str, hint: str = "") -> Sequence[str]:
        """A column as texts. Raises DataError at the first empty cell, with a hint for those who can still write."""
        cells = self.texts(name)
        for row in (i for i, text in enumerate(cells) if not text):
            told = NOTHING if self.settled else hint
            raise DataError(f"{self.cell(name, row)} is empty, expected {expected}" + (f". {told}" if told else ""))
        return cells

    def floats(self, name: str, holes: bool = False, hint: str = "") -> Array:
        """A column as numbers, nan for empty cells where `holes` are allowed, for which `hint` is. Raises DataError."""
        import numpy as np

        column = self.column(name)
        exact, empty = column.floats(), column.empty()
        with np.errstate(over="ignore"):
            found = exact.astype(np.float32) if exact is not None else None
        good = np.isfinite(found) if found is not None else np.array([self.is_number(t) for t in column.texts()])
        for row in np.flatnonzero(~(good | empty) if holes else ~good)[:1]:
            cell = column.texts()[row]
            hint = self._number_hint(name, cell) if cell else hint or self.hole_hint("mean")
            raise DataError(f"{self.cell(name, row)} is {shown(cell)}, expected a finite number. {hint}".rstrip())
        if exact is None or found is None:
            return np.full(len(empty), np.nan, np.float32)
        self._need_one_scale(name)
        self._need_apart(name, exact, found)
        return found

    def _need_one_scale(self, name: str) -> None:
        """Refuse numbers in two currencies or units, which would be taken for the same. Raises DataError."""
        pair = self.writing.mixed(self.texts(name)) if self.writing.signs else None
        if pair is not None:
            row = list(self.texts(name)).index(pair[0])
            text = f"{self.cell(name, row)} is {shown(pair[0])}, and another cell {shown(pair[1])}"
            raise DataError(f"{text}: they are not on one scale. Write all of them in one unit into the file.")

    def unit(self, name: str) -> str:
        """What stands beside the numbers of a column, as a run keeps it; "" for nothing."""
        return next(filter(None, self.writing.units(self.texts(name))), "")

    def need_units(self, kept: Mapping[str, str]) -> None:
        """Refuse numbers with another unit beside them than a run has learnt, or without it. Raises DataError."""
        for name, unit in kept.items():
            for own, cell in self.writing.units(self.texts(name)).items():
                if own != unit and not (is_money(unit) and not own):
                    row = list(self.texts(name)).index(cell)
                    known = f"with {printable(unit)} beside them" if unit else "without a unit"
                    text = f"{self.cell(name, row)} is {shown(cell)}, the numbers that the run was trained on stand"
                    raise DataError(f"{text} {known}. Write all of {printable(name)} so, on that scale.")

    def _need_apart(self, name: str, exact: Array, found: Array) -> None:
        """Refuse numbers that differ, and would not once they have the seven digits of a float. Raises DataError."""
        import numpy as np

        many, few_left = len(np.unique(exact)), len(np.unique(found))
        if many > 2 * few_left:
            text = f"{self.cell(name, 0)} is {shown(self.texts(name)[0])}: {many:,} different numbers"
            way_out = "Write them less the least of them into the file, or as dates where they are times."
            raise DataError(f"{text} would be {few_left:,} with the seven digits that floats have. {way_out}")

    def _number_hint(self, name: str, cell: str) -> str:
        """What to do about a cell that is no number."""
        if self.settled:
            return f"The run reads numbers such as {self.writing.example()}."
        if cell.lower() in HOLES or cell.lower().lstrip("+-") in ("inf", "infinity"):
            return f"If that is an empty cell, write {option('empty', cell)}, and with missing= what becomes of it."
        way = guessed([text for text in self.texts(name) if text], self.writing)
        return f"Write {way[0].with_signs(self.writing).options()}." if way else ""

    def hole_hint(self, way: str) -> str:
        """What to do about an empty cell that is needed."""
        return NOTHING if self.settled else f"Write missing: {way} to fill empty cells."

    def coded(self, name: str, codes: Mapping[str, int], hint: str = "") -> Array:
        """A column as the numbers of its texts. Raises DataError at the first cell that has none, or is empty."""
        import numpy as np

        cells = self.filled(name, "a class", hint)
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
        if len(ways) != 1 or dates.is_short(ways[0]):
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
