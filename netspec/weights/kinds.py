"""Kinds of numbers, by torch's names: which of them can be meant by which."""

from __future__ import annotations

from typing import Final

FLOATS: Final = ("float16", "bfloat16", "float32", "float64")
WHOLE: Final = ("int8", "int16", "int32", "int64")


def holds(wanted: str, found: str) -> bool:
    """Whether numbers of one kind can be meant by those of another: floats by floats, whole ones by narrower ones."""
    if wanted in FLOATS:
        return found in FLOATS
    return wanted == found or (wanted in WHOLE and found in WHOLE[: WHOLE.index(wanted)])
