"""JSON: tables as lists of objects, or as an object on each line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from netspec.datasets.base import Origin
from netspec.datasets.columns import Table, Texts
from netspec.datasets.csv import INSTEAD, MAX_CELLS, MAX_COLUMNS, MAX_TEXT, codec_of
from netspec.datasets.files import MEMORY, content_of, show
from netspec.datasets.table import COLUMNS, Tabular
from netspec.errors import DataError
from netspec.words import printable

ENDINGS: Final = (".json", ".jsonl", ".ndjson")
"""How the names of such files end."""


class JSON(Tabular):
    __doc__ = f"""Rows of a .json or .jsonl file: a list of objects, or one on each line, whose keys are the columns.

    A value is a text, a number, true or false; null, and a key that a row lacks, is an empty cell. Files are UTF-8.

{COLUMNS}"""

    example = "json data/table.jsonl price"

    def table(self, path: Path, memory: int = MEMORY) -> Table:
        return self.parsed(content_of(path, MAX_TEXT * memory // MEMORY, INSTEAD), show(path), memory)

    def parsed(self, content: bytes, label: str, memory: int = MEMORY) -> Table:
        """The table in the bytes of a file, which messages call `label`. Raises DataError."""
        import numpy as np

        codec, _ = codec_of(content, None)
        try:
            text = content.decode(codec).removeprefix("\ufeff")
        except UnicodeError as error:
            raise DataError(f"{label} is not {codec.upper()}: {error}. Save it as UTF-8.") from None
        lines = not text.lstrip().startswith("[")
        noun, rows = ("line", _lines(text, label)) if lines else ("row", _listed(text, label))
        columns = _columns(rows, label, noun, MAX_CELLS * memory // MEMORY)
        places = np.array([place for place, _ in rows])
        texts = {name: Texts(cells, self.empty, self.writing) for name, cells in columns.items()}
        return Table(Origin((label,), places, noun), texts, self.writing)


def _lines(text: str, label: str) -> list[tuple[int, Any]]:
    """The objects of a file with one on each line, with the number of that. Raises DataError."""
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            rows.append((number, _value(line, f"{label}, line {number}")))
    if len(rows) == 1 and isinstance(rows[0][1], dict) and any(isinstance(v, list) for v in rows[0][1].values()):
        keys = printable(", ".join(rows[0][1]))
        raise DataError(f"{label} is one object with {keys}, expected a list of rows. Save the rows: [{{...}}, ...]")
    return rows


def _listed(text: str, label: str) -> list[tuple[int, Any]]:
    """The objects of a list, counted from 1. Raises DataError."""
    return list(enumerate(_value(text, label), 1))


def _value(text: str, label: str) -> Any:
    """What a text is as JSON, its numbers as they are written. Raises DataError."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise DataError(f"{label}: lists in lists without end, expected rows of plain values") from None
    except ValueError as error:
        place = f" at column {error.colno}" if isinstance(error, json.JSONDecodeError) and "\n" not in text else ""
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) and "\n" in text else ""
        said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise DataError(f"{label}{line} is no JSON{place}: {said}") from None


def _no_number(word: str) -> NoReturn:
    """Refuse what Python writes for numbers that are not finite. Raises ValueError."""
    raise ValueError(f"{word} is no number, write null where there is none")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object, each key of which stands there once. Raises ValueError."""
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(key for place, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:place]))
        raise ValueError(f"{printable(double)!r} stands twice in one row")
    return found


def _columns(rows: Sequence[tuple[int, Any]], label: str, noun: str, most: int) -> dict[str, list[str]]:
    """The cells of each column as texts. Raises DataError."""
    names: dict[str, None] = {}
    for place, row in rows:
        if not isinstance(row, dict):
            raise DataError(f'{label}, {noun} {place} is {_kind(row)}, expected an object: {{"name": value, ...}}')
        names |= dict.fromkeys(row)
    if not names:
        raise DataError(f"{label} holds no rows")
    if len(names) > MAX_COLUMNS or len(names) * len(rows) > most:
        raise DataError(f"{label} has {len(rows):,} rows of {len(names):,} columns, which is too much. {INSTEAD}")
    found: dict[str, list[str]] = {name: [] for name in names}
    for place, row in rows:
        for name, cells in found.items():
            value = row.get(name)
            if isinstance(value, dict | list):
                text = f"{label}, {noun} {place}: {printable(name)} is {_kind(value)}, expected a text or a number"
                raise DataError(f"{text}. Give each of its values a column.")
            cells.append("" if value is None else str(value).lower() if isinstance(value, bool) else value.strip())
    return found


def _kind(value: Any) -> str:
    """What a value is called in a message."""
    return "a list" if isinstance(value, list) else "an object" if isinstance(value, dict) else "a single value"
