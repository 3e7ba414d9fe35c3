"""One call between its two forms: the text of each argument, by the field that it sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.catalogue import Entry
from netspec.errors import At, Path, Problem, did_you_mean
from netspec.graph.blocks import Block, parameter_of
from netspec.graph.written import AROUND
from netspec.language import rows
from netspec.language.calls import Refused, arrow_of, fields_of
from netspec.language.rows import Call, RowError, Word
from netspec.views.format.style import Style, is_size

Raw = str | bool | None | tuple[str, ...]
"""A value as it is written, `2e-3` or `$(4*c)`; a tuple of such; or what a flag such as `nobias` stands for."""

_NAME: Final = re.compile(r"\$(\w+)$")
BESIDE: Final = ("wrap", "between")
"""Arguments that are no fields."""


class NoRow(Exception):
    """A call that only its long form can say."""


@dataclass(slots=True)
class Piece:
    """A call, neither short nor long."""

    op: str
    inputs: list[tuple[str | None, str]] | None = None
    """Each with the name by which it is given, if there is one."""
    args: dict[str, Raw] = field(default_factory=dict)
    repeat: str | None = None
    when: str | None = None

    def short(self, style: Style) -> str:
        """The call as a piece of a row. Raises NoRow."""
        brackets = ""
        if self.inputs is not None:
            brackets = f"({' '.join(f'{name}={text}' if name else text for name, text in self.inputs)})"
        words = [f"{self.op}{brackets}", *self._arguments(style)]
        words += [f"x{self.repeat}"] if self.repeat is not None else []
        words += [f"when {self.when}"] if self.when is not None else []
        return " ".join(words)

    def _arguments(self, style: Style) -> Iterator[str]:
        args = dict(self.args)
        first, second = style.arrow
        begin, ends = args.get(first, ""), _parts(args.get(second, ()))
        if ends and (begin or len(ends) > 1) and all(is_size(part) for part in (begin or "1", *ends)):
            del args[second]
            args.pop(first, None)
            yield "->".join([str(begin), *ends])
        else:
            for name in style.positional:
                if name not in args or not style.bare(name, args[name]):
                    break
                yield _text(args.pop(name))
            else:
                if style.rest in args and all(style.bare(style.rest, part) for part in _parts(args[style.rest])):
                    yield from _parts(args.pop(style.rest))
        for name, value in args.items():
            yield style.flag(name, value) or f"{style.named(name, _text(value))}{_text(value)}"

    def long(self) -> Any:
        """The call as a mapping of its word to its arguments; the word alone where it has none."""
        options: dict[str, Any] = {}
        if self.inputs is not None:
            named = {name: text for name, text in self.inputs if name}
            texts = [text for _, text in self.inputs]
            options["inputs"] = named or (texts[0] if len(texts) == 1 else texts)
        options |= {name: list(value) if isinstance(value, tuple) else value for name, value in self.args.items()}
        around = {"repeat": self.repeat, "when": self.when}
        beside = {key: value for key, value in around.items() if value is not None}
        return {self.op: options, **beside} if options or beside else self.op


def from_row(call: Call, text: str, known: type[Entry] | Block, path: Path) -> Piece:
    """The piece that a call of the row `text` is. Raises Refused."""
    assert isinstance(call.op, str)
    piece = Piece(call.op)
    if call.inputs is not None:
        piece.inputs = [(given.keyword, ".".join(given.path)) for given in call.inputs]
    piece.repeat = None if call.times is None else rows.written(call.times)
    piece.when = None if call.when is None else " ".join(call.when.text.split())
    free = [] if isinstance(known, Block) else known.positional()
    for arg in call.args:
        written = text[slice(*arg.span)].replace("\u2192", "->")
        if arg.kind == "arrow" and not isinstance(known, Block):
            _take_arrow(piece, written, arrow_of(known, At(path, arg.span), piece.op))
            continue
        value = written.partition("=")[2] if arg.kind == "keyword" else written[arg.kind == "letter" :]
        raw: Raw = tuple(rows.sizes(value)) if isinstance(arg.value, tuple) else value
        if arg.name in BESIDE:
            piece.args[arg.name] = raw
        elif isinstance(known, Block):
            name, meant = parameter_of(arg, known, piece.args, path)
            piece.args[name] = True if meant is True else raw
        else:
            ((name, meant),) = fields_of(arg, known, free, path, piece.op)
            if arg.kind == "word" and not isinstance(meant, Word):
                raw = meant
            if known.fields[name].rest and arg.kind == "positional":
                before = piece.args.get(name, ())
                raw = (
                    *(before if isinstance(before, tuple) else ()),
                    *(raw if isinstance(raw, tuple) else (str(raw),)),
                )
            elif name in piece.args:
                problem = Problem("twice", f"{name} is given twice", At(path, arg.span), "Keep one of them.")
                raise Refused(problem)
            piece.args[name] = raw
    return piece


def _take_arrow(piece: Piece, written: str, ends: tuple[str, str]) -> None:
    sizes = rows.sizes(written)
    if not written.startswith("->"):
        piece.args[ends[0]] = sizes.pop(0)
    piece.args[ends[1]] = tuple(sizes) if len(sizes) > 1 else sizes[0]


def from_long(word: str, options: Any, around: Mapping[str, Any], known: type[Entry] | Block, path: Path) -> Piece:
    """The piece that a long call is, given as texts. Raises Refused for unknown arguments, and NoRow."""
    if not isinstance(options, dict) or not around.keys() <= AROUND - {"as"}:
        raise NoRow
    piece = Piece(word)
    given = dict(options)
    inputs = given.pop("inputs", None)
    if inputs is not None:
        named = inputs.items() if isinstance(inputs, dict) else [(None, text) for text in _listed(inputs)]
        piece.inputs = [(name, _input(text)) for name, text in named]
    names = known.params if isinstance(known, Block) else known.fields
    for name in given:
        if name not in names and name not in BESIDE:
            hint = did_you_mean(name, names)
            raise Refused(
                Problem("unknown-argument", f"{word} has no argument {name!r}", At((*path, name), on_key=True), hint)
            )
    piece.args = {name: _raw(value) for name, value in given.items()}
    piece.repeat = _text(around["repeat"]) if "repeat" in around else None
    piece.when = str(around["when"]) if "when" in around else None
    return piece


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _parts(value: Raw) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _input(text: Any) -> str:
    if not isinstance(text, str) or " " in text:
        raise NoRow
    return text


def _raw(value: Any) -> Raw:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    if isinstance(value, list | dict):
        raise NoRow
    raw: Raw = value
    return raw


def _text(value: Raw) -> str:
    """A value as it stands in a row. Raises NoRow."""
    if isinstance(value, tuple):
        if len(value) < 2:
            raise NoRow
        value = "x".join([*(_NAME.sub(r"$(\1)", part) for part in value[:-1]), value[-1]])  # `$nx3` is the name nx3
        try:
            if not isinstance(rows.parse_value(value), tuple):
                raise NoRow
        except RowError:
            raise NoRow from None
        return value
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    try:
        (call,) = rows.parse(f"op name={text}")
    except (RowError, ValueError):
        raise NoRow from None
    if len(call.args) != 1 or call.times is not None or call.when is not None:
        raise NoRow
    return text
