"""Rules that give a file's tensors other names: `layer*: body.layer$1`, `module: ""`, `layer(.*): body.layer$1`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netspec.errors import At
from netspec.weights.expressions import Expression, NoExpression, expression
from netspec.weights.patterns import WILD

PART: Final = re.compile(r"\$(?:(\d{1,3})|\{(\d{1,3})\})|\\(\d)")
"""How what a rule puts there refers to what a part of its pattern stands for."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """A rule. What its pattern matches from the beginning of a name is replaced, and the rest of the name stays."""

    pattern: str
    put: tuple[str | int, ...]
    """Text, and the numbers of the pattern's parts."""
    expression: Expression
    at: At

    @property
    def strips(self) -> bool:
        """Whether it takes the beginning of a name away."""
        return not self.put

    def __call__(self, name: str) -> str | None:
        """The name that the rule makes of another; None where it has nothing to do with it."""
        found = self.expression.match(name)
        if found is None:
            return None
        end, parts = found
        made = "".join(parts[piece] if isinstance(piece, int) else piece for piece in self.put)
        return f"{made}{name[end:]}".removeprefix("." * self.strips)


def renaming(pattern: str, put: str, at: At) -> Renaming:
    """The rule that a line of `rename` writes. Raises NoExpression.

    A pattern with a parenthesis or a backslash is a regular expression. In any other a dot is a dot, and * ? and
    [...] are parts that $1, $2 and so on stand for; it ends where a name does, or a part of one.
    """
    if "(" in pattern or "\\" in pattern:
        made = expression(pattern)
    else:
        made = expression(_opened(pattern), edge=not pattern.endswith("."))
    pieces: list[str | int] = []
    place = 0
    for match in PART.finditer(put):
        number = int(next(group for group in match.groups() if group is not None))
        if number > made.groups:
            raise NoExpression(f"{match[0]} is put there, and the pattern has {made.groups} parts that are captured")
        pieces += [put[place : match.start()], number]
        place = match.end()
    return Renaming(pattern, tuple(piece for piece in (*pieces, put[place:]) if piece != ""), made, at)


def _opened(pattern: str) -> str:
    """A pattern of names as a regular expression that captures its open parts."""
    found = ""
    while pattern:
        c, pattern = pattern[0], pattern[1:]
        if c == "[" and "]" in pattern[1:]:
            end = pattern.index("]", 1)
            inner = pattern[:end].replace("\\", "\\\\")
            found += f"([{'^' + inner[1:] if inner.startswith('!') else inner}])"
            pattern = pattern[end + 1 :]
        elif c in WILD - {"["}:
            found += "(.*)" if c == "*" else "(.)"
        else:
            found += c if c.isalnum() else f"\\{c}"
    return found


def renamed(name: str, rules: Sequence[Renaming]) -> tuple[str, list[Renaming]]:
    """The name that a file's tensor gets, and the rules that gave it.

    Rules that take a beginning away come first, each once; of the others the first that matches holds.
    """
    used = []
    for rule in (rule for rule in rules if rule.strips):
        if (made := rule(name)) is not None:
            name = made
            used.append(rule)
    for rule in (rule for rule in rules if not rule.strips):
        if (made := rule(name)) is not None:
            return made, [*used, rule]
    return name, used
