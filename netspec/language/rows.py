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

from collections.abc import Iterator
from dataclasses import dataclass, field
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

    `text` is all of it as it stands: a letter's may yet be a word, the folder d40.
    """

    kind: Literal["positional", "arrow", "letter", "keyword", "word"]
    value: Value | tuple[Value | None, ...]
    span: Span
    name: str = ""
    text: str = field(default="", compare=False)


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


_DIGITS: Final = frozenset("0123456789")
_CAPITALS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALPHABET: Final = _CAPITALS | frozenset("abcdefghijklmnopqrstuvwxyz")
_LETTERS: Final = _ALPHABET | {"_"}
_PLAIN: Final = _LETTERS | _DIGITS
_DIM: Final = _CAPITALS | _DIGITS | {"_"}
_IN_WORDS: Final = frozenset("_./:+@~-")
_IN_INPUTS: Final = frozenset("_$()+*-")


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
    begin = at = 0
    while (at := text.find("$", at)) >= 0:
        name = at + 1
        if text.startswith("(", name):
            stop = closing(text, name, len(text))
            found, end = Expr(text[name + 1 : stop], (name + 1, stop)), stop + 1
        elif (end := _name(text, name, len(text))) > name:
            found = Expr(text[name:end], (name, end))
        else:
            at = name
            continue
        parts += (text[begin:at], found)
        begin = at = end
    return (*parts, text[begin:])


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
        if _is_times(text[a:b]):
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
    end = _dotted(text, start, stop)
    if end == start:
        end = text.find(" ", start, stop)
        span = (start, stop if end < 0 else end)
        raise RowError(f"{_shown(text, *span)} is not an operation", span, "A row begins with one, as in: conv 6 k5")
    return text[start:end], end


def _inputs(text: str, start: int, stop: int) -> tuple[Input, ...]:
    found = []
    for a, b in _split(text, start, stop, " ,"):
        if a == b:
            continue
        keyword, equals, name = text[a:b].replace(" ", "").rpartition("=")
        if not _is_input(name) or (equals and not _is_name(keyword)):
            hint = "An input is the name of an earlier step; arguments follow the brackets, or the word: dropout 0.5"
            others = text[start:stop].replace(",", " ").split(" ")
            if text[a:b].removeprefix("-").isdecimal() and any(map(_is_input, others)):
                hint = "Steps are referred to by name; give it one, as in - skip: conv 8 k3"
            raise RowError(f"{_shown(text, a, b)} is not an input", (a, b), hint)
        found.append(Input(tuple(name.split(".")), keyword or None, (a, b)))
    return tuple(found)


def _arg(text: str, start: int, stop: int) -> Arg:
    span, word = (start, stop), text[start:stop]
    if ("->" in word or "\u2192" in word) and "->" in _outside(word.replace("\u2192", "->")):
        return _arrow(text, start, stop)
    end = _name(text, start, stop)
    if end > start and text.startswith("=", end, stop):
        return Arg("keyword", _whole(text, end + 1, stop), span, text[start:end], word)
    if _is_file(word) or _is_zeroed(word):
        return Arg("word", Word(word), span, "", word)
    if word[0].islower() and len(word) > 1 and (word[1].isdigit() or word[1] in "$-"):
        return Arg("letter", _whole(text, start + 1, stop), span, word[0], word)
    if _begins_size(word):
        return Arg("positional", _whole(text, start, stop), span, "", word)
    if _is_word(word):
        return Arg("word", Word(word), span, "", word)
    raise RowError(f"{_shown(text, start, stop)} is not an argument", span, ARGUMENT)


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
    word = text[start:stop]
    if _is_word(word) or _names_file(word):
        return Word(word)
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
    return Arg("arrow", tuple(sizes), (start, stop), "", text[start:stop])


def _tuple(text: str, start: int, stop: int) -> tuple[Value, int]:
    first, at = _size(text, start, stop)
    sizes = [first]
    while at < stop and text[at] == "x":
        size, at = _size(text, at + 1, stop)
        sizes.append(size)
    return (tuple(sizes) if len(sizes) > 1 else first), at


def _size(text: str, start: int, stop: int) -> tuple[Size, int]:
    if start == stop:
        raise RowError(
            "a size is missing here", (max(0, start - 1), start), "Write sizes without spaces: 400->120, 3x5"
        )
    negative = text[start] == "-"
    at = start + negative
    end = _number_end(text, at, stop)
    if end > at:
        return _number(text[at:end], negative, (start, end)), end
    c = text[at] if at < stop else ""
    if c in _CAPITALS:
        end = _run(text, at + 1, stop, _DIM)
        return Word(text[start:end]), end
    if c == "$" and (end := _name(text, at + 1, stop)) > at + 1:
        return Expr(text[at + 1 : end], (at + 1, end), negative), end
    if c == "$" and text.startswith("(", at + 1, stop):
        close = closing(text, at + 1, stop)
        return Expr(text[at + 2 : close], (at + 2, close), negative), close + 1
    raise RowError(f"{_shown(text, start, stop)} is not a size", (start, max(stop, start + 1)), VALUE)


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


# --- characters ---------------------------------------------------------------------------------


def _run(text: str, at: int, stop: int, kind: frozenset[str]) -> int:
    """Where the characters of a kind end that begin at a place."""
    while at < stop and text[at] in kind:
        at += 1
    return at


def _name(text: str, start: int, stop: int) -> int:
    """Where the name ends that begins at a place; that place itself where none does."""
    if start == stop or text[start] not in _LETTERS:
        return start
    at = start + 1
    while at < stop and (text[at] in _PLAIN or text[at].isalnum()):
        at += 1
    return at


def _dotted(text: str, start: int, stop: int) -> int:
    """The same for names with dots between them, of plain letters and digits: `nn.Conv2d`."""
    end = at = start
    while at < stop and text[at] in _LETTERS:
        end = _run(text, at, stop, _PLAIN)
        if not text.startswith(".", end, stop):
            break
        at = end + 1
    return end


def _number_end(text: str, start: int, stop: int) -> int:
    """Where the number ends that begins at a place, `2`, `.5` or `1e-3`; that place itself where none does."""
    end = _run(text, start, stop, _DIGITS)
    if text.startswith(".", end, stop):
        fraction = _run(text, end + 1, stop, _DIGITS)
        if fraction - start == 1:
            return start
        end = fraction
    if start < end < stop and text[end] in "eE":
        digits = end + 1 + text.startswith(("-", "+"), end + 1, stop)
        power = _run(text, digits, stop, _DIGITS)
        return power if power > digits else end
    return end


def _is_name(word: str) -> bool:
    return word != "" and _name(word, 0, len(word)) == len(word)


def _is_word(word: str) -> bool:
    """Whether a text is a bare word, which may name a file: `same`, `data/mnist`, `../a.npz`, `~/b`."""
    if word[:1] not in _LETTERS and not word.startswith(("~", "/", "./", "../")):
        return False
    return (word.isascii() and word.isidentifier()) or all(c in _PLAIN or c in _IN_WORDS or c.isalnum() for c in word)


def _names_file(word: str) -> bool:
    """Whether a text that begins with a digit is a word, which only a file's name is: `2024.csv`."""
    before, dot, ending = word.rpartition(".")
    if not dot or before[:1] not in _DIGITS or ending[:1] not in _ALPHABET:
        return False
    if ending[0] in "eEx" and ending[1:2] in _DIGITS:
        return False
    return _is_name(ending) and all(c.isalnum() or c in _IN_WORDS for c in before)


