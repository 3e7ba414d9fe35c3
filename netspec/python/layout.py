"""Lines of Python that fit the page: one line where it fits, else broken where `ruff format` breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Final

from netspec.python import breaks

WIDTH: Final = 120
INDENT: Final = "    "


@dataclass(frozen=True, slots=True)
class Nested:
    """A call that may be broken over lines: `nn.Sequential(...)`."""

    head: str
    items: tuple[str | Nested, ...]
    tail: str = ")"

    def __str__(self) -> str:
        return f"{self.head}{', '.join(str(item) for item in self.items)}{self.tail}"


Expression = str | Nested


@dataclass(frozen=True, slots=True)
class Line:
    """A statement, or the head of one that holds others, and what a comment says of it."""

    code: str
    comment: str = ""
    depth: int = 0

    @property
    def deeper(self) -> Line:
        """The same inside another statement."""
        return replace(self, depth=self.depth + 1)

    def lines(self, depth: int) -> list[str]:
        """The lines that it takes at an indent of `depth`; a comment that does not fit behind it stands above."""
        depth += self.depth
        found = _statement(self.code, depth)
        if not self.comment:
            return found
        if len(last := f"{found[-1]}  # {self.comment}") <= WIDTH:
            return [*found[:-1], last]
        indent = f"{INDENT * depth}# "
        above = wrap(self.comment, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
        return [*above, *found]


def lines(prefix: str, expression: Expression, depth: int, suffix: str = "") -> list[str]:
    """`prefix` and `expression` as lines at an indent of `depth`."""
    whole = f"{INDENT * depth}{prefix}{expression}{suffix}"
    if isinstance(expression, Nested):
        fits = len(whole) <= WIDTH and not _has_rows(expression)
        return [whole] if fits or not expression.items else _opened(prefix, expression, depth, suffix)
    if len(whole) <= WIDTH:
        return [whole]
    parts = breaks.parts(expression)
    nested = _nested(expression, WIDTH - len(INDENT * depth + prefix), last=len(parts) == 2)
    if nested and len(parts) < 3:
        return _opened(prefix, nested, depth, suffix)
    if len(parts) == 1 and len(f"{INDENT * (depth + 1)}{expression}") > WIDTH:
        return _forced(prefix, expression, depth, suffix)
    return [f"{INDENT * depth}{prefix}(", *_enclosed(expression, depth + 1), f"{INDENT * depth}){suffix}"]


def _statement(code: str, depth: int) -> list[str]:
    """The lines of a statement."""
    if len(INDENT * depth + code) <= WIDTH:
        return [f"{INDENT * depth}{code}"]
    target, equals, value = breaks.assignment(code)
    if equals:
        names, room = tuple(breaks.items(target)), WIDTH - len(f"{INDENT * depth}{target} = ")
        shut = len(names) > 1 or not breaks.groups(target)
        if room > 0 and (shut or _nested(value, room)):
            return lines(f"{target} = ", value, depth)
        opened = _opened("", Nested("(", names), depth, " = ") if len(names) > 1 else _forced("", target, depth, " = ")
        return [*opened[:-1], *lines(opened[-1].lstrip(), value, depth)]
    word, space, rest = code.partition(" ")
    if word == "def":
        return _opened("", _read(code, breaks.groups(code)[0]), depth)
    if word in ("if", "elif", "for"):
        return lines(word + space, rest.removesuffix(":"), depth, ":")
    if word == "return" and len(values := breaks.items(rest)) > 1:
        return _opened("return ", Nested("(", tuple(values)), depth)
    return lines("return ", rest, depth) if word == "return" else lines("", code, depth)


def _opened(prefix: str, expression: Nested, depth: int, suffix: str = "") -> list[str]:
    """The expression with each of its items on lines of its own."""
    found = [f"{INDENT * depth}{prefix}{expression.head}"]
    comma = "," if len(expression.items) > 1 else ""
    for item in expression.items:
        if isinstance(item, str):
            found += _enclosed(item, depth + 1, comma)
        else:
            found += lines("", item, depth + 1, comma)
    return [*found, f"{INDENT * depth}{expression.tail}{suffix}"]


def _enclosed(expression: str, depth: int, suffix: str = "") -> list[str]:
    """The lines of an expression in brackets, where it may go on in the next line."""
    whole = f"{INDENT * depth}{expression}{suffix}"
    parts = breaks.parts(expression)
    if len(whole) <= WIDTH:
        return [whole]
    if len(parts) > 1:
        *first, last = parts
        return [*(line for part in first for line in _enclosed(part, depth)), *_enclosed(last, depth, suffix)]
    nested = _nested(expression, WIDTH - len(INDENT * depth))
    return _opened("", nested, depth, suffix) if nested else _forced("", expression, depth, suffix)


def _forced(prefix: str, expression: str, depth: int, suffix: str) -> list[str]:
    """The expression opened at its last brackets, though the line is too long even so."""
    groups = breaks.groups(expression)
    nested = _read(expression, groups[-1]) if groups else Nested(expression, (), "")
    if nested.items:
        return _opened(prefix, nested, depth, suffix)
    return [f"{INDENT * depth}{prefix}{expression}{suffix}"]


def _nested(expression: str, room: int, last: bool = False) -> Nested | None:
    """The expression, to be opened at the first brackets for which there is no room; if `last`, only behind all else.

    None if the line would be too long even so.
    """
    groups = breaks.groups(expression)
    ends = [*(start + 1 for start, _ in groups[1:]), len(expression) + 1]
    group = next((group for group, end in zip(groups, ends, strict=False) if end > room), None)
    if group is None or group[0] >= room or (last and group[1] + 1 != len(expression)):
        return None
    nested = _read(expression, group)
    return nested if nested.items else None


def _read(expression: str, group: tuple[int, int]) -> Nested:
    start, end = group
    return Nested(expression[: start + 1], tuple(breaks.items(expression[start + 1 : end])), expression[end:])


def _has_rows(expression: Nested) -> bool:
    """Whether its items are read one by one: many of them, or some that have items themselves."""
    count = len(expression.items)
    return count > 3 or (count > 2 and any(isinstance(item, Nested) for item in expression.items))


def repeated(items: Sequence[Expression]) -> list[Expression]:
    """Three or more equal members in a row as a comprehension; others as they are."""
    found: list[Expression] = []
    at = 0
    while at < len(items):
        count = 1
        while at + count < len(items) and str(items[at + count]) == str(items[at]):
            count += 1
        if count > 2 and len(items[at:]) >= count and not isinstance(items[at], Nested):
            found.append(f"*[{items[at]} for _ in range({count})]")
        else:
            found += [items[at]] * count
        at += count
    return found
