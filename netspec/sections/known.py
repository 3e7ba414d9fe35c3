"""The sections that there are: each is a class in a file of this folder that is named for its key, and found there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from netspec import sections as folder
from netspec.catalogue import Catalogue
from netspec.errors import Path
from netspec.sections.base import Section


def find(key: Any) -> Section | None:
    """The section with this key; None where there is none. Imports its file alone."""
    module = f"{folder.__name__}.{key}"
    if not (isinstance(key, str) and key.isidentifier()) or find_spec(module) is None:
        return None
    own = (cls for cls in vars(import_module(module)).values() if isinstance(cls, type) and issubclass(cls, Section))
    return next((cls() for cls in own if vars(cls).get("key") == key), None)


def section(key: str) -> Section:
    """The section with this key, which there is."""
    found = find(key)
    assert found is not None, key
    return found


@cache
def sections() -> tuple[Section, ...]:
    """Every section, in the order in which they are told. Imports them all."""
    from pkgutil import iter_modules  # a spec without mistakes asks for its own sections only

    found = [one for file in iter_modules(folder.__path__) if (one := find(file.name))]

    def told(before: str) -> Iterator[Section]:
        for one in found:
            if one.after == before:
                yield one
                yield from told(one.key)

    ordered = tuple(told(""))
    assert len(ordered) == len(found), "a section is told after one that is not there"
    return ordered


def entries() -> dict[Path, Catalogue[Any]]:
    """Where a spec names entries, and of which catalogue; a * stands for any name."""
    return {(one.key, *path): catalogue for one in sections() for path, catalogue in one.entries.items()}
