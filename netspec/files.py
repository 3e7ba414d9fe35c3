"""Atomic file writes: a crash leaves either the old file or the new one, never a half of one.

What a person names is heeded as what it is: a link stays and the file that it leads to is replaced, a pipe or a device
is written to as a stream, and anything else that is no file is refused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from netspec import windows
from netspec.drafts import draft
from netspec.errors import DataError, UsageError
from netspec.paths import real
from netspec.words import printable

MAX_LINKS: Final = 40
"""Links behind one another, of which systems follow no more."""


@contextlib.contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turns a refusal of the disk into a message that names the file. Raises UsageError."""
    try:
        yield
    except BrokenPipeError:  # whoever read it has gone, which is no fault
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{shown(path)} cannot be written: {reason}. What was saved before is untouched.") from error


def shown(path: Path | str) -> str:
    """A path as messages show it."""
    return printable(str(path))


def kind(path: Path) -> str:
    """What is at `path`, links followed: "file", "folder", "pipe", "device", "disk", "socket"; "" for nothing."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFCHR: "device"}
    return kinds.get(stat.S_IFMT(mode)) or ("disk" if stat.S_ISBLK(mode) else "socket")


def need_file(path: Path, expected: str) -> None:
    """Refuse what is no regular file, before anything waits for a pipe. Raises DataError."""
    try:
        found = kind(path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    if found != "file":
        what = f"is a {found}" if found else "does not exist"
        raise DataError(f"{shown(path)} {what}, expected {expected}")


def need_writable(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Refuse a place that no file can be written to, or that one of the `inputs` lies at. Raises UsageError."""
    with saving(path):
        found = kind(path)
        if found == "folder":
            raise UsageError(f"{shown(path)} is a folder, and the name of a file is expected")
        if found in ("disk", "socket"):
            raise UsageError(f"{shown(path)} is a {found}, which is not written to. Name a file.")
        if not found and not place_of(path).parent.is_dir():
            raise UsageError(f"{shown(path)} cannot be written: there is no folder {shown(place_of(path).parent)}")
        for given in inputs if found else ():
            if _same(path, given):
                raise UsageError(f"{shown(path)} is what this command reads. Name another file to write to.")


def _same(path: Path, other: Path) -> bool:
    """Whether two paths are one file that is there."""
    try:
        return path.samefile(other)
    except OSError:  # there is no such file, or it has no name that a file can have
        return False


def place_of(path: Path) -> Path:
    """Where a file that is written to `path` comes to lie: behind its links."""
    return real(path) if path.is_symlink() else path


def is_stream(path: Path) -> bool:
    """Whether `path` takes bytes and is no place for a file: a pipe, a device, an open file of this process."""
    return _descriptor(path) is not None or kind(path) in ("pipe", "device")


def pour(whole: Path, path: Path) -> None:
    """Write all bytes of a file into a stream."""
    with whole.open("rb") as source, _opened(path) as stream:
        shutil.copyfileobj(source, stream)


def _opened(path: Path) -> BinaryIO:
    """A stream to write to: a path, or a descriptor such as /dev/stdout."""
    number = _descriptor(path)
    if number is None:
        return path.open("wb")
    with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
        sys.stdout.flush()
    return os.fdopen(os.dup(number), "wb")


def _descriptor(path: Path) -> int | None:
    """The number of this process's own open file that /dev/stdout, /dev/fd/3 and the like name."""
    for _ in range(MAX_LINKS):
        if path.name.isdecimal() and os.path.realpath(path.parent) in (f"/proc/{os.getpid()}/fd", "/dev/fd"):
            return int(path.name)
        if not path.is_symlink():
            return None
        path = path.parent / path.readlink()
    return None


def write_file(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a file beside `path`, and put it in the place of `path` once it is on the disk.

    A link stays one, a stream is written to. Raises UsageError for what cannot be written.
    """
    need_writable(path)
    with saving(path):
        if is_stream(path):
            with tempfile.TemporaryDirectory() as folder:
                whole = Path(folder, "whole")
                write(whole)
                pour(whole, path)
            return
        place = place_of(path)
        with draft(place) as beside:
            beside.touch()
            mode = mode_for(place, beside)
            write(beside)
            beside.chmod(mode)
            sync(beside)
            beside.replace(place)
            sync(place.parent)


def mode_for(place: Path, fresh: Path) -> int:
    """The permissions that a file at `place` has or, where there is none, gets: those of a `fresh` one beside it."""
    return stat.S_IMODE((place if place.exists() else fresh).stat().st_mode)


def write_text(path: Path, text: str) -> None:
    """Put `text` in the place of the file at `path`."""
    write_file(path, lambda beside: _write(beside, text))


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file at `path`."""

    def write(beside: Path) -> None:
        """Write them."""
        beside.write_bytes(data)

    write_file(path, write)


def _write(path: Path, text: str) -> None:
    """Write a text as UTF-8."""
    path.write_text(text, encoding="utf-8")


def sync(path: Path) -> None:
    """Have the system put a file or a folder on the disk. Windows does so with files only, if they can be written."""
    if windows.WINDOWS and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if windows.WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal digits."""
    import hashlib  # a check of a spec does without

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove(folder: Path) -> None:
    """Delete a folder; from the first moment it no longer has its name."""
    gone = folder.with_name(f".{folder.name}.gone")
    if gone.exists():
        shutil.rmtree(gone)
    folder.rename(gone)
    shutil.rmtree(gone)
