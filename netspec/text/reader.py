"""Reads YAML into plain data that remembers where each value stands.

The reader follows YAML 1.2's core schema, so `1e-3` is a number and `no` is a word, and it
refuses what a spec never needs: tags, anchors, aliases, duplicate keys, and anything that
is too large, too deep or invisible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import Any, Final, NoReturn

import yaml

from netspec.errors import At, Path, Problem
from netspec.text import foreign
from netspec.text.report import SpecError
from netspec.text.scalars import FLOAT, INT, NUMERIC, WORDS, odd_number
from netspec.text.source import File, Mark, Source
from netspec.words import offered, printable

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_DIGITS: Final = 18

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")
"""What YAML does not allow in a text, lone halves of surrogate pairs among it."""


def read_file(path: str | FilePath) -> Source:
    """Read the YAML file at `path`. Raises SpecError with every problem that YAML itself has."""
    path = FilePath(path)
    name = str(path)
    try:
        with path.open("rb") as stream:
            return read_bytes(stream.read, name)
    except IsADirectoryError:
        raise unreadable(name, "is a folder, a spec file is expected", _specs(path, "")) from None
    except FileNotFoundError as error:
        raise unreadable(name, f"cannot be read: {error.strerror or error}", _specs(path.parent, path.name)) from None
    except OSError as error:
        hint = "Check who may read it, and that its folder is one."
        raise unreadable(name, f"cannot be read: {error.strerror or error}", hint) from None


def read_bytes(read: Callable[[int], bytes], name: str) -> Source:
    """Read the YAML that `read` gives, of which it is asked for so many bytes at most. Raises SpecError."""
    raw = read(MAX_BYTES + 1)
    if whose := foreign.by_name(name):
        raise _foreign(name, whose)
    if len(raw) > MAX_BYTES:
        raise _too_large(name)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"is not UTF-8: byte 0x{raw[error.start]:02x} on line {line}"
        raise unreadable(name, message, "Save it as UTF-8.") from None
    return read_text(text, name)


def read_text(text: str, name: str = "<spec>") -> Source:
    """Read YAML from `text`; `name` stands in messages where a file name would."""
    text = text.removeprefix("\ufeff")
    file = File(printable(name), tuple(text.splitlines()))
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    try:
        source = Reader(file).read(text)
    except SpecError:
        if whose := foreign.by_text(text):
            raise _foreign(name, whose) from None
        raise
    if whose := foreign.by_data(source.data) or (foreign.by_text(text) if isinstance(source.data, str) else ""):
        raise _foreign(name, whose)
    return source


def unreadable(name: str, message: str, hint: str) -> SpecError:
    """The error of a file that cannot be read as text."""
    name, hint = printable(name), printable(hint)
    problem = Problem("unreadable", f"{name} {message}", hint=hint)
    return SpecError([problem], Source(File(name, ()), None), shown=f"{name}  error[unreadable]  {message}\n  {hint}")


def _foreign(name: str, whose: str) -> SpecError:
    """The error of a file that is another program's."""
    name = printable(name)
    problem = Problem("foreign", f"{name} is {whose}, no spec", hint=foreign.way_on(name, whose))
    shown = f"{name}  error[foreign]  is {whose}, no spec\n  {problem.hint}"
    return SpecError([problem], Source(File(name, ()), None), shown=shown)


def _too_large(name: str) -> SpecError:
    """The error of a file that no spec is as large as."""
    message = f"is larger than {MAX_BYTES // 1024} KB, too large for a spec"
    return unreadable(name, message, "Use `repeat` and blocks for what recurs.")


def _specs(folder: FilePath, name: str) -> str:
    """A hint with the specs of a folder, the one that is most like `name` first of all."""
    there = sorted(file.name for file in folder.glob("*.yaml"))
    return offered(name, there) if there else "`netspec init` writes one."


