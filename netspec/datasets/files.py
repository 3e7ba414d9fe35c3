"""Opening the files that a spec names: inside its folder, bounded, and with words for what is wrong."""

from __future__ import annotations

import errno
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from netspec.errors import DataError, MissingData
from netspec.paths import real
from netspec.words import printable

MAX_UNPACKED: Final = 4 * 2**30
"""The most bytes that one compressed file may unpack to, whatever is allowed."""
MEMORY: Final = 2 * 2**30
"""Bytes that what can only be read whole may take, where the spec does not say."""
GZIP: Final = b"\x1f\x8b"


class Budget:
    """How much memory what can only be read whole may take: packed files, texts, tables. Counted before it is taken."""

    def __init__(self, bytes: int = MEMORY) -> None:
        self.whole = self.left = bytes

    def take(self, count: int, label: str, way_out: str) -> None:
        """Take so many bytes for what `label` names. Raises DataError where they are not left."""
        if count > self.left:
            text = f"{label} takes {count:,} bytes of memory, of {self.whole:,} that are allowed {self.left:,} are left"
            raise DataError(f"{text}. {way_out}, or allow more in the spec: data.memory=16GB.")
        self.left -= count


@dataclass(frozen=True, slots=True)
class Files:
    """The folder that paths of a spec start from, and whether they may leave it."""

    root: Path
    """Where relative paths start."""
    allow_outside: bool = False
    doubt: str = ""
    """Why nothing is read there unless `allow_outside`; empty where that is no question."""
    budget: Budget = field(default_factory=Budget)

    def find(self, path: str) -> Path:
        """The file or folder at `path`. Raises MissingData if it is not there, DataError if it is outside the root."""
        if self.doubt and not self.allow_outside:
            raise DataError(f"{self.doubt}. To read {printable(path[:200])!r} there, add --allow-outside.")
        found = self.root / path
        if "\0" in path:
            raise DataError("a path of data holds a zero byte")
        try:
            if not self.allow_outside:
                self._need_inside(path, found)
            found.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingData(f"{show(found)} does not exist. {_nearest(found)}") from None
        except OSError as error:  # a name that is too long, links in a circle
            reason = "it is a link to itself" if error.errno == errno.ELOOP else error.strerror
            raise DataError(f"{printable(path[:200])} cannot be opened: {reason}") from None
        return found

    def file(self, path: str) -> Path:
        """The file at `path`. Raises DataError."""
        found = self.find(path)
        if not found.is_file():
            kind = "a folder" if found.is_dir() else "not a regular file"
            raise DataError(f"{show(found)} is {kind}, expected a file")
        return found

    def folder(self, path: str) -> Path:
        """The folder at `path`. Raises DataError."""
        found = self.find(path)
        if not found.is_dir():
            raise DataError(f"{show(found)} is a file, expected a folder")
        return found

    def _need_inside(self, path: str, found: Path) -> None:
        """Refuse a path that leads out of the spec's folder, as it is written or by a link. Raises DataError."""
        way_out = "Move the data there, or allow paths outside on the command line."
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise DataError(f"the path {printable(path)!r} leaves the folder of the spec. {way_out}")
        if not real(found).is_relative_to(real(self.root)):
            raise DataError(f"the path {printable(path)!r} is a link that leaves the folder of the spec. {way_out}")


@contextmanager
def unpacked(path: Path) -> Iterator[io.BufferedIOBase]:
    """The bytes of a file, unpacked if its content is gzip. Faults of the file become DataError."""
    try:
        with path.open("rb") as raw:
            if not is_packed(path):
                yield raw
            else:
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{show(path)} is damaged: {error}. Fetch it again.") from None
    except OSError as error:
        raise DataError(f"{show(path)} cannot be read: {error.strerror or error}") from None


def is_packed(path: Path) -> bool:
    """Whether the content of a file is gzip."""
    with path.open("rb") as raw:
        return raw.read(2) == GZIP


def content_of(path: Path, limit: int, way_out: str) -> bytes:
    """All bytes of a file, raw or gzipped. Raises DataError, also for more than `limit`."""
    with unpacked(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{show(path)} holds more than {limit:,} bytes of text. {way_out}")
    return content


def text_of(path: Path, limit: int, way_out: str) -> str:
    """The text of a file in UTF-8, read in the same way. Raises DataError."""
    content = content_of(path, limit, way_out)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{show(path)} is not UTF-8: byte 0x{content[error.start]:02x} on line {line}") from None


def show(path: Path) -> str:
    """A path as messages show it."""
    return printable(str(path))


def _nearest(path: Path) -> str:
    """What the folder does hold, for a file that it does not."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    if folder != path.parent:
        return f"There is no folder {show(path.parent)} either."
    names = sorted(p.name for p in folder.iterdir())
    blanks = [name for name in names if name.startswith(f"{path.name} ")][:1]
    if blanks:
        return f"There is {printable(blanks[0])!r}: a path with blanks is written long, {{csv: {{path: my data.csv}}}}."
    names = names[:6]
    return f"{show(folder)} holds: {printable(', '.join(names)) or 'nothing'}."
