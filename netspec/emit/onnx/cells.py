"""What a file takes in place of numbers that a table gives: texts, characters by their code points, or bytes.

A table was learnt of the training data: the number of each category, of each word, of each character.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netspec.emit.onnx.writer import Array, Wire, Writer

ML: Final = "ai.onnx.ml"
"""The domain of the operator that looks texts up."""
NONE: Final = "?"
"""A text that stands for those that no table has, or as many of it as none has."""

POOL: Final = 2**10
"""Numbers of a table that made-up samples are of, at most."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The way from what a file takes for an input to the whole numbers that the network takes."""

    dtype: str
    """What the file takes: string, int64 for code points, uint8 for bytes."""
    tables: tuple[Mapping[str, int], ...] = ()
    """From texts to numbers: a table for each place of the axis behind the batch, or a single one for all places.

    None at all where what the file takes are the numbers themselves.
    """
    other: int | None = None
    """The number of whatever is in no table; None where the file refuses to run on it."""
    padding: str | None = None
    """What fills a text up, if anything does."""

    @property
    def count(self) -> int:
        """The first number that stands for nothing."""
        return 1 + max((number for table in self.tables for number in table.values()), default=0)

    def pool(self) -> Array | None:
        """Numbers that made-up samples may have, POOL at most: a row for each of several columns. None for any.

        What fills a text up is none of them.
        """
        if not self.tables:
            return None
        rows = [sorted({n for text, n in table.items() if text != self.padding}) for table in self.tables]
        rows = [[*row, *([] if self.other is None else [self.other])] for row in rows]
        length = max(1, min(POOL // len(rows), max(map(len, rows))))
        found = np.stack([np.resize(row[:: max(1, -(-len(row) // length))], length) for row in rows])
        return found[0] if len(rows) == 1 else found

    def write(self, w: Writer, x: Wire) -> str:
        """The numbers of what the file takes."""
        name = w.cast(x.name, "int64", x.dtype) if self.dtype == "uint8" else x.name
        if not self.tables:
            return name
        if len(self.tables) == 1:
            found = self._looked_up(w, name, self.tables[0])
        else:
            columns = [w.node("Gather", name, w.ints(place), axis=1) for place in range(len(self.tables))]
            pairs = zip(columns, self.tables, strict=True)
            found = w.node("Concat", *(self._looked_up(w, column, table) for column, table in pairs), axis=1)
        if self.other is None:  # there is no such place, so that the runtime stops
            found = w.node("Gather", w.constant(np.arange(self.count)), found)
        return found

    def _looked_up(self, w: Writer, name: str, table: Mapping[str, int]) -> str:
        """The number of each text, or of each character."""
        keys: dict[str, Any] = {"keys_strings": list(table)}
        if self.dtype != "string":
            keys = {"keys_int64s": [ord(character) for character in table]}
        other = self.count if self.other is None else self.other
        how = {**keys, "values_int64s": list(table.values()), "default_int64": other}
        return w.node("LabelEncoder", name, domain=ML, **how)

    def of(self, numbers: Array) -> Array:
        """What the file takes where the network takes these numbers; those of no table become what is in none."""
        if not self.tables:
            return numbers.astype(self.dtype)
        if len(self.tables) == 1:
            found: Array = self._texts(self.tables[0])[np.clip(numbers, -1, self.count)]
            return found
        found = np.empty(numbers.shape, object)
        for place, table in enumerate(self.tables):
            found[:, place] = self._texts(table)[np.clip(numbers[:, place], -1, self.count)]
        return found

    def _texts(self, table: Mapping[str, int]) -> Array:
        """A text for each number, as the file takes it; that of none stands at the end."""
        stranger = NONE
        while stranger in table:
            stranger += NONE
        texts = [stranger] * (self.count + 1)
        for text, number in table.items():
            texts[number] = text
        if self.dtype == "string":
            return np.array(texts, object)
        return np.array([ord(text) if len(text) == 1 else 0 for text in texts], self.dtype)


def filled(w: Writer, name: str, fills: tuple[float | None, ...], rank: int) -> str:
    """Numbers in columns, with what stands in for an empty cell, nan, of each; None leaves it as it is."""
    held = np.array([np.nan if fill is None else fill for fill in fills], np.float32)
    return w.node("Where", w.node("IsNaN", name), w.constant(held.reshape(-1, *[1] * (rank - 2))), name)
