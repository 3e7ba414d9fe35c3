"""Patterns of names: a name itself, that of a module around it, or either with * ? and [...]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

WILD: Final = frozenset("*?[")
"""Characters that make a name a pattern."""


def means(pattern: str, name: str) -> bool:
    """Whether a pattern is that of a parameter's name, or of a module around it."""
    if WILD.isdisjoint(pattern):
        return name == pattern or name.startswith(f"{pattern}.")
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def keys(names: Iterable[str]) -> Iterator[str]:
    """What rules about these parameters may be called: their names, then the levels around them, plain and with *."""
    names = [*names]
    levels = sorted({".".join(name.split(".")[:count]) for name in names for count in range(1, name.count(".") + 1)})
    yield from (*names, *levels, *(f"{level}.*" for level in levels))


def meets(pattern: str, other: str) -> bool:
    """Whether a name may be meant by both patterns, one of which is perhaps a plain name."""
    return fnmatchcase(other, pattern) or fnmatchcase(pattern, other)


def means_part(pattern: str, path: str) -> bool:
    """Whether a pattern may be that of a parameter of the module at a path, itself a pattern, or of one inside it."""
    around = ".".join(pattern.split(".")[: path.count(".") + 1])
    return meets(around, path) or meets(pattern, f"{path}.weight")
