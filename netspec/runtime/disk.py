"""Writes files so that a crash leaves either the old or the new, never a half of one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from netspec.drafts import draft
from netspec.errors import UsageError
from netspec.runtime import windows


@contextlib.contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turns a refusal of the disk into a message that names the file. Raises UsageError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path} cannot be written: {reason}. What was saved before is untouched.") from error


def write_file(path: Path, write: Callable[[Path], None]) -> None:
    """Have `write` make a file beside `path`, and put it in the place of `path` once it is on the disk."""
    with saving(path), draft(path) as beside:
        write(beside)
        sync(beside)
        beside.replace(path)
        sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Put `text` in the place of the file at `path`."""
    write_file(path, lambda beside: _write(beside, text))


def _write(path: Path, text: str) -> None:
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
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove(folder: Path) -> None:
    """Delete a folder; from the first moment it no longer has its name."""
    gone = folder.with_name(f".{folder.name}.gone")
    if gone.exists():
        shutil.rmtree(gone)
    folder.rename(gone)
    shutil.rmtree(gone)
