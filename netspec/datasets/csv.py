"""Tables in text files."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import Final

from netspec.datasets.base import Origin
from netspec.datasets.columns import Table, Texts
from netspec.datasets.files import show, text_of
from netspec.datasets.table import COLUMNS, Tabular
from netspec.errors import DataError
from netspec.fields import Text

MAX_TEXT: Final = 256 * 2**20
MAX_COLUMNS: Final = 2**16
MAX_CELLS: Final = 2**24
"""Cells of a table, at most: each takes some 80 bytes of memory, however short it is."""


class CSV(Tabular):
    __doc__ = f"Columns of a .csv file, raw or gzipped, whose first line names them.\n\n{COLUMNS}"

    example = "csv data/table.csv price"

    separator = Text("what stands between columns", ",")

    def table(self, path: Path) -> Table:
        import numpy as np

        header, rows, lines = _rows(path, self.separator)
        double, times = Counter(header).most_common(1)[0] if header else ("", 0)
        if times > 1:
            raise DataError(f"{show(path)} has two columns called {double!r}")
        if not rows:
            raise DataError(f"{show(path)} holds no rows below the line that names its columns")
        cells = ([text.strip() for text in column] for column in zip(*rows, strict=True))
        columns = {name: Texts(column, self.empty) for name, column in zip(header, cells, strict=True)}
        return Table(Origin((show(path),), np.array(lines), "line"), columns)


def _rows(path: Path, separator: str) -> tuple[list[str], list[list[str]], list[int]]:
    """The names of the columns, the rows, and the line that each row ends on. Raises DataError."""
    if len(separator) != 1:
        raise DataError(f"csv: the separator is {separator!r}, expected one character")
    content = text_of(path, MAX_TEXT, "Save the columns as parquet or npz instead.")
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(header) > MAX_COLUMNS:
            text = f"{show(path)} has {len(header):,} columns, at most {MAX_COLUMNS:,} are read"
            raise DataError(f"{text}. Save the numbers as one array instead: npy or npz.")
        for row in reader:
            if row and len(row) != len(header):
                text = f"{show(path)}, line {reader.line_num}: {len(row)} columns, the first line names {len(header)}"
                raise DataError(f"{text}. Is the separator {separator!r} right?")
            if (len(rows) + 1) * len(header) > MAX_CELLS:
                text = f"{show(path)} has more than {MAX_CELLS:,} cells, line {reader.line_num} is one too many"
                raise DataError(f"{text}. Save the columns as parquet or npz instead.")
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{show(path)}, line {reader.line_num}: {error}") from None
    return header, rows, lines
