"""Samples that come piece by piece, however many: in memory while they are few, then in files of their own.

Nobody else sees these files, and they are gone with the last who can read them.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, overload

from netspec.datasets.rows import FileRows
from netspec.errors import DataError
from netspec.json_text import json_text

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.base import Column

    Array = np.ndarray[Any, Any]

HELD: Final = 64 * 2**20
"""Bytes of a column that stay in memory, at most."""


class Folder:
    """A folder for what memory is too small for, made when it is first needed."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._count = 0

    def file(self) -> Path:
        """A new file in it."""
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix="netspec-"))
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        self._count += 1
        return self._path / str(self._count)


@dataclass(frozen=True)
class SpilledRows(FileRows):
    """Rows in a file that lasts as long as they do."""

    folder: Folder


class Growing:
    """One array of samples, to which more are added."""

    def __init__(self, folder: Folder, most: int) -> None:
        """`most` is how many bytes of it stay in memory."""
        self._folder, self._most = folder, most
        self._held: list[Array] = []
        self._path: Path | None = None
        self._form: Array | None = None
        self._rows = 0

    def add(self, rows: Array) -> None:
        """Add samples of the same form. Raises DataError where no file can take them."""
        if self._form is None:
            self._form = rows[:0]
        self._rows += len(rows)
        self._held.append(rows)
        if sum(each.nbytes for each in self._held) > self._most:
            self._spill()

    def _spill(self) -> None:
        """Write what is held to the file."""
        import numpy as np

        self._path = self._path or self._folder.file()
        try:
            with self._path.open("ab") as stream:
                for rows in self._held:
                    stream.write(np.ascontiguousarray(rows).data)
        except OSError as error:
            text = f"there is no room beside memory for so many samples, in {self._path.parent.parent}"
            raise DataError(f"{text}: {error.strerror or error}. Give fewer at a time.") from None
        self._held = []

    def whole(self) -> Column:
        """All of them."""
        import numpy as np

        if self._path is None:
            return np.concatenate(self._held)
        assert self._form is not None
        self._spill()
        shape, dtype = (self._rows, *self._form.shape[1:]), self._form.dtype
        return SpilledRows(self._path, 0, dtype, shape, dtype, self._folder)


class GrowingWords(Sequence[str]):
    """One word for each sample, to which more are added; what is read are stretches, in their order."""

    def __init__(self, folder: Folder, most: int) -> None:
        """`most` is how many characters of them stay in memory."""
        self._folder, self._most = folder, most
        self._held: list[str] = []
        self._size = 0
        self._path: Path | None = None
        self._stretches: list[tuple[int, int]] = []
        """Of each stretch in the file the number of its first word, and where it begins."""
        self._spilled = 0
        self._read: tuple[int, list[str]] = (-1, [])

    def extend(self, words: Iterable[str]) -> None:
        """Add words."""
        before = len(self._held)
        self._held += words
        self._size += sum(map(len, self._held[before:]))
        if self._size > self._most:
            self._spill()

    def _spill(self) -> None:
        """Write what is held to the file, as one stretch."""
        self._path = self._path or self._folder.file()
        with self._path.open("ab") as stream:
            self._stretches.append((self._spilled, stream.tell()))
            stream.write(json_text(self._held).encode() + b"\n")
        self._spilled += len(self._held)
        self._held, self._size = [], 0

    def __len__(self) -> int:
        return self._spilled + len(self._held)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, int):
            return self._at(range(len(self))[place])
        return [self._at(i) for i in range(len(self))[place]]

    def _at(self, place: int) -> str:
        """The word of one sample."""
        if place >= self._spilled:
            return self._held[place - self._spilled]
        first, words = self._read
        if not first <= place < first + len(words):
            first, start = next(s for s in reversed(self._stretches) if s[0] <= place)
            assert self._path is not None
            with self._path.open("rb") as stream:
                stream.seek(start)
                words = json.loads(stream.readline())
            self._read = first, words
        return words[place - first]


def grown(pieces: Iterable[Sequence[Array]], most: int) -> list[Column]:
    """Columns of samples, of which `pieces` have as many arrays each; each has up to `most` bytes in memory."""
    folder, found = Folder(), list[Growing]()
    for piece in pieces:
        found = found or [Growing(folder, most) for _ in piece]
        for column, rows in zip(found, piece, strict=True):
            column.add(rows)
    return [each.whole() for each in found]
