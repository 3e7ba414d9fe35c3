"""Rows of data that stay in their files until they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import FileIO
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from netspec.datasets.files import show
from netspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PIECE: Final = 4 * 2**20
"""Bytes that are looked at together where all of a file is looked at."""


class Rows(ABC):
    """A row for each sample, in a file or many. It is shaped and indexed like an array.

    It pickles, so that other processes can read too, and an index reads: nothing is kept.
    """

    decodes: ClassVar[bool] = False
    """Whether reading a row is work that several processes had better share."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """The number of axes, samples included."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """What all rows would take in memory."""
        return prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, rows: Array | slice) -> Array:
        """Rows by their numbers or by a slice, in memory."""
        import numpy as np

        return self.read(np.arange(len(self))[rows] if isinstance(rows, slice) else rows)

    @abstractmethod
    def read(self, rows: Array) -> Array:
        """These rows, in this order. Raises DataError."""


@dataclass(frozen=True)
class FileRows(Rows):
    """An array that lies unpacked in a file, one row after the other.

    Rows are read, and the file is not mapped: a mapped file that someone cuts short ends the process without a word,
    and its pages count as the process's own memory.
    """

    path: Path
    start: int
    """Where the first row begins, in bytes."""
    stored: np.dtype[Any]
    """The dtype in the file."""
    shape: tuple[int, ...]
    """Rows first."""
    dtype: np.dtype[Any]

    def astype(self, dtype: Any) -> FileRows:
        """The same rows, turned into another dtype as they are read."""
        import numpy as np

        return replace(self, dtype=np.dtype(dtype))

    def reshape(self, *shape: int) -> FileRows:
        """The same values, with as many rows of another shape."""
        return replace(self, shape=shape)

    def read(self, rows: Array) -> Array:
        import numpy as np

        found = np.empty((len(rows), *self.shape[1:]), self.stored)
        each = prod(self.shape[1:]) * self.stored.itemsize
        into = found.reshape(-1).view(np.uint8).data
        try:
            with self.path.open("rb", buffering=0) as stream:
                for begin, end in _runs(rows):
                    stream.seek(self.start + int(rows[begin]) * each)
                    self._fill(stream, into[begin * each : end * each])
        except OSError as error:
            raise DataError(f"{show(self.path)} cannot be read: {error.strerror or error}") from None
        return found.astype(self.dtype, copy=False)

    def _fill(self, stream: FileIO, into: memoryview) -> None:
        """Read until a stretch of memory is full. Raises DataError where the file ends before."""
        while into:
            count = stream.readinto(into)
            if not count:
                raise DataError(f"{show(self.path)} has become shorter since it was opened. Was it written to?")
            into = into[count:]


@dataclass(frozen=True)
class Picked(Rows):
    """Some of the rows of others, in an order of their own."""

    rows: Rows
    chosen: Array
    """The numbers of the rows, whole numbers along one axis."""

    @property
    def decodes(self) -> bool:  # type: ignore[override]
        return self.rows.decodes

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (len(self.chosen), *self.rows.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        return self.rows.dtype

    def astype(self, dtype: Any) -> Picked:
        """The same rows, turned into another dtype as they are read. They lie in one file."""
        assert isinstance(self.rows, FileRows)
        return replace(self, rows=self.rows.astype(dtype))

    def read(self, rows: Array) -> Array:
        return self.rows.read(self.chosen[rows])


def pieces(values: Any) -> Iterator[tuple[int, Any]]:
    """All of an array, a tensor or rows, in pieces of a bounded size; each with the number of its first row."""
    count = max(1, PIECE // max(1, prod(values.shape[1:]) * values.dtype.itemsize))
    for start in range(0, len(values), count):
        yield start, values[start : start + count]


def _runs(rows: Array) -> Iterator[tuple[int, int]]:
    """Stretches of `rows` whose numbers follow each other, so that each is one read."""
    import numpy as np

    starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
    return pairwise([*starts.tolist(), len(rows)])
