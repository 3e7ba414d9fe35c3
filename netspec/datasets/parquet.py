"""Parquet: tables in columns, packed, as pyarrow reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from os import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.base import Origin
from netspec.datasets.columns import Column, Table, Texts, twice
from netspec.datasets.files import MEMORY, Budget, show
from netspec.datasets.table import COLUMNS, Tabular
from netspec.datasets.writing import Writing
from netspec.errors import DataError
from netspec.optional import need
from netspec.words import printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAGIC: Final = b"PAR1"
"""What a parquet file begins and ends with."""
QUICK_CELLS: Final = 2**20
"""The most cells of a table that is read for a check alone."""
MAX_CELLS: Final = 2**27
"""The most cells of a table, which is held in memory."""


class Parquet(Tabular):
    __doc__ = f"Columns of a parquet file. It takes pyarrow: `pip install 'netspec-torch[parquet]'`.\n\n{COLUMNS}"

    example = "parquet data/table.parquet price"

    def quick(self, path: Path) -> bool:
        if find_spec("pyarrow") is None or not super().quick(path):
            return False
        parquet = need("pyarrow.parquet", "parquet", "parquet")
        try:
            shape = parquet.ParquetFile(path).metadata
        except (need("pyarrow", "parquet", "parquet").ArrowException, OSError) as error:
            raise DataError(_refusal(path, error)) from None
        return int(shape.num_rows * shape.num_columns) <= QUICK_CELLS

    def table(self, path: Path, memory: int = MEMORY) -> Table:
        arrow, parquet = need("pyarrow", "parquet", "parquet"), need("pyarrow.parquet", "parquet", "parquet")
        try:
            found = parquet.ParquetFile(path)
            _need_bounded(found.metadata, path, memory)
            fields = list(found.schema_arrow)
            _need_plain_bounded(fields, found.metadata.num_rows, path, memory)
            texts = [field.name for field in fields if _is_text(field.type)]
            flat = [field.name for field in fields if not _is_nested(field.type)]
            # Each text once, however many cells hold it; what is nested would be refused, and is not unpacked for that.
            read = parquet.ParquetFile(path, read_dictionary=texts).read(flat)
            whole = {field.name: arrow.chunked_array([arrow.array([], field.type)]) for field in fields}
        except (arrow.ArrowException, OSError) as error:
            raise DataError(_refusal(path, error)) from None
        names = [field.name for field in fields]
        double = twice(names)
        if double is not None:
            raise DataError(f"{show(path)} has two columns called {double!r}")
        if not read.num_rows:
            raise DataError(f"{show(path)} holds no rows")
        whole = {name: read.column(name) for name in read.column_names} | {
            name: cells for name, cells in whole.items() if name not in read.column_names
        }
        columns = {name: self._column(cells, show(path), name) for name, cells in whole.items()}
        index = frozenset(name for name in names if name.startswith("__index_level_"))
        return Table(Origin((show(path),)), columns, self.writing, index)

    def _column(self, cells: Any, label: str, name: str) -> Column:
        types = need("pyarrow.types", "parquet", "parquet")
        kind = cells.type.value_type if types.is_dictionary(cells.type) else cells.type
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            return Numbers(cells.cast(kind))
        return Words(
            cells, self.empty, self.writing, f"{label}: {printable(name)} holds {kind}, expected numbers or texts"
        )


def _need_bounded(metadata: Any, path: Path, memory: int) -> None:
    """Refuse a table of more than is read, before any of it is: a few bytes can stand for millions of equal cells.

    Raises DataError.
    """
    cells = metadata.num_rows * metadata.num_columns
    most = MAX_CELLS * memory // MEMORY
    if cells > most:
        text = f"{show(path)} holds {cells:,} cells, at most {most:,} are read"
        raise DataError(f"{text}. Allow more in the spec: data.memory=16GB.")
    held = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    Budget(memory).take(max(held, 0), show(path), "Keep only the columns that are needed")


def _need_plain_bounded(fields: Sequence[Any], rows: int, path: Path, memory: int) -> None:
    """Refuse columns of one width whose cells take more than is allowed once they are unpacked. Raises DataError."""
    types = need("pyarrow.types", "parquet", "parquet")
    widths = [field.type.byte_width for field in fields if types.is_fixed_size_binary(field.type)]
    Budget(memory).take(rows * sum(widths), show(path), "Keep only the columns that are needed")


def _is_text(kind: Any) -> bool:
    """Whether a type of pyarrow's holds texts, or the bytes of texts."""
    types = need("pyarrow.types", "parquet", "parquet")
    return any(
        is_one(kind) for is_one in (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    )


def _is_nested(kind: Any) -> bool:
    """Whether a type of pyarrow's holds lists, mappings or structures."""
    return bool(need("pyarrow.types", "parquet", "parquet").is_nested(kind))


def _refusal(path: Path, error: Exception) -> str:
    """What is wrong with a file that pyarrow cannot read; its own words speak of the memory that it asked for."""
    try:
        with path.open("rb") as stream:
            begin = stream.read(len(MAGIC))
            stream.seek(-min(path.stat().st_size, len(MAGIC)), SEEK_END)
            end = stream.read()
    except OSError as unreadable:
        return f"{show(path)} cannot be read: {unreadable.strerror or unreadable}"
    if begin != MAGIC:
        return f"{show(path)} is no parquet file: {'it does not begin as one' if begin else 'it is empty'}"
    if end != MAGIC:
        return f"{show(path)} is not a whole parquet file: its end is missing. Fetch or write it again."
    return f"{show(path)} is damaged: {printable(str(error).splitlines()[0])}. Fetch or write it again."


class Numbers:
    """A column that the file says holds numbers. What is null or nan is empty."""

    def __init__(self, cells: Any) -> None:
        self._cells = cells

    def texts(self) -> Sequence[str]:
        return [text if text and text != "nan" else "" for text in self._cells.cast("string").to_pylist()]

    def floats(self) -> Array | None:
        found: Array = self._cells.cast("float64", safe=False).to_numpy()
        return None if self.empty().all() else found

    def empty(self) -> Array:
        found: Array = self._cells.is_null(nan_is_null=True).to_numpy()
        return found


class Words:
    """A column of anything else, as texts; made when it is asked for, because few of a file's columns may be."""

    def __init__(self, cells: Any, empty: Collection[str], writing: Writing, refusal: str) -> None:
        self._cells, self._empty, self._writing, self._refusal = cells, empty, writing, refusal

    @cached_property
    def _read(self) -> Texts:
        """The cells as texts. Raises DataError for bytes that are no text, and for types that have none."""
        try:
            found = [text for chunk in self._cells.chunks for text in _texts(chunk)]
        except (NotImplementedError, ValueError):  # how pyarrow refuses lists and structures; bytes and odd times
            raise DataError(self._refusal) from None
        return Texts([text or "" for text in found], self._empty, self._writing)

    def texts(self) -> Sequence[str]:
        return self._read.texts()

    def floats(self) -> Array | None:
        return self._read.floats()

    def empty(self) -> Array:
        return self._read.empty()


def _texts(cells: Any) -> Iterator[str | None]:
    """Each cell as text, None for one that is null; the same object for each cell of a text that is held once."""
    if not hasattr(cells, "dictionary"):
        return iter(cells.cast("string").to_pylist())
    known = cells.dictionary.cast("string").to_pylist()
    return (known[place] if place is not None else None for place in cells.indices.to_pylist())
