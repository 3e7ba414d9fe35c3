"""Tensors of safetensors files as arrays that lie in the file until they are read. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from netspec.errors import DataError
from netspec.files import shown
from netspec.weights.header import Entry, read_header

Array = np.ndarray[Any, Any]
BFLOAT16: Final = "bfloat16"
"""What numpy has no name for: the upper half of a float32."""


def read_arrays(path: Path) -> dict[str, Array]:
    """All tensors of a file, by name, each of its own kind but bfloat16, which is float32. Raises DataError."""
    return arrays_in(path, read_header(path).tensors)


def arrays_in(path: Path, entries: dict[str, Entry]) -> dict[str, Array]:
    """The tensors of a file that its header names so. Raises DataError."""
    if not any(entry.bytes for entry in entries.values()):
        whole: Array = np.zeros(0, np.uint8)
    else:
        try:
            whole = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise DataError(f"{shown(path)} cannot be read: {error}") from None
    return {name: _array(whole, entry, path) for name, entry in entries.items()}


def _array(whole: Array, entry: Entry, path: Path) -> Array:
    """One tensor. Raises DataError for a kind of numbers that numpy has not."""
    part = whole[entry.begin : entry.begin + entry.bytes]
    if entry.kind == BFLOAT16:
        wide = part.view("<u2").astype("<u4")
        wide <<= 16
        return wide.view(np.float32).reshape(entry.shape)
    try:
        kind = np.dtype(entry.kind)
    except TypeError:
        raise DataError(f"{shown(path)} holds {entry.kind}, which only torch reads") from None
    return (part if part.ctypes.data % kind.itemsize == 0 else part.copy()).view(kind).reshape(entry.shape)
