"""What a run's folder says of itself, read with care: the folder may come from anyone.

It holds plain files and folders. A link in it could have a run read, overwrite or delete what lies elsewhere, and a
pipe would be waited for; neither is followed or opened.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, Final, NoReturn

from netspec.errors import DataError
from netspec.files import kind, need_file, shown
from netspec.words import printable

MAX_NOTE: Final = 64 * 2**20
"""Bytes of a file in JSON, at most."""
DIGITS: Final = 100
"""Of a whole number, at most."""
AGAIN: Final = "Fetch the folder again, or train anew."


def need_plain(folder: Path, names: Iterable[str]) -> None:
    """Refuse what has one of these names in a folder and is no file or folder, or holds such a thing at any depth.

    Raises DataError that names it.
    """
    for path in (folder / name for name in names):
        inside = ((Path(root), [*folders, *files]) for root, folders, files in os.walk(path))
        for each in chain([path], (root / name for root, held in inside for name in sorted(held))):
            if each.is_symlink():
                leads = f"{shown(each)} is a link to {shown(each.readlink())}"
                raise DataError(f"{leads}. Links in {shown(folder)} are not followed: put there what it leads to.")
            if (found := kind(each)) not in ("file", "folder", ""):
                raise DataError(f"{shown(each)} is a {found}, expected a file or a folder. Remove it.")


def read_note(path: Path, fault: Callable[[Any], str]) -> Any:
    """The plain data in a file of JSON; `fault` says what is wrong with it, if something is. Raises DataError."""
    need_file(path, "a file of JSON")
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_NOTE + 1)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    if len(text) > MAX_NOTE:
        raise DataError(f"{shown(path)} holds more than {MAX_NOTE:,} bytes, which no run writes. {AGAIN}")
    try:
        found = plain(text)
    except ValueError as error:
        raise DataError(f"{shown(path)} is not what a run writes: {error}. {AGAIN}") from None
    if wrong := fault(found):
        raise DataError(f"{shown(path)} is not what a run writes: {wrong}. {AGAIN}")
    return found


def plain(text: bytes | str) -> Any:
    """The plain data in JSON. Raises ValueError that says what is wrong with it."""
    try:
        return json.loads(text, parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start:,}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def texts(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _finite(word: str) -> float:
    """A float; refuses what is too large for one. Raises ValueError."""
    return value if isfinite(value := float(word)) else _no_number(word)


def _whole(word: str) -> int:
    """A whole number; refuses one of very many digits, which would take long to read. Raises ValueError."""
    return int(word) if len(word) <= DIGITS else _no_number(word)


def _no_number(word: str) -> NoReturn:
    """Refuse NaN, Infinity and their like, which JSON does not have. Raises ValueError."""
    raise ValueError(f"{printable(word[:DIGITS])} is no number of JSON that a run writes")
