"""Drafts: what is being written lies beside its place, under another name, until it is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_open: set[Path] = set()


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Where to write what shall take the place of `path`; nothing is left there afterwards."""
    beside = path.with_name(f".{path.name}.part")
    _open.add(beside)
    try:
        _delete(beside)
        yield beside
    finally:
        with suppress(OSError):
            _delete(beside)
        _open.discard(beside)


def sweep() -> None:
    """Delete all drafts of this process, which is about to end."""
    for beside in tuple(_open):
        with suppress(OSError):
            _delete(beside)


def _delete(path: Path) -> None:
    """Delete a file, a link or a whole folder."""
    from shutil import rmtree  # most commands write nothing

    if path.is_dir() and not path.is_symlink():
        rmtree(path)
    elif path.is_symlink() or path.exists():
        path.unlink(missing_ok=True)
