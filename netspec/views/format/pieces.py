"""One call between its two forms: the text of each argument, by the field that it sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from netspec.errors import At, Path, Problem
from netspec.graph.blocks import Block, parameter_of
from netspec.graph.wrapping import is_option, of_wrap
from netspec.language import lexer, rows
from netspec.language.calls import arrow_of, fields_of
from netspec.language.refusals import Refused
from netspec.language.rows import AROUND, Call, RowError, Word
from netspec.layers.base import Op
from netspec.records import Entry
from netspec.views.format.sites import Quoted
from netspec.views.format.style import Style, is_size, style_of
from netspec.words import did_you_mean

Raw = str | bool | None | tuple[str, ...]
"""A value as it is written, `2e-3` or `$(4*c)`; a tuple of such; or what a flag such as `nobias` stands for."""


class OneForm(Exception):
    """A call that the other form cannot say."""


@dataclass(slots=True)
class Piece:
    """A call, neither short nor long."""

    op: str
    known: type[Entry] | Block
    inputs: list[tuple[str | None, str]] | None = None
    """Each with the name by which it is given, if there is one."""
    args: dict[str, Raw] = field(default_factory=dict)
    repeat: str | None = None
    when: str | None = None

    def short(self) -> str:
        """The call as a piece of a row. Raises OneForm."""
        given = self.inputs
        inputs = None if given is None else (f"{name}={text}" if name else text for name, text in given)
        return rows.text_of(self.op, inputs, self._arguments(style_of(self.known)), self.repeat, self.when)

    def _arguments(self, style: Style) -> Iterator[str]:
        """The arguments as a row has them, sizes with an arrow first."""
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
        """The call as a mapping of its word to its arguments; the word alone where it has none. Raises OneForm."""
        options: dict[str, Any] = {}
        if "inputs" in self.args and _takes_inputs(self.known):  # a block's parameter of that name
            raise OneForm
        if self.inputs is not None:
            options["inputs"] = self._long_inputs(self.inputs)
        options |= {name: list(value) if isinstance(value, tuple) else value for name, value in self.args.items()}
        around = {"repeat": self.repeat, "when": self.when}
        beside = {key: value for key, value in around.items() if value is not None}
        return {self.op: options, **beside} if options or beside else self.op

    def _long_inputs(self, inputs: list[tuple[str | None, str]]) -> str | list[str] | dict[str, str]:
        """The inputs as a text, a list, or by name where one of them has a name. Raises OneForm."""
        texts = [text for _, text in inputs]
        if not any(name for name, _ in inputs):
            return texts[0] if len(texts) == 1 else texts
        known = _inputs_of(self.known)
        places = [name or next(iter(known[i : i + 1]), "") for i, (name, _) in enumerate(inputs)]
        if len({*places} - {""}) < len(inputs) or any("*" in text for name, text in inputs if not name):
            raise OneForm
        return dict(zip(places, texts, strict=True))


def from_row(call: Call, known: type[Entry] | Block, path: Path) -> Piece:
    """The piece that a call of a row is. Raises Refused."""
    assert isinstance(call.op, str)
    piece = Piece(call.op, known)
    if call.inputs is not None:
        piece.inputs = [(given.keyword, ".".join(given.path)) for given in call.inputs]
    piece.repeat = None if call.times is None else rows.written(call.times)
    piece.when = None if call.when is None else " ".join(call.when.text.split())
    free = [] if isinstance(known, Block) else known.positional()
    wrapped = any(arg.name == "wrap" for arg in call.args)
    for arg in call.args:
        written = arg.text.replace("\u2192", "->")
        if arg.kind == "arrow" and not isinstance(known, Block):
            _take_arrow(piece, written, arrow_of(known, At(path, arg.span), piece.op))
            continue
        value = written.partition("=")[2] if arg.kind == "keyword" else written[arg.kind == "letter" :]
        raw: Raw = tuple(rows.sizes(value)) if isinstance(arg.value, tuple) else value
        if isinstance(known, Block):
            name, meant = parameter_of(arg, known, piece.args, path)
            piece.args[name] = True if meant is True else raw
        elif wrapped and issubclass(known, Op) and of_wrap(arg, known):
            piece.args[arg.name or arg.text] = "true" if arg.kind == "word" else raw
        elif arg.name in known.extra and arg.name not in known.fields:
            piece.args[arg.name] = raw
        else:
            ((name, meant),) = fields_of(arg, known, free, path, piece.op)
            if arg.kind == "word" and not isinstance(meant, Word):
                raw = meant
            elif arg.kind == "letter" and meant == Word(arg.text):  # no option, but a file called so
                raw = arg.text
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
    """Take `400->120->84` apart into the two fields that an arrow sets."""
    sizes = rows.sizes(written)
    if not written.startswith("->"):
        piece.args[ends[0]] = sizes.pop(0)
    piece.args[ends[1]] = tuple(sizes) if len(sizes) > 1 else sizes[0]


def from_long(word: str, options: Any, around: Mapping[str, Any], known: type[Entry] | Block, path: Path) -> Piece:
    """The piece that a long call is, given as texts. Raises Refused for unknown arguments, and OneForm."""
    if not isinstance(options, dict) or not around.keys() <= AROUND - {"as"}:
        raise OneForm
    piece = Piece(word, known)
    given = dict(options)
    if "inputs" in given and _takes_inputs(known):
        inputs = given.pop("inputs")
        named = inputs.items() if isinstance(inputs, dict) else [(None, text) for text in _listed(inputs)]
        piece.inputs = [(name, _input(text)) for name, text in named]
    names = known.params if isinstance(known, Block) else {*known.fields, *known.extra}
    if "wrap" in given and not isinstance(known, Block) and issubclass(known, Op):
        names = {*names, *(name for name in given if is_option(name, known))}
    for name in given:
        if name not in names:
            hint = did_you_mean(name, names)
            raise Refused(
                Problem("unknown-argument", f"{word} has no argument {name!r}", At((*path, name), on_key=True), hint)
            )
    if not isinstance(known, Block) and any(
        known.fields[n].textual and _odd(v) for n, v in given.items() if n in known.fields
    ):
        raise OneForm
    piece.args = {name: _raw(value) for name, value in given.items()}
    piece.repeat = _text(around["repeat"]) if "repeat" in around else None
    piece.when = str(around["when"]) if "when" in around else None
    return piece


def _odd(value: Any) -> bool:
    """Whether a text, or one of a list of them, would be something else in a row, or without its quotes."""
    if isinstance(value, list):
        return any(map(_odd, value))
    return isinstance(value, Quoted) or (isinstance(value, str) and is_size(value) and _is_tuple(value))


def _is_tuple(text: str) -> bool:
    """Whether a row reads a text as sizes with an x between them, or not at all."""
    try:
        return isinstance(rows.parse_value(text), tuple)
    except RowError:
        return True


def _takes_inputs(known: type[Entry] | Block) -> bool:
    """Whether it stands in the network; `inputs` of a source of data is an argument like others."""
    return isinstance(known, Block) or issubclass(known, Op)


def _inputs_of(known: type[Entry] | Block) -> tuple[str, ...]:
    """The names of what a call takes, in order."""
    if isinstance(known, Block):
        return known.inputs
    return known.takes if issubclass(known, Op) else ()


def _listed(value: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def _parts(value: Raw) -> tuple[str, ...]:
    """The parts of a tuple; a value by itself is its only one."""
    return value if isinstance(value, tuple) else (str(value),)


def _input(text: Any) -> str:
    """The name of an input as text. Raises OneForm for what a row cannot name."""
    if not isinstance(text, str) or " " in text:
        raise OneForm
    return text


def _raw(value: Any) -> Raw:
    """A value of the long form as a row has it. Raises OneForm for what it cannot have."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    if isinstance(value, list | dict):
        raise OneForm
    raw: Raw = value
    return raw


def _closed(part: str) -> str:
    """A size before an x: of `$nx3` that would be in the name."""
    return f"$({part[1:]})" if part[:1] == "$" and lexer.is_name(part[1:]) else part


def _text(value: Raw) -> str:
    """A value as it stands in a row. Raises OneForm."""
    if isinstance(value, tuple):
        if len(value) < 2:
            raise OneForm
        value = "x".join([*map(_closed, value[:-1]), value[-1]])
        try:
            if not isinstance(rows.parse_value(value), tuple):
                raise OneForm
        except RowError:
            raise OneForm from None
        return value
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    try:
        (call,) = rows.parse(f"op name={text}")
    except (RowError, ValueError):
        raise OneForm from None
    if len(call.args) != 1 or call.times is not None or call.when is not None:
        raise OneForm
    return text
