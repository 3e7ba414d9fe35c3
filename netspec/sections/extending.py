"""Reads the specs that a spec extends, and those whose blocks it uses, and lays it over them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from netspec.errors import At, Problem
from netspec.errors import Path as PathTo
from netspec.paths import real
from netspec.sections.beside_files import in_network, network_of, network_places
from netspec.sections.bringing import brought_in
from netspec.sections.overlay import merged
from netspec.sections.overrides import overridden, override_path
from netspec.text.reader import read_file
from netspec.text.report import SpecError
from netspec.text.source import Source
from netspec.vocabulary import OPERATIONS
from netspec.words import offered, printable

EXTENDS: Final = "extends"
USE: Final = "use"
FIRST: Final = ((EXTENDS,), (USE,))
"""Sections that say which other files are read, and are part of no spec once these are."""
MAX_EXTENDS: Final = 8
"""How many specs may extend each other in a row."""
MAX_FILES: Final = 64
"""How many specs may be read for one."""


def laid(source: Source, folder: Path | None, overrides: Sequence[str], root: Path | None = None) -> Source:
    """`source` over the specs that it extends and uses, with the overrides over all; some may say which those are.

    It stands in `folder`; the others may stand in any folder of `root`, by default of the repository that it is part
    of. Raises SpecError.
    """
    first = [text for text in overrides if override_path(text.partition("=")[0])[:1] in FIRST]
    others = _Others(folder, root)
    own = [real(Path(source.file.name))] if folder is not None else []
    whole = others.under(overridden(source, first), folder, own)
    late = [text for text in overrides if in_network(override_path(text.partition("=")[0]))]
    whole = overridden(whole, [text for text in overrides if text not in (*first, *late)])
    return overridden(others.beside(whole), late)


def top_of(folder: Path) -> Path:
    """The top of the repository that a folder is part of; the folder itself where it is part of none."""
    folder = real(folder)
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), folder)


@dataclass
class _Others:
    """The specs that are read for one, which stands in `folder`, all of them in `root`."""

    folder: Path | None
    root: Path | None
    count: int = 0

    def under(self, source: Source, folder: Path | None, within: Sequence[Path]) -> Source:
        """`source`, which stands in a folder, over the specs that it extends, of which later ones lie over earlier.

        `within` are the files that are being read for each other, itself the last.
        """
        if not isinstance(source.data, dict):
            return source
        source = self._using(source, folder, within)
        named = source.data.get(EXTENDS)
        if named is None:
            return source
        names = named if isinstance(named, list) else [named]
        whole: Source | None = None
        for place, name in enumerate(names):
            at = At((EXTENDS, place) if isinstance(named, list) else (EXTENDS,))
            base = self._read(name, at, source, folder, within)
            whole = base if whole is None else merged(whole, base)
        whole = source if whole is None else merged(whole, source)
        return _without(whole, EXTENDS)

    def _using(self, source: Source, folder: Path | None, within: Sequence[Path]) -> Source:
        """`source` over the blocks of the files that it uses."""
        named = source.data.get(USE)
        if not isinstance(named, dict):
            return source
        for name, file in named.items():
            at = At((USE, name), on_key=True)
            problem = _no_name(name, at)
            if problem is not None:
                raise SpecError([problem], source)
            other = self._read(file, At((USE, name)), source, folder, within)
            brought = brought_in(other, name)
            if not brought.data["blocks"]:
                text = f"{printable(str(file))!r} has no blocks"
                raise SpecError(
                    [Problem(USE, text, At((USE, name)), "`extends` lays a spec over a whole one.")], source
                )
            source = merged(brought, source)
        return _without(source, USE)

    def beside(self, source: Source) -> Source:
        """`source` with the networks of a teacher and of players in it, in place of the names of their specs."""
        for path in network_places(source.data):
            if isinstance(name := _at(source.data, path), str):
                run = name if self.folder is not None and (self.folder / name).is_dir() else ""
                read = self._read(f"{name}/spec.yaml" if run else name, At(path), source, self.folder, ())
                source = _put(source, path, network_of(read, Path(name).parent, run))
        return source

    def _read(self, name: object, at: At, source: Source, folder: Path | None, within: Sequence[Path]) -> Source:
        """One of the specs that a spec extends, over those that it extends itself. Raises SpecError."""

        def refused(message: str, hint: str) -> SpecError:
            return SpecError(
                [Problem(str(at.path[-1] if at.path[0] == "train" else at.path[0]), message, at, hint)], source
            )

        if not isinstance(name, str):
            raise refused(
                "the name of a spec is expected here", "As in extends: base.yaml, or use: {vit: blocks/vit.yaml}"
            )
        if folder is None:
            raise refused("a spec in memory has no folder to find another in", "Write it to a file, and load that.")
        path = folder / name
        root = real(self.root) if self.root is not None else top_of(self.folder or folder)
        if not real(path).is_relative_to(root):
            hint = "Name a folder that holds both, as in --root .., or copy it here."
            raise refused(f"{printable(name)!r} lies outside of {printable(str(root))}", hint)
        if not path.is_file():
            files = (path.parent.glob("*.yaml"), path.parent.glob("*/spec.yaml"))
            found = islice(chain.from_iterable(map(sorted, files)), MAX_FILES)
            a_run = "/spec.yaml" if at.path[0] == "train" else ""  # a network beside is named by the folder of its run
            there = [os.path.relpath(other, folder).removesuffix(a_run) for other in found]
            raise refused(f"{printable(name)!r} is not a file", offered(name, there))
        if real(path) in within:
            circle = [*within[within.index(real(path)) :], real(path)]
            way = " -> ".join(printable(os.path.relpath(each, folder)) for each in circle)
            raise refused(f"this leads back to where it began: {way}", "Take it out, or name another spec.")
        self.count += 1
        if len(within) > MAX_EXTENDS or self.count > MAX_FILES:
            what = f"more than {MAX_EXTENDS} specs extend each other in a row"
            raise refused(
                what if len(within) > MAX_EXTENDS else f"more than {MAX_FILES} specs are extended", "Do with fewer."
            )
        return self.under(read_file(path), path.parent, [*within, real(path)])


def _at(data: Any, path: PathTo) -> Any:
    """What stands at a path of plain data; None where nothing does."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _put(source: Source, path: PathTo, part: Source) -> Source:
    """`source` with another one at a path of it."""

    def put(data: Any, keys: PathTo) -> Any:
        return {**data, keys[0]: put(data[keys[0]], keys[1:])} if keys else part.data

    marks = {place: mark for place, mark in source.marks.items() if place[: len(path)] != path or place == path}
    marks |= {(*path, *place): mark for place, mark in part.marks.items() if place}
    return Source(source.file, put(source.data, path), marks)


def _without(source: Source, key: str) -> Source:
    """The same without a section, whose places are still known."""
    return replace(source, data={each: value for each, value in source.data.items() if each != key})


def _no_name(name: str, at: At) -> Problem | None:
    """What is wrong with a name that a file is used under."""
    if name.isascii() and name.isidentifier() and not name.startswith("_") and not OPERATIONS.find(name):
        return None
    what = "is an operation already" if OPERATIONS.find(name) else "is not a name that a block can have"
    return Problem(USE, f"{printable(name)!r} {what}", at, "As in use: {vit: blocks/vit.yaml}")
