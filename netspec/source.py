"""Reads YAML into plain data that remembers where each value stands.

The reader follows YAML 1.2's core schema, so `1e-3` is a number and `no` is a word, and it
refuses what a spec never needs: tags, anchors, aliases, duplicate keys, and anything that
is too large, too deep or invisible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path as FilePath
from typing import Any, Final, NoReturn

import yaml

from netspec import foreign
from netspec.errors import At, Path, Problem, SpecError, offered, printable
from netspec.misread import misread

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
MAX_DIGITS: Final = 18
WIDTH: Final = 240
COMMAND_LINE: Final = "command line"
RULES: Final[tuple[Path, ...]] = (("init",), ("defaults",), ("train", "groups"))
"""Sections whose first rule that matches wins."""
SHOWN: Final = 50
"""How many problems a report shows."""
LONG: Final = 2_000
"""How much of a message is shown."""

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")
"""What YAML does not allow in a text, lone halves of surrogate pairs among it."""
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ZEROS = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")
"""Octal to some readers, decimal to others: 010."""
_HEX_OR_SIZES = re.compile(r"0x[0-9]+")
_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True, slots=True)
class File:
    """A text that values come from: a spec, or an override on the command line."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where one value and its key stand, counted from 0."""

    file: File
    line: int
    column: int
    end_line: int
    end_column: int
    key: tuple[int, int] | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line, counted from 1, as editors and compilers count."""

    file: File
    line: int
    column: int
    width: int

    @property
    def text(self) -> str:
        return self.file.lines[self.line - 1] if self.line <= len(self.file.lines) else ""

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}:{self.column}"


class _Writer(yaml.SafeDumper):
    """Writes a text in quotes where the reader would take it for something else: 1e3 is no number to YAML 1.1."""


def _quoted(writer: _Writer, text: str) -> yaml.ScalarNode:
    number = any(kind.fullmatch(text) for kind in (_INT, _FLOAT, _ZEROS, _HEX_OR_SIZES))
    style = '"' if number or text in _WORDS or re.search("[\x85\u2028\u2029]", text) else None
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Writer.add_representer(str, _quoted)


@dataclass(frozen=True)
class Source:
    """Plain data (dict, list, str, int, float, bool, None) and the mark of each value by path."""

    file: File
    data: Any
    marks: dict[Path, Mark] = field(repr=False, default_factory=dict)

    @property
    def files(self) -> set[str]:
        """The names of the files that values come from; an override on the command line counts as one."""
        return {self.file.name, *(mark.file.name for mark in self.marks.values())}

    @property
    def text(self) -> str:
        """The document as YAML: as it was read, or written anew where something was laid over it."""
        if all(mark.file is self.file for mark in self.marks.values()):
            return "\n".join(self.file.lines) + "\n"
        return yaml.dump(self.data, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=120)

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


def read_file(path: str | FilePath) -> Source:
    """Read the YAML file at `path`. Raises SpecError with every problem that YAML itself has."""
    path = FilePath(path)
    name = str(path)
    try:
        with path.open("rb") as stream:
            return read_bytes(stream.read, name)
    except IsADirectoryError:
        raise _unreadable(name, "is a folder, a spec file is expected", _specs(path, "")) from None
    except FileNotFoundError as error:
        raise _unreadable(name, f"cannot be read: {error.strerror or error}", _specs(path.parent, path.name)) from None
    except OSError as error:
        hint = "Check who may read it, and that its folder is one."
        raise _unreadable(name, f"cannot be read: {error.strerror or error}", hint) from None


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
        raise _unreadable(name, message, "Save it as UTF-8.") from None
    return read_text(text, name)


def read_text(text: str, name: str = "<spec>") -> Source:
    """Read YAML from `text`; `name` stands in messages where a file name would."""
    text = text.removeprefix("\ufeff")
    file = File(printable(name), tuple(text.splitlines()))
    if len(text) > MAX_BYTES:
        raise _too_large(name)
    try:
        source = _Reader(file).read(text)
    except SpecError:
        if whose := foreign.by_text(text):
            raise _foreign(name, whose) from None
        raise
    if whose := foreign.by_data(source.data) or (foreign.by_text(text) if isinstance(source.data, str) else ""):
        raise _foreign(name, whose)
    return source


def override(source: Source, assignments: list[str]) -> Source:
    """`source` with each `path.to.value=YAML` of the command line laid over it."""
    for text in assignments:
        dotted, equals, value = text.partition("=")
        path = override_path(dotted)
        if not equals or not all(dotted.split(".")) or len(path) > MAX_DEPTH:
            hint = "For example train.epochs=3. A file is named by an option, as in -o FILE."
            raise not_laid(text, f"{text!r} is not path=value", hint)
        part = _Reader(_command_line(text), column=len(dotted) + 1).read(value)
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
    return SpecError([problem], report([problem], known), known)


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


def report(problems: Sequence[Problem], source: Source) -> str:
    """The problems as a person reads them: sorted by place, each with its line and a caret."""
    placed, left_out = in_order(problems, source, SHOWN)
    shown = ["\n".join(_lines(place, problem, source)) for place, problem in placed]
    return "\n\n".join([*shown, *([f"and {left_out:,} more"] if left_out else [])])


def in_order(problems: Sequence[Problem], source: Source, most: int) -> tuple[list[tuple[Place, Problem]], int]:
    """The first problems in the order of the text, errors before others where not all fit, and how many are left."""
    placed = sorted(((source.place(p.at), p) for p in problems), key=lambda x: (x[0].line, x[0].column))
    if len(placed) > most:
        kept = sorted(range(len(placed)), key=lambda i: (placed[i][1].severity != "error", i))[:most]
        placed = [placed[i] for i in sorted(kept)]
    return placed, len(problems) - len(placed)


def _lines(place: Place, problem: Problem, source: Source) -> Iterator[str]:
    yield f"{place}  {problem.severity}[{problem.code}]  {_clipped(problem.message)}"
    if place.text:
        number = str(place.line)
        line, begin = place.text.expandtabs(1), 0
        if len(line) > WIDTH:  # of a very long line, the part around the place
            begin = max(0, min(place.column - WIDTH // 2, len(line) - WIDTH))
        carets = "^" * min(place.width, WIDTH)
        yield f"  {number} | {printable(line[begin : begin + WIDTH])}"
        yield f"  {' ' * len(number)} | {' ' * (place.column - 1 - begin)}{carets}"
    if problem.hint:
        yield f"  {_clipped(problem.hint)}"
    for used in dict.fromkeys(problem.used_at):
        where = source.place(used)
        yield f"  used at {where}: {printable(where.text.strip()[:WIDTH])}"


def _clipped(text: str, most: int = LONG) -> str:
    """`text` as it is shown: of a very long one the beginning."""
    return printable(text if len(text) <= most else f"{text[: most - 300]} ... {text[-300:]}")


def _unreadable(name: str, message: str, hint: str) -> SpecError:
    name, hint = printable(name), printable(hint)
    problem = Problem("unreadable", f"{name} {message}", hint=hint)
    return SpecError([problem], f"{name}  error[unreadable]  {message}\n  {hint}", Source(File(name, ()), None))


def _foreign(name: str, whose: str) -> SpecError:
    name = printable(name)
    problem = Problem("foreign", f"{name} is {whose}, no spec", hint=foreign.way_on(name, whose))
    report = f"{name}  error[foreign]  is {whose}, no spec\n  {problem.hint}"
    return SpecError([problem], report, Source(File(name, ()), None))


def _too_large(name: str) -> SpecError:
    message = f"is larger than {MAX_BYTES // 1024} KB, too large for a spec"
    return _unreadable(name, message, "Use `repeat` and blocks for what recurs.")


def _specs(folder: FilePath, name: str) -> str:
    """A hint with the specs of a folder, the one that is most like `name` first of all."""
    there = sorted(file.name for file in folder.glob("*.yaml"))
    return offered(name, there) if there else "`netspec init` writes one."


def _odd_number(text: str) -> tuple[str, str] | None:
    """What is wrong with a number that readers take differently, and what to write; None for any other text."""
    if _ZEROS.fullmatch(text):
        plain = text.lstrip("+-0")
        return f"the number {text[:40]} begins with 0", f'Write {plain[:40] or 0}, or "{text[:40]}" for a text.'
    if _HEX_OR_SIZES.fullmatch(text):
        text = text[:40]
        hint = f"Write {int(text, 16)} for the number, or [{text.replace('x', ', ')}] for the sizes."
        return f"{text} is a hexadecimal number to YAML, and two sizes in a row", hint
    return None


class _Reader:
    """Turns libyaml's events into data and marks; events, because composing nodes recurses in C."""

    def __init__(self, file: File, column: int = 0) -> None:
        self.file = file
        self.column = column
        self.marks: dict[Path, Mark] = {}
        self.problems: list[Problem] = []
        self.nodes = 0
        self.depth = 0

    def read(self, text: str) -> Source:
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
            found = misread(error, text.splitlines())
            self._stop(found.line, found.column, "yaml", found.message, found.hint)
        source = Source(self.file, data, self.marks)
        if self.problems:
            raise SpecError(self.problems, report(self.problems, source), source)
        return source

    def _document(self) -> Any:
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
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
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
        text = event.value
        self._mark(event.start_mark, event.end_mark, path, key, text)
        if event.style is not None and event.style != "":
            return text
        if text in _WORDS:
            return _WORDS[text]
        if odd := _odd_number(text):
            self._add(Problem("number", odd[0], At(path), odd[1]))
            return 0
        if _INT.fullmatch(text):
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
        if _FLOAT.fullmatch(text):
            return float(text)
        return text

    def _mark(self, start: Any, end: Any, path: Path, key: tuple[int, int] | None, value: str | None = None) -> None:
        ends = self._column(start), end.line, self._column(end)
        self.marks[path] = Mark(self.file, start.line, *ends, key, value)

    def _column(self, mark: Any) -> int:
        """Where `mark` stands in its line; an override's value begins behind its path."""
        return int(mark.column) + (0 if mark.line else self.column)

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)

    def _stop(self, line: int, column: int, code: str, message: str, hint: str = "") -> NoReturn:
        problem = Problem(code, message, hint=hint)
        lines = self.file.lines
        if line >= len(lines):  # behind the last line break: the end of the text is what can be shown
            line, column = max(0, len(lines) - 1), len(lines[-1]) if lines else 0
        else:
            column += 0 if line else self.column
        self.marks[()] = Mark(self.file, line, column, line, column + 1)
        known = Source(self.file, None, self.marks)
        raise SpecError([*self.problems, problem], report([*self.problems, problem], known), known)
