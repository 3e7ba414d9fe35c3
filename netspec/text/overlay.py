"""Overlays: a spec laid over the one that it extends."""

from __future__ import annotations

from typing import Any, Final

from netspec.errors import Path
from netspec.text.source import Source

RULES: Final[tuple[Path, ...]] = (("init",), ("defaults",), ("train", "groups"))
"""Sections whose first rule that matches wins."""


def merged(base: Source, top: Source) -> Source:
    """Two specs, `top` laid over `base`: mappings merge key by key, anything else is replaced.

    Of sections whose first rule wins, the rules of `top` go first, and one that is null there is left out.
    """
    replaced: set[Path] = set()

    def lay(low: Any, high: Any, path: Path) -> Any:
        if isinstance(low, dict) and isinstance(high, dict):
            laid = {k: lay(low.get(k), v, (*path, k)) for k, v in high.items()}
            if path in RULES:
                return {k: v for k, v in {**laid, **low, **laid}.items() if v is not None or k not in low}
            return {**low, **laid}
        replaced.add(path)
        return high

    data = lay(base.data, top.data, ())
    kept = {p: m for p, m in base.marks.items() if replaced.isdisjoint(p[:n] for n in range(len(p) + 1))}
    return Source(top.file, data, kept | top.marks)


def renamed(source: Source, key: str, name: str) -> Source:
    """`source` with the section `key` also found under another name; its places stay where they are."""
    marks = {(name, *path[1:]): mark for path, mark in source.marks.items() if path[:1] == (key,)}
    return Source(source.file, source.data, source.marks | marks)
