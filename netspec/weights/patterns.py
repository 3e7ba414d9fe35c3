"""Patterns of names: a name itself, that of a module around it, or either with * ? and [...]."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

WILD: Final = frozenset("*?[")
"""Characters that make a name a pattern."""


def means(pattern: str, name: str) -> bool:
    """Whether a pattern is that of a parameter's name, or of a module around it."""
    if WILD.isdisjoint(pattern):
        return name == pattern or name.startswith(f"{pattern}.")
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def meets(pattern: str, other: str) -> bool:
    """Whether a name may be meant by both patterns, one of which is perhaps a plain name."""
    return fnmatchcase(other, pattern) or fnmatchcase(pattern, other)


def means_part(pattern: str, path: str) -> bool:
    """Whether a pattern may be that of a parameter of the module at a path, itself a pattern, or of one inside it."""
    around = ".".join(pattern.split(".")[: path.count(".") + 1])
    return meets(around, path) or meets(pattern, f"{path}.weight")
