"""Folders of images: what is in them, by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from netspec.datasets.files import Files, show
from netspec.errors import DataError


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without what its system hides. Raises DataError."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{show(folder)} cannot be read: {error.strerror or error}") from None
    for entry in found:
        if any("\udc80" <= c <= "\udcff" for c in entry.name):
            raise DataError(f"{show(Path(entry.path))} has a name that is not UTF-8. Rename it.")
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def holds_folders(folder: Path) -> bool:
    """Whether a folder has folders in it that are not hidden."""
    return any(is_folder(entry) for entry in visible(folder))


def files_in(path: Path) -> Iterator[Path]:
    """The file itself, or all files in a folder and those in it, by name."""
    if not path.is_dir():
        yield path
        return
    for entry in visible(path):
        yield from files_in(Path(entry.path))


def images_in(files: Files, path: str, within: str = "") -> list[tuple[str, str]]:
    """All files in the folder at `path` and those in it, by name: their names within it, and their paths.

    Raises DataError for a link that leaves the folder of the spec.
    """
    found: list[tuple[str, str]] = []
    for entry in visible(files.folder(f"{path}/{within}" if within else path)):
        name = f"{within}/{entry.name}" if within else entry.name
        if entry.is_symlink():
            files.find(f"{path}/{name}")
        if is_folder(entry):
            found += images_in(files, path, name)
        else:
            found.append((name, str(files.find(f"{path}/{name}"))))
    return found
