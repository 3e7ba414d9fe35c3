"""Rows: `conv 1->6 k5, relu, pool 2` read into calls, each word with its place in the text.

chain  = call { "," call }
call   = op [ "(" input { " " input } ")" ] { " " arg } [ " x" size ] [ " when " expr ]
op     = WORD | "$" NAME
input  = [ NAME "=" ] NAME { "." ( NAME | INT | "*" ) }       (NAME may hold $x and $(expr))
arg    = tuple | arrow | LETTER tuple | NAME "=" ( tuple | WORD ) | WORD { "." WORD }
arrow  = [ size ] "->" size { "->" size }
tuple  = size { "x" size }
size   = [ "-" ] ( NUMBER | DIM | "$" NAME | "$(" expr ")" )
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from netspec.errors import Span
from netspec.words import printable

MAX_CALLS: Final = 200
MAX_DIGITS: Final = 18
ARGUMENT: Final = "An argument is a value, a letter and a number as in k3, name=value, or a word as in nobias."
VALUE: Final = "A value is a number, sizes as in 3x5, a word, $name, or $(expression)."


class RowError(ValueError):
    """A row that cannot be read; `span` is where in its text."""

    def __init__(self, message: str, span: Span, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.span, self.hint = message, span, hint


class TooLong(RowError):
    """A number that no size can be, and which is no word either."""


@dataclass(frozen=True, slots=True)
class Expr:
    """`$name` or `$(expression)`, still to be computed."""

    text: str
    span: Span
    negative: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """A bare word or dimension."""

    text: str


Size = int | float | Expr | Word
Value = Size | tuple[Size, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """A reference to an earlier value, `rnn.output`, perhaps for an input by name, `query=x`."""

    path: tuple[str, ...]
    keyword: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument. `name` is the letter or the keyword; an arrow's value is all its sizes.

    `text` is a letter's as it stands, which may yet be a word: the folder d40.
    """

    kind: Literal["positional", "arrow", "letter", "keyword", "word"]
    value: Value | tuple[Value | None, ...]
    span: Span
    name: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of a row."""

    op: str | Expr
    span: Span
    inputs: tuple[Input, ...] | None
    args: tuple[Arg, ...]
    times: Size | None = None
    when: Expr | None = None
    op_span: Span = (0, 0)


_NUMBER = r"[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|[0-9]+"
_SIZE = re.compile(rf"(?P<sign>-?)(?:(?P<number>{_NUMBER})|(?P<dim>[A-Z][A-Z0-9_]*)|\$(?P<name>[A-Za-z_]\w*)|\$\()")
_OP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_WORD = re.compile(r"(?:[A-Za-z_~]|\.{0,2}/)[\w./:+@~-]*")
_FILE = re.compile(r"[0-9][\w./:+@~-]*\.(?![eEx][0-9])[A-Za-z]\w*")
"""A word that begins with a digit, which only a file's name does: `2024.csv`."""
_ZEROED = re.compile(r"[a-z]0[0-9]+")
"""A letter with what is no number for the 0 before it, so that it can only be a word: the folder d040."""
_KEYWORD = re.compile(r"([A-Za-z_]\w*)=")
_TIMES = re.compile(r"x(?=[\d$])")
_INPUT = re.compile(r"(?:([A-Za-z_]\w*)=)?([A-Za-z_$][\w$()+*-]*(?:\.(?:[A-Za-z_$][\w$()+*-]*|\d+|\*))*)")
_TEMPLATE = re.compile(r"\$([A-Za-z_]\w*)|\$\(")


@lru_cache(maxsize=8192)
def parse(text: str) -> tuple[Call, ...]:
    """The calls of one row. Raises RowError where the text is no row."""
    calls = tuple(_call(text, start, stop) for start, stop in _split(text, 0, len(text), ","))
    if len(calls) > MAX_CALLS:
        raise RowError(f"a row of more than {MAX_CALLS} calls", (0, len(text)), "Write a list of rows, or repeat one.")
    return calls


def parse_arguments(text: str) -> tuple[Arg, ...]:
    """The arguments of a row that names no operation: `lr=3e-5 weight_decay=0`. Raises RowError."""
    return tuple(_arg(text, start, stop) for start, stop in _split(text, 0, len(text), " ") if start < stop)


def parse_value(text: str) -> Value:
    """A text that stands where a value is expected: `$width`, `$(2*d)`, `3x224x224`; else a plain word."""
    try:
        value, stop = _tuple(text, 0, len(text))
    except TooLong:
        raise
    except RowError:
        if "$(" in text:
            raise
        return Word(text)
    return value if stop == len(text) else Word(text)


@lru_cache(maxsize=4096)
def template(text: str) -> tuple[str | Expr, ...]:
    """A name with `$x` and `$(expr)` in it, cut into its plain and its computed parts."""
    parts: list[str | Expr] = []
    at = 0
    while match := _TEMPLATE.search(text, at):
        parts.append(text[at : match.start()])
        if match[1]:
            parts.append(Expr(match[1], (match.start(1), match.end())))
            at = match.end()
        else:
            stop = closing(text, match.end() - 1, len(text))
            parts.append(Expr(text[match.end() : stop], (match.end(), stop)))
            at = stop + 1
    return (*parts, text[at:])


