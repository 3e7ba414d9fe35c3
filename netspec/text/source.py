"""A spec that was read: plain data, and the place in its text where each value stands."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import yaml

from netspec.errors import At, Path
from netspec.text.scalars import FLOAT, HEX_OR_SIZES, INT, WORDS, ZEROS

COMMAND_LINE: Final = "command line"


@dataclass(frozen=True, slots=True)
class File:
    """A text that values come from: a spec, or an override on the command line."""

    name: str
    """As messages call it."""
    lines: tuple[str, ...]
    """Without their ends."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where one value and its key stand, counted from 0."""

    file: File
    line: int
    column: int
    end_line: int
    end_column: int
    key: tuple[int, int] | None = None
    """The line and the column of the key that it stands behind."""
    value: str | None = None
    """What a text reads as: quotes and escapes make that differ from what is written."""


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line, counted from 1, as editors and compilers count."""

    file: File
    line: int
    column: int
    width: int
    """In characters, at least 1."""

    @property
    def text(self) -> str:
        """The line of the file; empty behind its end."""
        return self.file.lines[self.line - 1] if self.line <= len(self.file.lines) else ""

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}:{self.column}"


class _Writer(yaml.SafeDumper):
    """Writes a text in quotes where the reader would take it for something else: 1e3 is no number to YAML 1.1."""


def _quoted(writer: _Writer, text: str) -> yaml.ScalarNode:
    """A text in quotes where YAML would take it for something else."""
    number = any(kind.fullmatch(text) for kind in (INT, FLOAT, ZEROS, HEX_OR_SIZES))
    style = '"' if number or text in WORDS or re.search("[\x85\u2028\u2029]", text) else None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _quoted)


def as_text(data: Any) -> str:
    """Plain data as the YAML that is read as the same."""
    return yaml.dump(data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)


@dataclass(frozen=True)
class Source:
    """Plain data (dict, list, str, int, float, bool, None) and the mark of each value by path."""

    file: File
    data: Any
    """As YAML has it."""
    marks: dict[Path, Mark] = field(repr=False, default_factory=dict)
    """The root's path is empty."""

    @property
    def files(self) -> set[str]:
        """The names of the files that values come from; an override on the command line counts as one."""
        return {self.file.name, *(mark.file.name for mark in self.marks.values())}

    @property
    def overrides(self) -> list[str]:
        """The words of the command line that were laid over it, in their order."""
        files = (mark.file for mark in self.marks.values() if mark.file.name == COMMAND_LINE)
        return list(dict.fromkeys("\n".join(file.lines) for file in files))

    @property
    def text(self) -> str:
        """The document as YAML: as it was read, or written anew where something was laid over it."""
        if all(mark.file is self.file for mark in self.marks.values()):
            return "\n".join(self.file.lines) + "\n"
        return as_text(self.data)

    def file_of(self, path: Path) -> File:
        """The file that a value stands in: this one, one that it extends, or the command line."""
        return self.marks[path].file if path in self.marks else self.file

    def inherited(self, path: Path) -> bool:
        """Whether a value stands in a spec that this one extends."""
        file = self.file_of(path)
        return file != self.file and file.name != COMMAND_LINE

    def without(self, paths: Collection[Path]) -> Source:
        """The same without these values, and without mappings that they leave empty."""
        if not paths:
            return self
        gone = set(paths)
        around = {path[:depth] for path in gone for depth in range(len(path))}

        def kept(data: Any, path: Path) -> Any:
            if not isinstance(data, dict) or path not in around:
                return data
            inner = {key: kept(value, (*path, key)) for key, value in data.items() if (*path, key) not in gone}
            return {key: value for key, value in inner.items() if value != {} or data[key] == {}}

        return Source(self.file, kept(self.data, ()), self.marks)

    def renamed(self, key: str, name: str) -> Source:
        """The same with the section `key` also found under another name; its places stay where they are."""
        marks = {(name, *path[1:]): mark for path, mark in self.marks.items() if path[:1] == (key,)}
        return Source(self.file, self.data, self.marks | marks)

    def with_section(self, key: str, part: Source) -> Source:
        """The same with a section that stands in another source, in place of one of that name."""
        marks = {path: mark for path, mark in self.marks.items() if path[:1] != (key,)}
        marks |= {(key, *path): mark for path, mark in part.marks.items()}
        return Source(self.file, {**self.data, key: part.data}, marks)

    def place(self, at: At) -> Place:
        """The line and column of `at`; of its nearest known parent if it stands nowhere itself."""
        path = at.path
        while path not in self.marks and path:
            path = path[:-1]
        mark = self.marks.get(path) or Mark(self.file, 0, 0, 0, 0)
        if at.on_key and mark.key and path == at.path:
            key, (line, column) = str(path[-1]), mark.key
            start, stop = at.span or (0, len(key))
            written = mark.file.lines[line].find(key, column) if at.span else column
            return Place(mark.file, line + 1, max(written, column) + start + 1, max(1, stop - start))
        first = mark.file.lines[mark.line] if mark.line < len(mark.file.lines) else ""
        end = mark.end_column if mark.end_line == mark.line else len(first)
        if at.span is None or mark.value is None or path != at.path:
            return Place(mark.file, mark.line + 1, mark.column + 1, max(1, end - mark.column))
        offset = _offset(first, mark.value, mark.column, end)
        if offset < 0:  # escapes or folded lines: the whole value is the best that can be shown
            return Place(mark.file, mark.line + 1, mark.column + 1, max(1, end - mark.column))
        start, stop = at.span
        return Place(mark.file, mark.line + 1, offset + start + 1, max(1, stop - start))


@lru_cache(maxsize=64)  # many problems may stand in one long value
def _offset(line: str, value: str, start: int, stop: int) -> int:
    """Where a value stands in its line, behind a quote perhaps; -1 where it is written otherwise."""
    return line.find(value, start, stop)