def _is_file(word: str) -> bool:
    """Whether a word is the name of a file, perhaps behind a letter that would begin an option: `d40.npz`."""
    return "." in word and _names_file(word[word[0].islower() :])


def _is_zeroed(word: str) -> bool:
    """Whether a word is a letter with what is no number for the 0 before it: the folder d040."""
    return len(word) > 2 and word[1] == "0" and "a" <= word[0] <= "z" and _run(word, 1, len(word), _DIGITS) == len(word)


def _is_times(word: str) -> bool:
    """Whether a word is a repetition, `x3` or `x$n`."""
    return word[0] == "x" and (word[1:2].isdecimal() or word[1:2] == "$") and not _is_file(word)


def _begins_size(word: str) -> bool:
    """Whether a word is a size, or sizes with an x between them, as far as its beginning tells."""
    body = word.removeprefix("-")
    if body[:1].isdecimal() or body[:1] in (".", "$"):
        return True
    if body[:1] not in _CAPITALS:
        return False
    end = _run(body, 1, len(body), _DIM)
    after = body[end + 1 : end + 2]
    return end == len(body) or (body[end] == "x" and (after.isdecimal() or after in _CAPITALS or after in ("$", "-")))


def _is_input(name: str) -> bool:
    """Whether a text names an earlier value: names, numbers and * with dots between them, a name first."""
    first, *others = name.split(".")
    return _is_part(first) and all(_is_part(part) or part.isdecimal() or part == "*" for part in others)


def _is_part(part: str) -> bool:
    return (part[:1] in _LETTERS or part[:1] == "$") and all(c.isalnum() or c in _IN_INPUTS for c in part)
