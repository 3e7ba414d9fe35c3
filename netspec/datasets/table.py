"""Tables in text files: columns of numbers and of categories."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import checks
from netspec.datasets.base import Arrays, Dataset, Gives, Part
from netspec.datasets.files import Files, show, unpacked
from netspec.datasets.npy import NAMES, names
from netspec.dims import BATCH
from netspec.errors import DataError, did_you_mean, printable
from netspec.fields import Bool, Checked, Maybe, Text
from netspec.layers.base import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_TEXT: Final = 256 * 2**20


class CSV(Dataset):
    """Columns of a .csv file, raw or gzipped, whose first line names them.

    The network's first input are the numbers, `B x columns` floats. Its second, or its only one, are the categories:
    `B x columns` whole numbers, where every distinct text of every column has a number of its own, counted through all
    columns, so that one embedding serves them all. Without `numbers` and `categories` every column but the target is
    taken, as numbers where all of it are numbers. The target holds classes, named by its distinct texts in order; with
    `regression`, or where it has decimals, it is `B x 1` floats.
    """

    words = ("csv",)
    example = "csv data/table.csv price"

    path = Text("the file")
    target = Text("column that the network learns to give")
    numbers = Maybe(Checked("columns of numbers", names, NAMES, None, textual=True))
    categories = Maybe(Checked("columns of categories", names, NAMES, None, textual=True))
    regression = Bool("take the target as numbers, even if all are whole", False)
    test = Maybe(Text("file of the test part, with the same columns", None))
    separator = Text("what stands between columns", ",")

    def gives(self) -> Gives:
        chosen = [(self.numbers, "float32"), (self.categories, "int64")]
        inputs = tuple(Tensor((BATCH, len(columns)), kind) for columns, kind in chosen if columns)  # type: ignore[arg-type]
        return Gives(inputs or None, Tensor((BATCH, 1)) if self.regression else None)

    def read(self, files: Files) -> Arrays:
        tables = [read_table(files.file(p), self.separator) for p in (self.path, self.test) if p]
        numbers, categories = self._columns(tables[0])
        codes = _codes([tables[0].column(name) for name in categories])
        regression = self.regression or tables[0].decimal(self.target)
        classes = None if regression else tuple(_distinct(tables[0].column(self.target)))
        parts = [self._part(table, numbers, categories, codes, classes) for table in tables]
        given = [name for name, columns in (("numbers", numbers), ("categories", categories)) if columns]
        return Arrays(parts[0], test=parts[1] if self.test else None, names=tuple(given), classes=classes)

    def _columns(self, table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The columns of numbers and of categories; both may not be empty."""
        if self.numbers is not None or self.categories is not None:
            return self.numbers or (), self.categories or ()
        others = [name for name in table.names if name != self.target]
        numbers = tuple(name for name in others if table.numeric(name))
        if not others:
            raise DataError(f"{show(table.path)} has no column besides {self.target!r}")
        return numbers, tuple(name for name in others if name not in numbers)

    def _part(
        self,
        table: Table,
        numbers: tuple[str, ...],
        categories: tuple[str, ...],
        codes: list[dict[str, int]],
        classes: tuple[str, ...] | None,
    ) -> Part:
        import numpy as np

        inputs = [np.stack([table.floats(name) for name in numbers], 1)] if numbers else []
        if categories:
            inputs.append(np.stack([table.coded(n, c) for n, c in zip(categories, codes, strict=True)], 1))
        if classes is None:
            target = table.floats(self.target)[:, None]
        else:
            target = table.coded(self.target, {name: i for i, name in enumerate(classes)})
        return checks.part(inputs, target, [show(table.path)] * (len(inputs) + 1))


@dataclass(frozen=True, slots=True)
class Table:
    """The texts of a file, column by column, and the line that each row begins on."""

    path: Path
    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """The texts of a column. Raises DataError."""
        if name not in self.names:
            hint = did_you_mean(name, self.names) or f"It has: {printable(', '.join(self.names))}."
            raise DataError(f"{show(self.path)} has no column {name!r}. {hint}")
        return self.columns[self.names.index(name)]

    def numeric(self, name: str) -> bool:
        """Whether all of a column are numbers."""
        return _as_floats(self.column(name)) is not None

    def decimal(self, name: str) -> bool:
        """Whether all of a column are numbers, some of them not whole."""
        found = _as_floats(self.column(name))
        return found is not None and bool((found % 1 != 0).any())

    def floats(self, name: str) -> Array:
        """A column as numbers. Raises DataError at the first text that is no finite number."""
        import numpy as np

        texts = self.column(name)
        found = _as_floats(texts)
        if found is not None and np.isfinite(found).all():
            return found.astype(np.float32)
        row = next(i for i, text in enumerate(texts) if not _finite(text))
        raise DataError(f"{self._cell(name, row)} is {_shown(texts[row])}, expected a finite number")

    def coded(self, name: str, codes: dict[str, int]) -> Array:
        """A column as the numbers of its texts. Raises DataError at the first text that has none."""
        import numpy as np

        texts = self.column(name)
        found = np.array([codes.get(text, -1) for text in texts], np.int64)
        for row in np.flatnonzero(found < 0)[:1]:
            raise DataError(f"{self._cell(name, row)} is {_shown(texts[row])}, which the training part does not have")
        for row in (i for i, text in enumerate(texts) if not text):
            raise DataError(f"{self._cell(name, row)} is empty, expected a category")
        return found

    def _cell(self, name: str, row: int) -> str:
        return f"{show(self.path)}, line {self.lines[row]}: {printable(name)}"


def read_table(path: Path, separator: str) -> Table:
    """All the texts of a file whose first line names its columns. Raises DataError."""
    if len(separator) != 1:
        raise DataError(f"csv: the separator is {separator!r}, expected one character")
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = tuple(name.strip() for name in next(reader, []))
        for row in reader:
            if row and len(row) != len(header):
                text = f"{show(path)}, line {reader.line_num}: {len(row)} columns, the first line names {len(header)}"
                raise DataError(f"{text}. Is the separator {separator!r} right?")
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{show(path)}, line {reader.line_num}: {error}") from None
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise DataError(f"{show(path)} has two columns called {double!r}")
    if not rows:
        raise DataError(f"{show(path)} holds no rows below the line that names its columns")
    columns = tuple(tuple(text.strip() for text in column) for column in zip(*rows, strict=True))
    return Table(path, header, columns, tuple(lines))


def _text(path: Path) -> str:
    with unpacked(path) as stream:
        content = stream.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise DataError(f"{show(path)} holds more than {MAX_TEXT:,} bytes of text. Save the columns as npz instead.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{show(path)} is not UTF-8: byte 0x{content[error.start]:02x} on line {line}") from None


def _as_floats(texts: Sequence[str]) -> Array | None:
    import numpy as np

    try:
        return np.array(texts).astype(np.float64)
    except ValueError:
        return None


def _finite(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _distinct(texts: Sequence[str]) -> list[str]:
    """The distinct texts in order: of their values where all are whole numbers, else of the alphabet."""
    distinct = set(texts) - {""}
    return sorted(distinct, key=int) if all(t.lstrip("+-").isdecimal() for t in distinct) else sorted(distinct)


def _codes(columns: Sequence[Sequence[str]]) -> list[dict[str, int]]:
    """A number for every distinct text of every column, counted through all columns."""
    codes: list[dict[str, int]] = []
    start = 0
    for column in columns:
        codes.append({text: start + i for i, text in enumerate(_distinct(column))})
        start += len(codes[-1])
    return codes


def _shown(text: str) -> str:
    return repr(printable(text[:40])) if text else "empty"
