"""Which parameters training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_frozen(name: str, patterns: Sequence[object]) -> bool:
    """Whether one of the patterns under `weights: {freeze: ...}` means this parameter, by name or by module."""
    return any(fnmatchcase(name, str(p)) or fnmatchcase(name, f"{p}.*") for p in patterns)
