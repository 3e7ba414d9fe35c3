"""Reads the specs that a spec extends, one or several, and lays it over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from netspec.errors import At, Problem
from netspec.paths import real
from netspec.sections.overlay import merged
from netspec.sections.overrides import overridden, override_path
from netspec.text.reader import read_file
from netspec.text.report import SpecError
from netspec.text.source import Source
from netspec.words import offered, printable

MAX_EXTENDS: Final = 8
"""How many specs may extend each other in a row."""
MAX_FILES: Final = 64
"""How many specs may be read for one."""


def laid(source: Source, folder: Path | None, overrides: Sequence[str], root: Path | None = None) -> Source:
    """`source` over the specs that it extends, with the overrides over all; one of `extends` says which those are.

    It stands in `folder`; those that it extends may stand in any folder of `root`, by default of the repository that
    it is part of. Raises SpecError.
    """
    of_extends = [text for text in overrides if override_path(text.partition("=")[0])[:1] == ("extends",)]
    source = overridden(source, of_extends)
    source = _Bases(folder, root).under(source, folder, 0)
    return overridden(source, [text for text in overrides if text not in of_extends])


def top_of(folder: Path) -> Path:
    """The top of the repository that a folder is part of; the folder itself where it is part of none."""
    folder = real(folder)
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


@dataclass
class _Bases:
    """The specs that are read for one, which stands in `folder`, all of them in `root`."""

    folder: Path | None
    root: Path | None
    count: int = 0

    def under(self, source: Source, folder: Path | None, depth: int) -> Source:
        """`source`, which stands in a folder, over the specs that it extends, of which later ones lie over earlier."""
        named = source.data.get("extends") if isinstance(source.data, dict) else None
        if named is None:
            return source
        names = named if isinstance(named, list) else [named]
        whole: Source | None = None
        for place, name in enumerate(names):
            at = At(("extends", place) if isinstance(named, list) else ("extends",))
            base = self._read(name, at, source, folder, depth)
            whole = base if whole is None else merged(whole, base)
        whole = source if whole is None else merged(whole, source)
        return replace(whole, data={key: value for key, value in whole.data.items() if key != "extends"})

    def _read(self, name: object, at: At, source: Source, folder: Path | None, depth: int) -> Source:
        """One of the specs that a spec extends, over those that it extends itself. Raises SpecError."""

        def refused(message: str, hint: str) -> SpecError:
            return SpecError([Problem("extends", message, at, hint)], source)

        if not isinstance(name, str):
            raise refused("the name of a spec is expected here", "As in extends: base.yaml")
        if folder is None:
            raise refused("a spec in memory has no folder to find another in", "Write it to a file, and load that.")
        path = folder / name
        root = real(self.root) if self.root is not None else top_of(self.folder or folder)
        if not real(path).is_relative_to(root):
            hint = "Name a folder that holds both, as in --root .., or copy it here."
            raise refused(f"{printable(name)!r} lies outside of {printable(str(root))}", hint)
        if not path.is_file():
            there = [str(other.relative_to(folder)) for other in islice(sorted(path.parent.glob("*.yaml")), MAX_FILES)]
            raise refused(f"{printable(name)!r} is not a file", offered(name, there))
        self.count += 1
        if depth >= MAX_EXTENDS or self.count > MAX_FILES:
            what = f"more than {MAX_EXTENDS} specs extend each other in a row"
            raise refused(
                what if depth >= MAX_EXTENDS else f"more than {MAX_FILES} specs are extended", "Do with fewer."
            )
        return self.under(read_file(path), path.parent, depth + 1)