class Reader:
    """Turns libyaml's events into data and marks; events, because composing nodes recurses in C."""

    def __init__(self, file: File, column: int = 0) -> None:
        """`column` is where the text begins in its line, for an override."""
        self.file = file
        self.column = column
        self.marks: dict[Path, Mark] = {}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.depth = 0

    def read(self, text: str) -> Source:
        """The data of a text with where each value stands. Raises SpecError with every problem."""
        hidden = _BIDI.search(text) or _UNPRINTABLE.search(text)
        if hidden:
            before = (text[: hidden.start()] + "x").splitlines()
            what = "a bidirectional control character hides text here"
            if not _BIDI.match(hidden[0]):
                what = f"character #x{ord(hidden[0]):04x} is not allowed"
            hint = "Delete it, and type what stands around it anew."
            self._stop(len(before) - 1, len(before[-1]) - 1, "hidden-character", what, hint)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self.events: Iterator[Any] = yaml.parse(text, Loader=loader)
            data = self._document()
        except yaml.MarkedYAMLError as error:
            from netspec.text.yaml_errors import misread  # only mistakes pay for it

            found = misread(error, text.splitlines())
            self._stop(found.line, found.column, "yaml", found.message, found.hint)
        source = Source(self.file, data, self.marks)
        if self.problems:
            raise SpecError(self.problems, source)
        return source

    def _document(self) -> Any:
        """The data of the one document. A second is a problem."""
        for event in self.events:
            if isinstance(event, yaml.StreamEndEvent):
                return None
            if isinstance(event, yaml.DocumentStartEvent):
                break
        data = self._node(next(self.events), ())
        next(self.events)  # the document's end
        extra = next(self.events)
        if isinstance(extra, yaml.DocumentStartEvent):
            mark: Any = extra.start_mark
            self._stop(mark.line, mark.column, "yaml", "a second document; a spec is one", "Remove the --- line.")
        return data

    def _node(self, event: Any, path: Path, key: tuple[int, int] | None = None) -> Any:
        """The data of an event and those inside it."""
        self.nodes += 1
        start = event.start_mark
        if self.nodes > MAX_NODES:
            hint = "Use `repeat` and blocks for what recurs."
            self._stop(start.line, start.column, "too-large", f"more than {MAX_NODES:,} values", hint)
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            what = "alias" if isinstance(event, yaml.AliasEvent) else "anchor"
            self._stop(start.line, start.column, "yaml", f"an {what}; a spec has none", "Use blocks or params.")
        if event.tag and event.tag != "!":
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._stop(start.line, start.column, "yaml", f"the tag {tag}; a spec is plain data", "Leave the tag out.")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, key)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            hint = "Make blocks of the inner levels."
            self._stop(start.line, start.column, "too-large", f"nested deeper than {MAX_DEPTH} levels", hint)
        data = self._sequence(path) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(path)
        self.depth -= 1
        self._mark(event.start_mark, event.end_mark, path, key)
        return data

    def _sequence(self, path: Path) -> list[Any]:
        """The items up to the end of a list."""
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        """The values by key up to the end of a mapping; a key that is there twice is a problem."""
        items: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            mark: Any = event.start_mark
            if not isinstance(event, yaml.ScalarEvent):
                hint = "A key is plain text; in names, a parameter is $name or $(expression)."
                self._stop(mark.line, mark.column, "yaml", "a list or mapping cannot be a key", hint)
            name = event.value
            if name == "<<" and event.style in (None, ""):
                hint = "Use blocks for parts that recur, defaults for arguments, extends for a whole spec."
                self._stop(mark.line, mark.column, "yaml", "a merge key; a spec has none", hint)
            where = (*path, name)
            if name in items:
                first = self.marks[where].key or (0, 0)
                text = f"{name!r} is given twice; it stands on line {first[0] + 1} already"
                again = (*where, self.nodes)
                self._add(Problem("duplicate-key", text, At(again, on_key=True), "Keep one of them."))
                self._mark(mark, event.end_mark, again, None)
                self._node(next(self.events), (*again, "value"))
                continue
            items[name] = self._node(next(self.events), where, (mark.line, self._column(mark)))
        return items

    def _scalar(self, event: Any, path: Path, key: tuple[int, int] | None) -> Any:
        """A text, a number, true, false or null."""
        text = event.value
        self._mark(event.start_mark, event.end_mark, path, key, text)
        if event.style is not None and event.style != "":
            return text
        if text in WORDS:
            return WORDS[text]
        if text[0] not in NUMERIC:  # an empty one is a word
            return text
        if odd := odd_number(text):
            self._add(Problem("number", odd[0], At(path), odd[1]))
            return 0
        if INT.fullmatch(text):
            if len(text) > MAX_DIGITS:
                self._add(
                    Problem(
                        "number",
                        f"the number {text[:12]}... is too large",
                        At(path),
                        f"A number has at most {MAX_DIGITS} digits.",
                    )
                )
                return 0
            return int(text, 0) if text.startswith(("0o", "0x")) else int(text)
        if FLOAT.fullmatch(text):
            return float(text)
        return text

    def _mark(self, start: Any, end: Any, path: Path, key: tuple[int, int] | None, value: str | None = None) -> None:
        """Keep where a value stands, and its key."""
        ends = self._column(start), end.line, self._column(end)
        self.marks[path] = Mark(self.file, start.line, *ends, key, value)

    def _column(self, mark: Any) -> int:
        """Where `mark` stands in its line; an override's value begins behind its path."""
        return int(mark.column) + (0 if mark.line else self.column)

    def _add(self, problem: Problem) -> None:
        """Keep a problem, and read on."""
        self.problems.append(problem)

    def _stop(self, line: int, column: int, code: str, message: str, hint: str = "") -> NoReturn:
        """Raise a problem behind which nothing can be read."""
        problem = Problem(code, message, hint=hint)
        lines = self.file.lines
        if line >= len(lines):  # behind the last line break: the end of the text is what can be shown
            line, column = max(0, len(lines) - 1), len(lines[-1]) if lines else 0
        else:
            column += 0 if line else self.column
        self.marks[()] = Mark(self.file, line, column, line, column + 1)
        known = Source(self.file, None, self.marks)
        raise SpecError([*self.problems, problem], known)