def _split(text: str, start: int, stop: int, separators: str) -> Iterator[Span]:
    """Stretches between separators that stand outside brackets, without surrounding blanks."""
    at = start
    begin = start
    while at <= stop:
        c = text[at] if at < stop else separators[0]
        if c in "([" and at < stop:
            at = closing(text, at, stop)
        elif c in separators:
            piece = text[begin:at]
            lead = len(piece) - len(piece.lstrip())
            yield begin + lead, begin + max(lead, len(piece.rstrip()))
            begin = at + 1
        at += 1


def closing(text: str, start: int, stop: int) -> int:
    """The index of the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, stop):
        if text[at] in "([":
            depth += 1
        elif text[at] in ")]":
            depth -= 1
            if not depth:
                return at
    hint = "Close it; and inside [ ] or { }, quote text that has a comma."
    raise RowError("a bracket that is never closed", (start, start + 1), hint)


def _call(text: str, start: int, stop: int) -> Call:
    if start == stop:
        raise _nothing(text, start)
    op, at = _op(text, start, stop)
    op_span = (start, at)
    inputs: tuple[Input, ...] | None = None
    if at < stop and text[at] == "(":
        close = closing(text, at, stop)
        inputs = _inputs(text, at + 1, close)
        at = close + 1
    if at < stop and text[at] != " ":
        raise RowError(f"{_shown(text, start, stop)} is not a call", (at, at + 1), "Put a space before an argument.")
    args: list[Arg] = []
    times: Size | None = None
    when: Expr | None = None
    for a, b in _split(text, at, stop, " "):
        if a == b:
            continue
        if text[a:b] == "when":
            if not text[b:stop].strip():
                raise RowError("when without a condition", (a, b), "As in: relu when depth > 2")
            lead = len(text[b:stop]) - len(text[b:stop].lstrip())
            when = Expr(text[b + lead : stop], (b + lead, stop))
            break
        if times is not None:
            raise RowError(f"{_shown(text, a, b)} after the repetition", (a, b), "Write x3 last.")
        if _TIMES.match(text, a, b) and not _is_file(text, a, b):
            times, end = _size(text, a + 1, b)
            if end != b:
                raise RowError(f"{_shown(text, a, b)} is not a repetition", (a, b), "As in: conv 8 k3 x3")
            continue
        args.append(_arg(text, a, b))
    return Call(op, (start, stop), inputs, tuple(args), times, when, op_span)


def _nothing(text: str, at: int) -> RowError:
    """The error of a row that has a comma too many, or nothing at all."""
    span = max(0, at - 1), min(at + 1, max(1, len(text)))
    if not text.strip():
        return RowError("a row without an operation", span, "Write one, as in: conv 6 k5")
    what = "nothing between two commas" if text[at:].strip() else "nothing behind a comma"
    return RowError(what, span, "Remove a comma.")


def _op(text: str, start: int, stop: int) -> tuple[str | Expr, int]:
    if text[start] == "$":
        size, at = _size(text, start, stop)
        if isinstance(size, Expr):
            return size, at
    match = _OP.match(text, start, stop)
    if not match:
        end = text.find(" ", start, stop)
        span = (start, stop if end < 0 else end)
        raise RowError(f"{_shown(text, *span)} is not an operation", span, "A row begins with one, as in: conv 6 k5")
    return match[0], match.end()


def _inputs(text: str, start: int, stop: int) -> tuple[Input, ...]:
    found = []
    for a, b in _split(text, start, stop, " ,"):
        if a == b:
            continue
        match = _INPUT.fullmatch(text[a:b].replace(" ", ""))
        if not match:
            hint = "An input is the name of an earlier step; arguments follow the brackets, or the word: dropout 0.5"
            names = [word for word in re.split("[ ,]+", text[start:stop]) if _INPUT.fullmatch(word) and "=" not in word]
            if re.fullmatch(r"-?\d+", text[a:b]) and names:
                hint = "Steps are referred to by name; give it one, as in - skip: conv 8 k3"
            raise RowError(f"{_shown(text, a, b)} is not an input", (a, b), hint)
        found.append(Input(tuple(match[2].split(".")), match[1], (a, b)))
    return tuple(found)


def _arg(text: str, start: int, stop: int) -> Arg:
    span = (start, stop)
    piece = text[start:stop].replace("\u2192", "->")
    if "->" in _outside(piece):
        return _arrow(text, start, stop)
    keyword = _KEYWORD.match(text, start, stop)
    if keyword:
        value = _whole(text, keyword.end(), stop)
        return Arg("keyword", value, span, keyword[1])
    if _is_file(text, start, stop) or _ZEROED.fullmatch(text, start, stop):
        return Arg("word", Word(text[start:stop]), span)
    if text[start].islower() and stop - start > 1 and (text[start + 1].isdigit() or text[start + 1] in "$-"):
        return Arg("letter", _whole(text, start + 1, stop), span, text[start], text[start:stop])
    if re.match(r"-?[\d.$]|-?[A-Z][A-Z0-9_]*(?:x[\dA-Z$-]|$)", text[start:stop]):
        return Arg("positional", _whole(text, start, stop), span)
    if _WORD.fullmatch(text, start, stop):
        return Arg("word", Word(text[start:stop]), span)
    raise RowError(f"{_shown(text, start, stop)} is not an argument", span, ARGUMENT)


def _is_file(text: str, start: int, stop: int) -> bool:
    """Whether a word is the name of a file, perhaps behind a letter that would begin an option: `d40.npz`."""
    at = start + text[start].islower()
    return _FILE.fullmatch(text, at, stop) is not None


def _outside(text: str) -> str:
    """What of a text stands outside brackets."""
    depth, kept = 0, []
    for c in text:
        depth -= c == ")" and depth > 0
        if not depth and c != ")":
            kept.append(c)
        depth += c == "("
    return "".join(kept)


def _whole(text: str, start: int, stop: int) -> Value:
    """A tuple or a word that fills the whole stretch."""
    try:
        value, end = _tuple(text, start, stop)
        if end == stop:
            return value
    except TooLong:
        raise
    except RowError:
        if "$(" in text[start:stop]:
            raise
    match = _WORD.fullmatch(text, start, stop) or _FILE.fullmatch(text, start, stop)
    if match:
        return Word(match[0])
    if start == stop:
        raise RowError("a value is missing here", (max(0, start - 1), start), "Write it without a space: bias=false")
    raise RowError(f"{_shown(text, start, stop)} is not a value", (start, max(stop, start + 1)), VALUE)


def _arrow(text: str, start: int, stop: int) -> Arg:
    sizes: list[Value | None] = []
    at = start
    if text.startswith(("->", "\u2192"), at):
        sizes.append(None)
    else:
        first, at = _tuple(text, at, stop)
        sizes.append(first)
    while at < stop:
        if text.startswith("->", at):
            at += 2
        elif text[at] == "\u2192":
            at += 1
        else:
            raise RowError(f"{_shown(text, start, stop)} is not an arrow", (start, stop), "Write 400->120->84.")
        size, at = _tuple(text, at, stop)
        sizes.append(size)
    return Arg("arrow", tuple(sizes), (start, stop))


def _tuple(text: str, start: int, stop: int) -> tuple[Value, int]:
    first, at = _size(text, start, stop)
    sizes = [first]
    while at < stop and text[at] == "x":
        size, at = _size(text, at + 1, stop)
        sizes.append(size)
    return (tuple(sizes) if len(sizes) > 1 else first), at


def _size(text: str, start: int, stop: int) -> tuple[Size, int]:
    match = _SIZE.match(text, start, stop)
    if start == stop:
        raise RowError(
            "a size is missing here", (max(0, start - 1), start), "Write sizes without spaces: 400->120, 3x5"
        )
    if not match:
        raise RowError(f"{_shown(text, start, stop)} is not a size", (start, max(stop, start + 1)), VALUE)
    negative = match["sign"] == "-"
    if match["number"]:
        return _number(match["number"], negative, (start, match.end())), match.end()
    if match["dim"]:
        return Word(match["sign"] + match["dim"]), match.end()
    if match["name"]:
        return Expr(match["name"], (match.start("name"), match.end()), negative), match.end()
    close = closing(text, match.end() - 1, stop)
    return Expr(text[match.end() : close], (match.end(), close), negative), close + 1


def _number(text: str, negative: bool, span: Span) -> int | float:
    if len(text) > MAX_DIGITS:
        raise TooLong(f"the number {text[:12]}... is too large", span, f"A number has at most {MAX_DIGITS} digits.")
    if text[0] == "0" and text[1:2].isdigit():
        raise TooLong(f"the number {text} begins with 0", span, f"Write {text.lstrip('0') or 0}.")
    number = int(text) if text.isdecimal() else float(text)
    return -number if negative else number


def _shown(text: str, start: int, stop: int) -> str:
    return repr(printable(text[start:stop]))


def sizes(text: str) -> list[str]:
    """The sizes of a tuple or an arrow, `3x$k` or `1->6`, each as it is written. Raises RowError."""
    found, at = [], 0
    while at < len(text):
        at += 2 if text.startswith("->", at) else text[at] == "x"
        _, stop = _size(text, at, len(text))
        found.append(text[at:stop])
        at = stop
    return found


def written(size: Size) -> str:
    """A size as a row has it."""
    if isinstance(size, Expr):
        return f"{'-' if size.negative else ''}${size.text if size.text.isidentifier() else f'({size.text})'}"
    return size.text if isinstance(size, Word) else str(size)
