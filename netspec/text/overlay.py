"""Specs laid over each other: overrides of the command line, and a spec over the one that it extends."""

from __future__ import annotations

from typing import Any, Final

from netspec.errors import Path, Problem
from netspec.text.reader import MAX_DEPTH, MAX_DIGITS, Reader
from netspec.text.report import SpecError
from netspec.text.source import COMMAND_LINE, File, Mark, Source

RULES: Final[tuple[Path, ...]] = (("init",), ("defaults",), ("train", "groups"))
"""Sections whose first rule that matches wins."""


def override(source: Source, assignments: list[str]) -> Source:
    """`source` with each `path.to.value=YAML` of the command line laid over it."""
    for text in assignments:
        dotted, equals, value = text.partition("=")
        path = override_path(dotted)
        if not equals or not all(dotted.split(".")) or len(path) > MAX_DEPTH:
            hint = "For example train.epochs=3. A file is named by an option, as in -o FILE."
            raise not_laid(text, f"{text!r} is not path=value", hint)
        part = Reader(_command_line(text), column=len(dotted) + 1).read(value)
        try:
            source = _replaced(source, path, part)
        except IndexError as error:
            raise not_laid(text, f"{dotted} stands nowhere: {error}", "Entries count from 0.") from None
    return source


def override_path(dotted: str) -> Path:
    """The path that the left side of an override names."""
    return tuple(int(p) if p.isdecimal() and len(p) < MAX_DIGITS else p for p in dotted.split("."))


def not_laid(text: str, message: str, hint: str) -> SpecError:
    """What is raised for an override that cannot be laid over the spec."""
    problem = Problem("override", message, hint=hint)
    known = Source(_command_line(text), None)
    return SpecError([problem], known)


def _command_line(text: str) -> File:
    return File(COMMAND_LINE, tuple(text.splitlines()) or ("",))


def _replaced(source: Source, path: Path, part: Source) -> Source:
    data = _with_value(source.data, path, part.data)
    marks = {p: m for p, m in source.marks.items() if p[: len(path)] != path}
    whole = Mark(part.file, 0, 0, 0, len(part.file.lines[0]), key=(0, 0))
    for depth in range(1, len(path) + 1):
        marks.setdefault(path[:depth], whole)
    for inner, mark in part.marks.items():
        key = mark.key or (0, 0)
        marks[path + inner] = Mark(mark.file, mark.line, mark.column, mark.end_line, mark.end_column, key, mark.value)
    return Source(source.file, data, marks)


def _with_value(data: Any, path: Path, value: Any, depth: int = 0) -> Any:
    """The data, which stands `depth` parts down the path, with a value at its end."""
    if depth == len(path):
        return value
    head = path[depth]
    if isinstance(data, list):
        if not isinstance(head, int) or head >= len(data):
            raise IndexError(f"a list of {len(data)} has no entry {head}")
        return [*data[:head], _with_value(data[head], path, value, depth + 1), *data[head + 1 :]]
    inner = data if isinstance(data, dict) else {}
    laid = {str(head): _with_value(inner.get(str(head)), path, value, depth + 1)}
    if path[:depth] in RULES and not laid.keys() & inner.keys():
        return laid | inner
    return inner | laid


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
