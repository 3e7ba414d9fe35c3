"""Lines of Python that fit the page: one line where it fits, else one argument a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 100
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Nested:
    """A call that may be broken over lines: `nn.Sequential(...)`."""

    head: str
    items: tuple[str | Nested, ...]
    tail: str = ")"

    def __str__(self) -> str:
        return f"{self.head}{', '.join(str(item) for item in self.items)}{self.tail}"


Expression = str | Nested


def lines(prefix: str, expression: Expression, depth: int, suffix: str = "") -> list[str]:
    """`prefix` and `expression` as lines at an indent of `depth`."""
    whole = f"{INDENT * depth}{prefix}{expression}{suffix}"
    if isinstance(expression, str) or not expression.items or (len(whole) <= WIDTH and not _has_rows(expression)):
        return [whole]
    found = [f"{INDENT * depth}{prefix}{expression.head}"]
    for item in expression.items:
        found += lines("", item, depth + 1, ",")
    return [*found, f"{INDENT * depth}{expression.tail}{suffix}"]


def _has_rows(expression: Nested) -> bool:
    """Whether some argument is itself long enough to stand on a line of its own."""
    return len(expression.items) > 2 and sum(isinstance(i, Nested) for i in expression.items) > 0


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
