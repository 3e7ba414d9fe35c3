"""File locks, which one process holds at a time. The system lets go of them when the holder ends, however it ends."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from netspec.files import saving


def held(path: Path, wait: bool = False) -> BaseFileLock | None:
    """The lock at `path`, held until it is released; None where another holds it and `wait` is false.

    Raises UsageError where the disk refuses it.
    """
    lock = FileLock(path, thread_local=False)
    with saving(path):
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            return None
    return lock
