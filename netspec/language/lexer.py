"""The lexer of rows: the words of a text outside brackets, and what its characters make of each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Span

_DIGITS: Final = frozenset("0123456789")
CAPITALS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALPHABET: Final = CAPITALS | frozenset("abcdefghijklmnopqrstuvwxyz")
_LETTERS: Final = _ALPHABET | {"_"}
_PLAIN: Final = _LETTERS | _DIGITS
IN_DIMS: Final = CAPITALS | _DIGITS | {"_"}
_IN_WORDS: Final = frozenset("_./:+@~-")
_IN_INPUTS: Final = frozenset("_$()+*-")


class RowError(ValueError):
    """A row that cannot be read; `span` is where in its text."""

    def __init__(self, message: str, span: Span, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.span, self.hint = message, span, hint


def split(text: str, start: int, stop: int, separators: str) -> Iterator[Span]:
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


def outside(text: str) -> str:
    """What of a text stands outside brackets."""
    depth, kept = 0, []
    for c in text:
        depth -= c == ")" and depth > 0
        if not depth and c != ")":
            kept.append(c)
        depth += c == "("
    return "".join(kept)


def run_end(text: str, at: int, stop: int, kind: frozenset[str]) -> int:
    """Where the characters of a kind end that begin at a place."""
    while at < stop and text[at] in kind:
        at += 1
    return at


def name_end(text: str, start: int, stop: int) -> int:
    """Where the name ends that begins at a place; that place itself where none does."""
    if start == stop or text[start] not in _LETTERS:
        return start
    at = start + 1
    while at < stop and (text[at] in _PLAIN or text[at].isalnum()):
        at += 1
    return at


def dotted_end(text: str, start: int, stop: int) -> int:
    """The same for names with dots between them, of plain letters and digits: `nn.Conv2d`."""
    end = at = start
    while at < stop and text[at] in _LETTERS:
        end = run_end(text, at, stop, _PLAIN)
        if not text.startswith(".", end, stop):
            break
        at = end + 1
    return end


def number_end(text: str, start: int, stop: int) -> int:
    """Where the number ends that begins at a place, `2`, `.5` or `1e-3`; that place itself where none does."""
    end = run_end(text, start, stop, _DIGITS)
    if text.startswith(".", end, stop):
        fraction = run_end(text, end + 1, stop, _DIGITS)
        if fraction - start == 1:
            return start
        end = fraction
    if start < end < stop and text[end] in "eE":
        digits = end + 1 + text.startswith(("-", "+"), end + 1, stop)
        power = run_end(text, digits, stop, _DIGITS)
        return power if power > digits else end
    return end


def is_name(word: str) -> bool:
    """Whether a word is a name from its first character to its last."""
    return word != "" and name_end(word, 0, len(word)) == len(word)


def is_word(word: str) -> bool:
    """Whether a text is a bare word, which may name a file: `same`, `data/mnist`, `../a.npz`, `~/b`."""
    if word[:1] not in _LETTERS and not word.startswith(("~", "/", "./", "../")):
        return False
    return (word.isascii() and word.isidentifier()) or all(c in _PLAIN or c in _IN_WORDS or c.isalnum() for c in word)


def names_file(word: str) -> bool:
    """Whether a text that begins with a digit is a word, which only a file's name is: `2024.csv`."""
    before, dot, ending = word.rpartition(".")
    if not dot or before[:1] not in _DIGITS or ending[:1] not in _ALPHABET:
        return False
    if ending[0] in "eEx" and ending[1:2] in _DIGITS:
        return False
    return is_name(ending) and all(c.isalnum() or c in _IN_WORDS for c in before)


def is_file(word: str) -> bool:
    """Whether a word is the name of a file, perhaps behind a letter that would begin an option: `d40.npz`."""
    return "." in word and names_file(word[word[0].islower() :])


def is_zeroed(word: str) -> bool:
    """Whether a word is a letter with what is no number for the 0 before it: the folder d040."""
    return len(word) > 2 and "a" <= word[0] <= "z" and word[1] == "0" and set(word[1:]) <= _DIGITS


def is_times(word: str) -> bool:
    """Whether a word is a repetition, `x3` or `x$n`."""
    return word[:1] == "x" and (word[1:2].isdecimal() or word[1:2] == "$") and not is_file(word)


def begins_size(word: str) -> bool:
    """Whether a word is a size, or sizes with an x between them, as far as its beginning tells."""
    body = word.removeprefix("-")
    if body[:1].isdecimal() or body[:1] in (".", "$"):
        return True
    if body[:1] not in CAPITALS:
        return False
    end = run_end(body, 1, len(body), IN_DIMS)
    after = body[end + 1 : end + 2]
    return end == len(body) or (body[end] == "x" and (after.isdecimal() or after in CAPITALS or after in ("$", "-")))


def is_input(name: str) -> bool:
    """Whether a text names an earlier value: names, numbers and * with dots between them, a name first."""
    first, *others = name.split(".")
    return _is_part(first) and all(_is_part(part) or part.isdecimal() or part == "*" for part in others)


def _is_part(part: str) -> bool:
    """Whether a part of a dotted name is one: letters, digits, or a parameter."""
    return (part[:1] in _LETTERS or part[:1] == "$") and all(c.isalnum() or c in _IN_INPUTS for c in part)
