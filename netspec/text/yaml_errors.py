"""What a person is told of a text that is not YAML: where the mistake was made, and not only where reading stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import yaml

CLOSING: Final = {"[": "]", "{": "}"}
COLUMNS: Final = "Keys of one mapping, and items of one list, begin in the same column."
QUOTE: Final = "Put quotes around it."
_TIGHT: Final = re.compile(r"\s*(?:- )?([\w$.-]+):[^\s:]")
"""A key with its value right behind the colon."""


@dataclass(frozen=True, slots=True)
class Misread:
    """What is wrong, where, counted from 0, and what to try."""

    line: int
    column: int
    message: str
    hint: str


def misread(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> Misread:
    """What a person is told of the error that ended the reading of `lines`."""
    mark = error.problem_mark or error.context_mark
    stop = _Spot(lines, mark.line, mark.column) if mark else _Spot(lines, 0, 0)
    begin = _Spot(lines, error.context_mark.line, error.context_mark.column) if error.context_mark else stop
    problem, context = error.problem or "", error.context or ""
    if "end of stream" in problem and "quoted" in context:
        return begin.told("a quote that is never closed", f"Close it with another {begin.character}")
    if "unknown escape" in problem:
        return stop.told("a \\ that means nothing between double quotes", "Use single quotes.")
    if stop.character == "\t" or "tab character" in problem:
        return stop.told("a tab; lines are indented with spaces", "Replace it by spaces.")
    if "cannot start any token" in problem:
        return stop.told(f"a text cannot begin with {stop.character}", QUOTE)
    if begin.character in ("*", "&", "!") and "scanning" in context:
        hint = 'Quote a pattern that begins with *, as in "*.bias".' if begin.character == "*" else QUOTE
        return begin.told(f"a text cannot begin with {begin.character}", hint)
    if "could not find expected ':'" in problem:
        return begin.told("there is no colon behind this key", "A line of a mapping is: name, colon, space, value.")
    if "mapping values are not allowed" in problem:
        return _second_colon(stop)
    if "flow" in context:
        return _bracket(begin, stop)
    if "block" in context or "document start" in problem:
        return _block(stop, problem)
    return stop.told(f"this is not YAML: {problem or context}", "Quote text that has : # or brackets in it.")


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place in the text, and what stands around it."""

    lines: Sequence[str]
    line: int
    column: int

    @property
    def text(self) -> str:
        """The line."""
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def character(self) -> str:
        """The character at the spot; empty at the end of the line."""
        return self.text[self.column : self.column + 1]

    @property
    def before(self) -> str:
        """The line up to the spot."""
        return self.text[: self.column]

    @property
    def above(self) -> _Spot:
        """Where the nearest line above that says something begins."""
        line = next((n for n in reversed(range(min(self.line, len(self.lines)))) if self.lines[n].strip()), 0)
        return _Spot(self.lines, line, _indent(self.lines[line])) if self.lines else self

    def told(self, message: str, hint: str) -> Misread:
        """A message about the spot."""
        return Misread(self.line, self.column, message, hint)


def _indent(line: str) -> int:
    """How many spaces a line begins with."""
    return len(line) - len(line.lstrip())


def _second_colon(stop: _Spot) -> Misread:
    """A key where none can stand."""
    above = stop.above
    if tight := _TIGHT.match(above.text):
        hint = f"Put a space behind it: {tight[1]}: ..."
        return _Spot(stop.lines, above.line, tight.end() - 2).told("a colon without a space behind it", hint)
    if re.search(r":\s", stop.before) or above.line == stop.line:
        return stop.told("a second colon in one line", "Quote text that contains ': '.")
    if _indent(stop.text) > above.column:
        begin = _Spot(stop.lines, stop.line, _indent(stop.text))
        return begin.told(*_columns(begin))
    return stop.told("a colon where no key can stand", "Quote text that contains ': '.")


def _columns(begin: _Spot) -> tuple[str, str]:
    """What is said of lines of one mapping that do not begin below each other."""
    text = f"this line begins in column {begin.column + 1}, the line above it in column {begin.above.column + 1}"
    return text, COLUMNS


def _bracket(begin: _Spot, stop: _Spot) -> Misread:
    """Something in a list or mapping in brackets that ends neither an entry nor the whole."""
    opening = begin.character if begin.character in CLOSING else "["
    closing = CLOSING[opening]
    if stop.line > begin.line or not stop.character:
        hint = f"Close it with {closing}"
        return begin.told(f"a {opening} that is never closed", hint)
    if stop.character == "{" and stop.before.endswith("$"):
        return stop.told("${ } is not part of the language", "Write $name, or $(expression).")
    if stop.character in CLOSING:
        hint = "Quote the text: inside [ ] and { }, brackets mean lists and mappings."
        return stop.told(f"a {stop.character} inside a text", hint)
    if stop.character in CLOSING.values():
        return stop.told(f"a {opening} is closed by {stop.character}", f"Close it with {closing}")
    hint = "Inside [ ] and { }, text with a comma, a colon or a bracket must be quoted."
    return stop.told(f"a comma or {closing} is expected here", hint)


def _behind(stop: _Spot) -> str:
    """What to write for text behind a list, a mapping or a text in quotes."""
    opening = re.search(r"(?:^|: |- )([\[{\"'])", stop.before)
    if not opening or opening[1] in "\"'":
        return "Put quotes around the whole value."
    value = stop.before[opening.start(1) :].strip()
    behind = stop.text[stop.column :].partition(" #")[0].strip()
    if condition := re.fullmatch(r"when (.+)", behind):
        said = condition[1] if not re.search(r"[][{},:#&*!|>'\"%@`]", condition[1]) else f'"{condition[1]}"'
        return f"Write it long: {{when: {said}, layers: {value}}}"
    if times := re.fullmatch(r"(?:x|\*)\s*(\d+|\$\w+)", behind):
        return f"Write it long: {{repeat: {times[1]}, layers: {value}}}"
    return "One value stands here. What follows it is another item of a list, on a line and behind a - of its own."


def _block(stop: _Spot, problem: str) -> Misread:
    """A line that belongs to no block above it."""
    if stop.character in ("]", "}"):
        return stop.told(f"a {stop.character} that closes nothing", "Remove it.")
    if stop.before.strip():
        return stop.told("text behind a value that is complete", _behind(stop))
    above, is_item = stop.above, stop.text.lstrip().startswith("- ")
    if above.column != stop.column:
        return stop.told(*_columns(stop))
    if is_item:
        return stop.told("an item of a list among the keys of a mapping", "Write it as the others: name, colon, row.")
    return stop.told("a key among the items of a list", f"Write it as the others: - {stop.text.strip()}")
