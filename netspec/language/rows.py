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

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, Literal

from netspec.errors import Span
from netspec.language import expressions, lexer
from netspec.language.lexer import RowError, closing, split
from netspec.words import printable

__all__ = ["Arg", "Call", "Expr", "Input", "RowError", "Size", "TooLong", "Value", "Word"]

MAX_CALLS: Final = 200
MAX_DIGITS: Final = 18
ARGUMENT: Final = "An argument is a value, a letter and a number as in k3, name=value, or a word as in nobias."
VALUE: Final = "A value is a number, sizes as in 3x5, a word, $name, or $(expression)."
CALLED: Final = "None is a call: what belongs to a word stands beside it, as in init=normal std=0.02."


class TooLong(RowError):
    """A number that no size can be, and which is no word either."""


@dataclass(frozen=True, slots=True)
class Expr:
    """`$name` or `$(expression)`, still to be computed."""

    text: str
    """Without the $ and its brackets."""
    span: Span
    """Where that text stands in the row."""
    negative: bool = False
    """Whether a minus stands before it."""

    @property
    def tree(self) -> ast.expr:
        """What it is parsed into, once. Raises ExpressionError."""
        return expressions.parse(self.text)


AROUND: Final = {"when", "repeat", "as"}
"""What may stand beside the word of a long call."""
APART: Final = {"inputs", "wrap"}
"""Options of a long call that are no arguments."""
Template = tuple[str | Expr, ...]
"""A name cut into its plain and its computed parts."""


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
    """The names between its dots."""
    keyword: str | None
    span: Span

    def __str__(self) -> str:
        return f"{self.keyword}={'.'.join(self.path)}" if self.keyword else ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument. `name` is the letter or the keyword; an arrow's value is all its sizes.

    `text` is all of it as it stands: a letter's may yet be a word, the folder d40.
    """

    kind: Literal["positional", "arrow", "letter", "keyword", "word"]
    value: Value | tuple[Value | None, ...]
    span: Span
    name: str = ""
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        """It as a row has it: as it was written, or its value where nobody wrote it."""
        if self.text:
            return self.text
        if isinstance(self.value, tuple) and self.kind == "arrow":
            return "->".join(map(_written, self.value))
        return f"{self.name}{'=' if self.kind == 'keyword' else ''}{written(self.value)}"


@dataclass(frozen=True, slots=True)
class Call:
    """One piece of a row."""

    op: str | Expr
    """The word, or the expression that gives it."""
    span: Span
    """Where the call stands in the row."""
    inputs: tuple[Input, ...] | None
    """Those in brackets; None where there are none."""
    args: tuple[Arg, ...]
    times: Size | None = None
    """How often it is repeated, `x3`."""
    when: Expr | None = None
    """Its condition."""
    op_span: Span = (0, 0)
    """Where its word stands in the row."""

    def __str__(self) -> str:
        """The call as a row has it, with one blank between its words."""
        op = self.op if isinstance(self.op, str) else written(self.op)
        times = None if self.times is None else written(self.times)
        when = None if self.when is None else " ".join(self.when.text.split())
        return text_of(op, None if self.inputs is None else map(str, self.inputs), map(str, self.args), times, when)

    def with_argument(self, name: str, value: str, old: Arg | None = None, *, flag: bool = False) -> Call:
        """The call with an argument set: behind the others, or in place of `old`, in whose form, unless it is a flag.

        Its spans are those of the text that it was read from. Raises RowError for a value that is not one argument.
        """
        bare = old is not None and not flag and not lexer.is_times(value) and value != "when"
        begin = f"{name}="
        if old is not None and bare:
            begin = {"letter": old.name, "keyword": f"{old.name}="}.get(old.kind, "")
        made = parse_arguments(f"{begin}{value}")
        if len(made) != 1 or made[0].kind == "arrow":
            raise RowError(f"{value!r} is not a value", (0, len(value)), VALUE)
        args = (*self.args, *made) if old is None else tuple(made[0] if arg is old else arg for arg in self.args)
        return replace(self, args=args)


@lru_cache(maxsize=8192)
def parse(text: str) -> tuple[Call, ...]:
    """The calls of one row. Raises RowError where the text is no row."""
    calls = tuple(_call(text, start, stop) for start, stop in split(text, 0, len(text), ","))
    if len(calls) > MAX_CALLS:
        raise RowError(f"a row of more than {MAX_CALLS} calls", (0, len(text)), "Write a list of rows, or repeat one.")
    return calls


def parse_arguments(text: str) -> tuple[Arg, ...]:
    """The arguments of a row that names no operation: `lr=3e-5 weight_decay=0`. Raises RowError."""
    return tuple(_arg(text, start, stop) for start, stop in split(text, 0, len(text), " ") if start < stop)


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
def template(text: str) -> Template:
    """A name with `$x` and `$(expr)` in it, cut into its plain and its computed parts."""
    parts: list[str | Expr] = []
    begin = at = 0
    while (at := text.find("$", at)) >= 0:
        name = at + 1
        if text.startswith("(", name):
            stop = closing(text, name, len(text))
            found, end = Expr(text[name + 1 : stop], (name + 1, stop)), stop + 1
        elif (end := lexer.name_end(text, name, len(text))) > name:
            found = Expr(text[name:end], (name, end))
        else:
            at = name
            continue
        parts += (text[begin:at], found)
        begin = at = end
    return (*parts, text[begin:])


def _call(text: str, start: int, stop: int) -> Call:
    """The call between two places of a row."""
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
    for a, b in split(text, at, stop, " "):
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
        if lexer.is_times(text[a:b]):
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
    """The word of a call, or the expression that stands for it, and the place behind."""
    if text[start] == "$":
        size, at = _size(text, start, stop)
        if isinstance(size, Expr):
            return size, at
    end = lexer.dotted_end(text, start, stop)
    if end == start:
        end = text.find(" ", start, stop)
        span = (start, stop if end < 0 else end)
        raise RowError(f"{_shown(text, *span)} is not an operation", span, "A row begins with one, as in: conv 6 k5")
    return text[start:end], end


def _inputs(text: str, start: int, stop: int) -> tuple[Input, ...]:
    """The inputs in the brackets of a call."""
    found = []
    for a, b in split(text, start, stop, " ,"):
        if a == b:
            continue
        keyword, equals, name = text[a:b].replace(" ", "").rpartition("=")
        if not lexer.is_input(name) or (equals and not lexer.is_name(keyword)):
            hint = "An input is the name of an earlier step; arguments follow the brackets, or the word: dropout 0.5"
            others = text[start:stop].replace(",", " ").split(" ")
            if text[a:b].removeprefix("-").isdecimal() and any(map(lexer.is_input, others)):
                hint = "Steps are referred to by name; give it one, as in - skip: conv 8 k3"
            raise RowError(f"{_shown(text, a, b)} is not an input", (a, b), hint)
        found.append(Input(tuple(name.split(".")), keyword or None, (a, b)))
    return tuple(found)


def _arg(text: str, start: int, stop: int) -> Arg:
    """One argument, whatever its kind."""
    span, word = (start, stop), text[start:stop]
    if ("->" in word or "\u2192" in word) and "->" in lexer.outside(word.replace("\u2192", "->")):
        return _arrow(text, start, stop)
    end = lexer.name_end(text, start, stop)
    if end > start and text.startswith("=", end, stop):
        return Arg("keyword", _whole(text, end + 1, stop), span, text[start:end], word)
    if lexer.is_file(word) or lexer.is_zeroed(word):
        return Arg("word", Word(word), span, "", word)
    if word[0].islower() and len(word) > 1 and (word[1].isdigit() or word[1] in "$-"):
        return Arg("letter", _whole(text, start + 1, stop), span, word[0], word)
    if lexer.begins_size(word):
        return Arg("positional", _whole(text, start, stop), span, "", word)
    if lexer.is_word(word):
        return Arg("word", Word(word), span, "", word)
    raise RowError(f"{_shown(text, start, stop)} is not an argument", span, ARGUMENT)


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
    word = text[start:stop]
    if lexer.is_word(word) or lexer.names_file(word):
        return Word(word)
    if start == stop:
        raise RowError("a value is missing here", (max(0, start - 1), start), "Write it without a space: bias=false")
    hint = f"{VALUE} {CALLED}" if lexer.is_word(text[start:stop].partition("(")[0]) else VALUE
    raise RowError(f"{_shown(text, start, stop)} is not a value", (start, max(stop, start + 1)), hint)


def _arrow(text: str, start: int, stop: int) -> Arg:
    """`3->64`, `->64` or `400->120->84`."""
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
    return Arg("arrow", tuple(sizes), (start, stop), "", text[start:stop])


def _tuple(text: str, start: int, stop: int) -> tuple[Value, int]:
    """`3x5`, or one size, and the place behind."""
    first, at = _size(text, start, stop)
    sizes = [first]
    while at < stop and text[at] == "x":
        size, at = _size(text, at + 1, stop)
        sizes.append(size)
    return (tuple(sizes) if len(sizes) > 1 else first), at


def _size(text: str, start: int, stop: int) -> tuple[Size, int]:
    """A number, a `$name` or a `$(...)`, and the place behind. Raises RowError."""
    if start == stop:
        raise RowError(
            "a size is missing here", (max(0, start - 1), start), "Write sizes without spaces: 400->120, 3x5"
        )
    negative = text[start] == "-"
    at = start + negative
    end = lexer.number_end(text, at, stop)
    if end > at:
        return _number(text[at:end], negative, (start, end)), end
    c = text[at] if at < stop else ""
    if c in lexer.CAPITALS:
        end = lexer.run_end(text, at + 1, stop, lexer.IN_DIMS)
        return Word(text[start:end]), end
    if c == "$" and (end := lexer.name_end(text, at + 1, stop)) > at + 1:
        return Expr(text[at + 1 : end], (at + 1, end), negative), end
    if c == "$" and text.startswith("(", at + 1, stop):
        close = closing(text, at + 1, stop)
        return Expr(text[at + 2 : close], (at + 2, close), negative), close + 1
    raise RowError(f"{_shown(text, start, stop)} is not a size", (start, max(stop, start + 1)), VALUE)


def _number(text: str, negative: bool, span: Span) -> int | float:
    """A number of a row. Raises TooLong."""
    if len(text) > MAX_DIGITS:
        raise TooLong(f"the number {text[:12]}... is too large", span, f"A number has at most {MAX_DIGITS} digits.")
    if text[0] == "0" and text[1:2].isdigit():
        sign = "-" * negative
        raise TooLong(f"the number {sign}{text} begins with 0", span, f"Write {sign}{text.lstrip('0') or 0}.")
    number = int(text) if text.isdecimal() else float(text)
    return -number if negative else number


def _shown(text: str, start: int, stop: int) -> str:
    """A stretch of a row as a message quotes it."""
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


def written(value: Value | tuple[Value | None, ...]) -> str:
    """A size, or several, as a row has them."""
    if isinstance(value, tuple):  # the x behind a bare $name would be a letter of it
        return "x".join([*(_written(size, bare=False) for size in value[:-1]), *map(_written, value[-1:])])
    return _written(value)


def _written(value: Value | None, bare: bool = True) -> str:
    """One size, or none; a `$name` may stand `bare`, or else in brackets."""
    if isinstance(value, Expr):
        name = value.text if bare and value.text.isidentifier() else f"({value.text})"
        return f"{'-' if value.negative else ''}${name}"
    return value.text if isinstance(value, Word) else "" if value is None else str(value)


def text_of(
    op: str, inputs: Iterable[str] | None, args: Iterable[str], times: str | None = None, when: str | None = None
) -> str:
    """A call as a row has it, of the texts of its parts."""
    words = [op if inputs is None else f"{op}({' '.join(inputs)})", *args]
    words += [f"x{times}"] if times is not None else []
    return " ".join([*words, *([f"when {when}"] if when is not None else [])])
