"""Overrides of the command line, `train.epochs=3`, which reach into rows too.

Where `optimizer: adamw lr=2e-3 weight_decay=0.1` stands, `train.optimizer.lr=1e-3` becomes an override of the whole
row, `train.optimizer=adamw lr=1e-3 weight_decay=0.1`, and that is what its problems point into. Arguments that the row
had keep their form: bare values stay bare, `k5` stays a letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netspec.errors import Path, Problem
from netspec.language import rows
from netspec.language.calls import fields_of
from netspec.language.habits import MEANT
from netspec.language.refusals import Refused
from netspec.language.rows import Arg, Call, RowError, Word
from netspec.sections.known import find
from netspec.sections.overlay import RULES
from netspec.text.reader import MAX_DEPTH, MAX_DIGITS, Reader, read_text
from netspec.text.report import SpecError
from netspec.text.source import COMMAND_LINE, File, Mark, Source
from netspec.words import in_shell, nearest

if TYPE_CHECKING:
    from netspec.records import Entry


def overridden(source: Source, assignments: Sequence[str]) -> Source:
    """`source` with each `path.to.value=YAML` laid over it, one after the other. Raises SpecError."""
    for text in assignments:
        source = _override(source, *_in_row(source.data, text))
    return source


def _override(source: Source, text: str, row: str | None) -> Source:
    """`source` with one `path.to.value=YAML` laid over it, whose value is read already where it is a `row`."""
    dotted, equals, value = text.partition("=")
    path = override_path(dotted)
    if not equals or not all(dotted.split(".")) or len(path) > MAX_DEPTH:
        hint = "For example train.epochs=3. A file is named by an option, as in -o FILE."
        raise not_laid(text, f"{text!r} is not path=value", hint)
    file, begin = _command_line(text), len(dotted) + 1
    if row is None:
        part = Reader(file, column=begin).read(value)
    else:
        part = Source(file, row, {(): Mark(file, 0, begin, 0, len(text), value=row)})
    try:
        return _replaced(source, path, part)
    except IndexError as error:
        raise not_laid(text, f"{dotted} stands nowhere: {error}", "Entries count from 0.") from None


def override_path(dotted: str) -> Path:
    """The path that the left side of an override names."""
    return tuple(int(p) if p.isdecimal() and len(p) < MAX_DIGITS else p for p in dotted.split("."))


def not_laid(text: str, message: str, hint: str) -> SpecError:
    """What is raised for an override that cannot be laid over the spec."""
    problem = Problem("override", message, hint=hint)
    known = Source(_command_line(text), None)
    return SpecError([problem], known)


def _command_line(text: str) -> File:
    """An override as a file of its own, so that a problem can show it."""
    return File(COMMAND_LINE, tuple(text.splitlines()) or ("",))


def _replaced(source: Source, path: Path, part: Source) -> Source:
    """The source with the data and the places of `part` at a path, in place of what stood there."""
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


def _in_row(data: Any, text: str) -> tuple[str, str | None]:
    """The override, as one of the whole row where it goes into a row, with that row."""
    dotted, _, value = text.partition("=")
    path, parts, node, depth = override_path(dotted), dotted.split("."), data, 0
    while depth < len(path):
        if _another(node, path, depth):
            raise _not_beside(text, node, parts, depth)
        if not isinstance(node, dict | list):
            break
        if word := _long_form(node, path, depth):
            return ".".join([*parts[:depth], word, *parts[depth:]]) + f"={value}", None
        if cls := _misfitting(node, path, depth):
            place, rest = ".".join(parts[:depth]), ".".join(parts[depth:])
            raise _not_taken(text, f"{place} is {next(iter(node))!r}", place, rest, dict.fromkeys(cls.fields, ""))
        node, depth = _inside(node, path[depth]), depth + 1
    if depth == len(path) or not isinstance(node, str):
        return text, None
    place, name = ".".join(parts[:depth]), parts[-1]
    calls = [t for t in takers(node, path, data) if parts[depth:-1] in ([], [t.call.op])]
    taking = [taker for taker in calls if name in taker.names]
    whole = f"Set it whole: {place}=..."
    if not taking:
        prefix = {name: f"{taker.call.op}." * (len(calls) > 1) for taker in calls for name in taker.names}
        raise _not_taken(text, f"{place} is {node!r}", place, ".".join(parts[depth:]), prefix)
    if len(taking) > 1:
        words = [str(taker.call.op) for taker in taking]
        hint = f"Say which, as in {place}.{words[0]}.{name}={value}" if len(set(words)) == len(words) else whole
        raise not_laid(text, f"{place} is {node!r}, where {' and '.join(words)} take {name!r}", hint)
    old, new = taking[0].call, taking[0].with_value(name, value) or taking[0].with_value(name, _plain(value))
    if new is None:
        raise not_laid(text, f"{value!r} cannot be set as {name!r} of {node!r}", whole)
    row = ", ".join(str(new if call is old else call) for call in rows.parse(node))
    return f"{place}={row}", row


def _not_taken(text: str, what: str, place: str, rest: str, prefix: dict[str, str]) -> SpecError:
    """What is raised for an argument that a call has not; `prefix` has those it has, each with what leads to it."""
    name, value = rest.rpartition(".")[2], text.partition("=")[2]
    near = next((n for n in MEANT.get(name, ()) if n in prefix), "") or nearest(name, prefix)
    again = in_shell(f"{place}.{prefix.get(near, '')}{near}={value}")
    hint = f"Did you mean {again}?" if near else f"Set it whole: {place}=..."
    return not_laid(text, f"{what}, which takes no {rest!r}", hint)


def _another(node: Any, path: Path, depth: int) -> bool:
    """Whether a path goes on from an entry, a row or a long form, by the word of another one of its catalogue."""
    own = find(path[0])
    catalogue = (
        own.entries.get(tuple(part for part in path[1:depth] if isinstance(part, str))) if own is not None else None
    )
    if catalogue is None or not (isinstance(node, str) or (isinstance(node, dict) and len(node) == 1)):
        return False
    word = node.split(" ")[0] if isinstance(node, str) else str(next(iter(node)))
    there, other = catalogue.find(word), catalogue.find(str(path[depth]))
    return bool(there and other) and there != other


def _not_beside(text: str, node: Any, parts: list[str], depth: int) -> SpecError:
    """What is raised for an override that would put a second entry beside the one that is there."""
    place, (word, *rest), value = ".".join(parts[:depth]), parts[depth:], text.partition("=")[2]
    there = node if isinstance(node, str) else next(iter(node))
    whole = f"{word} {'.'.join(rest)}={value}" if rest else f"{{{word}: {value}}}" if value else word
    return not_laid(text, f"{place} is {there!r}, not {word}", f"To take {word}, write {in_shell(f'{place}={whole}')}")


def _inside(node: dict[str, Any] | list[Any], part: str | int) -> Any:
    """What a mapping or a list has at a key; None where it has nothing there."""
    if isinstance(node, dict):
        return node.get(str(part))
    return node[part] if isinstance(part, int) and part < len(node) else None


def _long_form(node: Any, path: Path, depth: int) -> str | None:
    """The word of a long form, `{adamw: {lr: 2e-3}}`, where the path goes on without it."""
    if not isinstance(node, dict) or len(node) != 1 or path[depth] in node:
        return None
    word = str(next(iter(node)))
    return word if any(path[depth] in cls.fields for cls in classes_of(word, path)) else None


def _misfitting(node: Any, path: Path, depth: int) -> type[Entry] | None:
    """What a long form names where the path goes on by what is neither an argument of it nor another word."""
    if not isinstance(node, dict) or len(node) != 1 or path[depth] in node or (own := find(path[0])) is None:
        return None
    catalogue = own.entries.get(path[1:depth])
    if catalogue is None or catalogue.find(str(path[depth])):
        return None
    return next(iter(catalogue.find(str(next(iter(node))))), None)


def classes_of(word: Any, path: Path) -> list[type[Entry]]:
    """What a word may mean in the section that the path begins with."""
    own = find(path[0])
    return own.classes(str(word), path) if own is not None else []


@dataclass(frozen=True, slots=True)
class _Taker:
    """A call of a row with what it takes: the fields of a class, or the parameters of a block."""

    call: Call
    names: tuple[str, ...]
    cls: type[Entry] | None = None

    def with_value(self, name: str, value: str) -> Call | None:
        """The call with one argument set; None where the value, or what is there now, does not stand alone."""
        found = [arg for given, arg in self._sets() if given == name]
        if len(found) > 1 or any(arg.kind == "arrow" for arg in found):
            return None
        textual = self.cls is not None and self.cls.fields[name].textual
        flag = any(arg.kind == "word" and not textual and (self.cls or str(arg) == name) for arg in found)
        with suppress(RowError):
            return self.call.with_argument(name, value, *found, flag=flag)
        return None

    def _sets(self) -> Iterator[tuple[str, Arg]]:
        """Each argument of the call with the name that it sets. What sets none is told when the row is read."""
        free = list(self.names) if self.cls is None else self.cls.positional()
        for arg in self.call.args:
            if self.cls is None:
                named = arg.name or (arg.value.text if isinstance(arg.value, Word) and arg.value.text in free else "")
                name = named or next(iter(free), "")
                free = [other for other in free if other != name]
                yield name, arg
            elif arg.kind == "arrow":
                yield from ((name, arg) for name in self.cls.arrow or ())
            else:
                with suppress(Refused):
                    yield fields_of(arg, self.cls, free, ())[0][0], arg


def takers(row: str, path: Path, data: dict[str, Any]) -> Iterator[_Taker]:
    """The calls of a row with what each takes; none where the text is no row."""
    try:
        calls = rows.parse(row)
    except RowError:
        return
    blocks = data.get("blocks") if path[0] in ("layers", "blocks") else None
    for call in calls:
        if isinstance(blocks, dict) and (params := _parameters(blocks, call.op)) is not None:
            yield _Taker(call, params)
        elif isinstance(call.op, str) and (classes := classes_of(call.op, path)):
            cls = next((c for c in classes if path[-1] in c.fields), classes[0])
            yield _Taker(call, tuple(cls.fields), cls)


def _parameters(blocks: dict[str, Any], op: Any) -> tuple[str, ...] | None:
    """The parameters of a block by its name; None where there is none of that name."""
    for header in blocks:
        with suppress(RowError):
            call, *_ = rows.parse(str(header))
            if call.op == op:
                words = (arg.value.text if isinstance(arg.value, Word) else "" for arg in call.args)
                return tuple(arg.name or word for arg, word in zip(call.args, words, strict=True))
    return None


def _plain(value: str) -> str:
    """A YAML value as a row has it, where it is not one already: `[0.9, 0.99]` is 0.9x0.99."""
    data = read_text(value, "command line").data
    if isinstance(data, list):
        return "x".join(map(str, data))
    return data if isinstance(data, str) else value.strip() or "null"
