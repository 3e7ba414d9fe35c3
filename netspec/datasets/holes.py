"""Missing values: what becomes of an empty cell, by column or for all columns alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netspec.errors import DataError
from netspec.records import Checked, Field, refuse
from netspec.words import did_you_mean, printable

REFUSE: Final = "refuse"
CATEGORY: Final = "category"
VALUE: Final = "value"
LEARNT: Final = ("mean", "median")
WAYS: Final = (REFUSE, *LEARNT, VALUE, CATEGORY)


@dataclass(frozen=True, slots=True)
class Holes:
    """What becomes of empty cells: one way for all columns, or one for each that is named, the others' are refused."""

    ways: str | Mapping[str, str | float] = REFUSE
    fill: float = 0.0

    def refused(self, column: str) -> bool:
        """Whether an empty cell in this column of texts or categories is an error."""
        return self._way(column) == REFUSE

    def filled(self, column: str) -> bool:
        """Whether an empty cell in this column of numbers becomes a number."""
        return self._way(column) not in (REFUSE, CATEGORY)

    def learns(self, column: str) -> str | None:
        """What the training part teaches to fill a column of numbers with: its mean or its median; None for neither."""
        way = self._way(column)
        return way if isinstance(way, str) and way in LEARNT else None

    def number(self, column: str) -> float:
        """The number that the spec says to fill a column with."""
        way = self._way(column)
        return self.fill if isinstance(way, str) else way

    def told(self, column: str) -> str:
        """How empty cells of a column of numbers are filled, in words."""
        way = self.learns(column)
        return f"the {way} of their column" if way else f"{self.number(column):g}"

    def written(self, column: str, way: str) -> str:
        """How `missing` is written for a column to be treated so, beside those that it names already."""
        if not isinstance(self.ways, Mapping):
            return way
        ways = {**self.ways, column: way}
        return printable(f"{{{', '.join(f'{name}: {value}' for name, value in ways.items())}}}")

    def fills(self) -> bool:
        """Whether some column takes the number `fill`."""
        return VALUE in (self.ways.values() if isinstance(self.ways, Mapping) else [self.ways])

    def need_fit(self, numbers: Iterable[str], texts: Iterable[str]) -> None:
        """Refuse ways that do not fit the columns that they are for. Raises DataError."""
        if not isinstance(self.ways, Mapping):
            return
        numbers, texts = list(numbers), list(texts)
        for column, way in self.ways.items():
            text = f"missing names {printable(column)}"
            if column not in numbers and column not in texts:
                hint = did_you_mean(column, [*numbers, *texts])
                raise DataError(f"{text}, which is none of the columns that are taken as inputs. {hint}".rstrip())
            if column in numbers and way == CATEGORY:
                raise DataError(
                    f"{text}, a column of numbers: {CATEGORY} is for categories. Write median, or a number."
                )
            if column in texts and way not in (REFUSE, CATEGORY):
                raise DataError(f"{text}, which holds no numbers: {way} is none of it. Write {CATEGORY}.")

    def _way(self, column: str) -> str | float:
        """The way for a column; one that is not named is refused."""
        return self.ways.get(column, REFUSE) if isinstance(self.ways, Mapping) else self.ways


def Missing(sentence: str) -> Field[Any]:
    """A field for ways to treat empty cells: one word, or a word or a number for each column."""
    expected = f"one of {', '.join(WAYS)}"

    def good(value: Any, *, number: bool) -> bool:
        numeric = number and type(value) in (int, float) and abs(value) < float("inf")
        return numeric or (isinstance(value, str) and value in WAYS)

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            if good(value, number=False):
                return value
            raise refuse(f"{expected}, or one of them for each column: {{age: median, city: category}}")
        for way in value.values():
            if not good(way, number=True):
                raise refuse(f"for each column {expected}, or the number that fills it")
        if not value or not all(isinstance(column, str) for column in value):
            raise refuse("names of columns, each with what becomes of its empty cells")
        return {column: float(way) if not isinstance(way, str) else way for column, way in value.items()}

    by_column = {"type": "object", "additionalProperties": {"anyOf": [{"enum": [*WAYS]}, {"type": "number"}]}}
    return Checked(sentence, check, {"anyOf": [{"enum": [*WAYS]}, by_column]}, REFUSE, textual=True)
