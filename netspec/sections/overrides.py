"""Overrides that reach into rows: `train.optimizer.lr=1e-3` over `optimizer: adamw lr=2e-3 weight_decay=0.1`.

Such an override becomes one of the whole row, `train.optimizer=adamw lr=1e-3 weight_decay=0.1`, and that is what its
problems point into. Arguments that the row had keep their form: bare values stay bare, `k5` stays a letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netspec.errors import Path
from netspec.language import rows
from netspec.language.calls import Refused, fields_of
from netspec.language.rows import Arg, Call, RowError, Word
from netspec.text.overlay import not_laid, override, override_path
from netspec.text.reader import read_text
from netspec.text.source import Source
from netspec.words import did_you_mean

if TYPE_CHECKING:
    from netspec.catalogue import Entry


def overridden(source: Source, assignments: Sequence[str]) -> Source:
    """`source` with each `path.to.value=YAML` laid over it, one after the other. Raises SpecError."""
    for text in assignments:
        source = override(source, [_as_row_override(source.data, text)])
    return source


def _as_row_override(data: Any, text: str) -> str:
    """The override, as one of the whole row where it goes into a row."""
    dotted, _, value = text.partition("=")
    path, parts, node, depth = override_path(dotted), dotted.split("."), data, 0
    while depth < len(path) and isinstance(node, dict | list):
        if word := _long_form(node, path, depth):
            return ".".join([*parts[:depth], word, *parts[depth:]]) + f"={value}"
        node, depth = _inside(node, path[depth]), depth + 1
    if depth == len(path) or not isinstance(node, str):
        return text
    place, name = ".".join(parts[:depth]), parts[-1]
    takers = [t for t in _takers(node, path, data) if parts[depth:-1] in ([], [t.call.op])]
    taking = [taker for taker in takers if name in taker.names]
    whole = f"Set it whole: {place}=..."
    if not taking:
        hint = did_you_mean(name, [n for taker in takers for n in taker.names]) or whole
        raise not_laid(text, f"{place} is {node!r}, which takes no {'.'.join(parts[depth:])!r}", hint)
    if len(taking) > 1:
        words = [str(taker.call.op) for taker in taking]
        hint = f"Say which, as in {place}.{words[0]}.{name}={value}" if len(set(words)) == len(words) else whole
        raise not_laid(text, f"{place} is {node!r}, where {' and '.join(words)} take {name!r}", hint)
    row = taking[0].row_with(node, name, _plain(value))
    if row is None:
        raise not_laid(text, f"{value!r} cannot be set as {name!r} of {node!r}", whole)
    return f"{place}={row}"


def _inside(node: dict[str, Any] | list[Any], part: str | int) -> Any:
    if isinstance(node, dict):
        return node.get(str(part))
    return node[part] if isinstance(part, int) and part < len(node) else None


def _long_form(node: Any, path: Path, depth: int) -> str | None:
    """The word of a long form, `{adamw: {lr: 2e-3}}`, where the path goes on without it."""
    if not isinstance(node, dict) or len(node) != 1 or path[depth] in node:
        return None
    word = str(next(iter(node)))
    return word if any(path[depth] in cls.fields for cls in _classes(word, path)) else None


def _classes(word: Any, path: Path) -> list[type[Entry]]:
    """What a word may mean in the section that the path begins with."""
    from netspec.vocabulary import ENTRIES

    if path[:2] == ("train", "early_stop"):
        from netspec.sections.train import EarlyStop

        return [EarlyStop]
    held = dict.fromkeys(catalogue for place, catalogue in ENTRIES.items() if place[0] == path[0])
    return [cls for catalogue in held for cls in catalogue.find(word)]


@dataclass(frozen=True, slots=True)
class _Taker:
    """A call of a row with what it takes: the fields of a class, or the parameters of a block."""

    call: Call
    names: tuple[str, ...]
    cls: type[Entry] | None = None

    def row_with(self, row: str, name: str, value: str) -> str | None:
        """The row with one argument set; None where the value, or what is there now, does not stand alone."""
        found = [arg for given, arg in self._sets() if given == name]
        if not _single(value) or len(found) > 1 or any(arg.kind == "arrow" for arg in found):
            return None
        if not found:
            end = self.call.args[-1].span[1] if self.call.args else self._head(row)
            return f"{row[:end]} {name}={value}{row[end:]}"
        arg = found[0]
        flag = arg.kind == "word" and self.cls is not None and not self.cls.fields[name].textual
        before = {"letter": arg.name, "keyword": f"{arg.name}="}.get(arg.kind, f"{name}=" if flag else "")
        return f"{row[: arg.span[0]]}{before}{value}{row[arg.span[1] :]}"

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

    def _head(self, row: str) -> int:
        """Where the call's word ends, its brackets included."""
        end = self.call.op_span[1]
        return rows.closing(row, end, len(row)) + 1 if row[end : end + 1] == "(" else end


def _takers(row: str, path: Path, data: dict[str, Any]) -> Iterator[_Taker]:
    """The calls of a row with what each takes; none where the text is no row."""
    try:
        calls = rows.parse(row)
    except RowError:
        return
    blocks = data.get("blocks") if path[0] in ("layers", "blocks") else None
    for call in calls:
        if isinstance(blocks, dict) and (params := _parameters(blocks, call.op)) is not None:
            yield _Taker(call, params)
        elif isinstance(call.op, str) and (classes := _classes(call.op, path)):
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
    """A YAML value as a row has it: `[0.9, 0.99]` is 0.9x0.99."""
    data = read_text(value, "command line").data
    if isinstance(data, list):
        return "x".join(map(str, data))
    return data if isinstance(data, str) else value.strip() or "null"


def _single(value: str) -> bool:
    """Whether a value is one argument of a row."""
    try:
        calls = rows.parse(f"word name={value}")
    except RowError:
        return False
    return len(calls) == 1 and len(calls[0].args) == 1 and calls[0].times is None and calls[0].when is None
