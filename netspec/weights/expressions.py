"""Regular expressions whose matching takes time in proportion to the text: none can be made to take for ever.

Python's own `re` goes back and tries again, and `(a+)+b` does so 2^n times on n letters. An expression is a small
program here, of which no instruction is run twice at one place of the text: enough for whatever captures parts of
names, without references back, looking ahead and flags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 200
"""Characters of an expression, at most."""
LARGEST: Final = 1_000
"""Instructions of its program, at most: counts such as {3,50} write what they count so many times."""
CLASSES: Final[dict[str, Callable[[str], bool]]] = {
    "d": lambda c: "0" <= c <= "9",
    "w": lambda c: c == "_" or c.isalnum(),
    "s": str.isspace,
    "D": lambda c: not "0" <= c <= "9",
    "W": lambda c: not (c == "_" or c.isalnum()),
    "S": lambda c: not c.isspace(),
}
Instruction = tuple[Any, ...]
"""("char", test), ("split", first, then), ("go", to), ("save", number), ("end",), ("edge",) or ("match",)."""


class NoExpression(ValueError):
    """A text that is no expression; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, ready to be held against texts from their beginning."""

    program: tuple[Instruction, ...]
    groups: int

    def match(self, text: str) -> tuple[int, list[str]] | None:
        """Where the match from the beginning of a text ends, and what each group has, the whole first; None without."""
        stack: list[tuple[int, int, tuple[int, ...]]] = [(0, 0, (-1,) * (2 * self.groups + 2))]
        seen: set[tuple[int, int]] = set()
        while stack:
            at, place, saved = stack.pop()
            if (at, place) in seen:
                continue
            seen.add((at, place))
            match self.program[at]:
                case ("char", test):
                    if place < len(text) and test(text[place]):
                        stack.append((at + 1, place + 1, saved))
                case ("split", first, then):
                    stack += [(then, place, saved), (first, place, saved)]
                case ("go", to):
                    stack.append((to, place, saved))
                case ("save", number):
                    stack.append((at + 1, place, (*saved[:number], place, *saved[number + 1 :])))
                case ("end",):
                    if place == len(text):
                        stack.append((at + 1, place, saved))
                case ("edge",):
                    if place == len(text) or text[place] == ".":
                        stack.append((at + 1, place, saved))
                case ("match",):
                    spans = [(saved[2 * i], saved[2 * i + 1]) for i in range(1, self.groups + 1)]
                    return place, [text[:place], *(text[a:b] if a >= 0 else "" for a, b in spans)]
        return None


def expression(text: str, *, edge: bool = False) -> Expression:
    """The expression that a text writes; with `edge` it ends where the text or a part before a dot does.

    Raises NoExpression.
    """
    if len(text) > LONGEST:
        raise NoExpression(f"it has {len(text)} characters, at most {LONGEST} are read")
    parser = _Parser(text)
    tree = parser.either()
    if parser.place < len(text):
        raise NoExpression("a ) closes nothing")
    program: list[Instruction] = []
    _emit(tree, program)
    return Expression((*program, *([("edge",)] if edge else []), ("match",)), parser.groups)


@dataclass(slots=True)
class _Parser:
    """Reads an expression into a tree of lists: ["either", ...], ["all", ...], ["char", test], ["times", ...], ..."""

    text: str
    place: int = 0
    groups: int = 0

    def either(self) -> list[Any]:
        """Alternatives, with bars between them."""
        parts = [self.all()]
        while self.next("|"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else ["either", *parts]

    def all(self) -> list[Any]:
        """Parts in a row, up to a bar or the end of the group."""
        parts: list[Any] = ["all"]
        while self.place < len(self.text) and self.text[self.place] not in "|)":
            parts.append(self.times(self.one()))
        return parts

    def next(self, word: str) -> bool:
        """Whether `word` comes next, which is then read."""
        there = self.text.startswith(word, self.place)
        self.place += len(word) * there
        return there

    def take(self) -> str:
        """The next character. Raises NoExpression at the end."""
        if self.place == len(self.text):
            raise NoExpression("it ends too early")
        self.place += 1
        return self.text[self.place - 1]

    def one(self) -> list[Any]:
        """One part: a character, a set, a group or a place."""
        c = self.take()
        if c == "(":
            return self.group()
        if c == "[":
            return ["char", self.set()]
        if c == ".":
            return ["char", lambda _: True]
        if c == "^" and self.place == 1:
            return ["all"]
        if c == "$":
            return ["end"]
        if c in "*+?{^":
            raise NoExpression(f"{c} stands behind nothing" if c != "^" else "^ stands at the beginning alone")
        return ["char", self.escaped() if c == "\\" else c.__eq__]

    def escaped(self) -> Callable[[str], bool]:
        """The test of a character behind a backslash. Raises NoExpression."""
        c = self.take()
        if c.isalnum() and c not in CLASSES:
            raise NoExpression(f"\\{c} is not known; there are \\d, \\w, \\s, \\D, \\W and \\S")
        return CLASSES.get(c, c.__eq__)

    def group(self) -> list[Any]:
        """What stands in brackets; counted, unless it begins with ?:."""
        if self.next("?:"):
            number = 0
        elif self.next("?"):
            raise NoExpression("of (?...) there is only (?:...), a group that is not counted")
        else:
            self.groups += 1
            number = self.groups
        inner = self.either()
        if not self.next(")"):
            raise NoExpression("a ( is not closed")
        return ["group", number, inner] if number else inner

    def set(self) -> Callable[[str], bool]:
        """The test of a set, `[a-z_]`, which ^ turns around."""
        turned = self.next("^")
        tests: list[Callable[[str], bool]] = []
        while not (tests and self.next("]")):
            c = self.take()
            if c == "\\":
                tests.append(self.escaped())
            elif (more := self.text[self.place : self.place + 2]).startswith("-") and more[1:] not in ("", "]"):
                self.place += 1
                tests.append(_between(c, self.take()))
            else:
                tests.append(c.__eq__)
        return lambda c: any(test(c) is True for test in tests) is not turned

    def times(self, one: list[Any]) -> list[Any]:
        """A part as often as what follows it says: `*`, `+`, `?` or `{2,3}`."""
        least, most = 1, 1
        if self.next("*"):
            least, most = 0, -1
        elif self.next("+"):
            least, most = 1, -1
        elif self.next("?"):
            least, most = 0, 1
        elif self.next("{"):
            least, most = self.counts()
        else:
            return one
        lazy = self.next("?")
        if self.place < len(self.text) and self.text[self.place] in "*+{":
            raise NoExpression(f"{self.text[self.place]} stands behind another count")
        return ["times", least, most, lazy, one]

    def counts(self) -> tuple[int, int]:
        """The least and the most of `{2,3}`; -1 is any number. Raises NoExpression."""
        words = ""
        while not self.next("}"):
            words += self.take()
        least, comma, most = words.partition(",")
        digits = least.isdecimal() and (not most or most.isdecimal()) and len(words) < 8
        if not digits or (most and int(most) < int(least)):
            raise NoExpression(f"{{{words}}} is no count, such as {{2}} or {{2,4}}")
        return int(least), (int(most) if most else -1) if comma else int(least)


def _between(first: str, last: str) -> Callable[[str], bool]:
    """The test of a range, `a-z`. Raises NoExpression for one from back to front."""
    if first > last:
        raise NoExpression(f"[{first}-{last}] holds nothing")
    return lambda c: first <= c <= last


def _emit(tree: list[Any], program: list[Instruction]) -> None:
    """Write the instructions of a tree. Raises NoExpression where there are too many."""
    if len(program) > LARGEST:
        raise NoExpression(f"it counts up to more than {LARGEST} characters")
    match tree:
        case ["all", *parts]:
            for part in parts:
                _emit(part, program)
        case ["char" | "end", *_]:
            program.append(tuple(tree))
        case ["group", number, inner]:
            program.append(("save", 2 * number))
            _emit(inner, program)
            program.append(("save", 2 * number + 1))
        case ["either", *parts]:
            ends = []
            for part in parts[:-1]:
                split = len(program)
                program.append(())
                _emit(part, program)
                ends.append(len(program))
                program.append(())
                program[split] = ("split", split + 1, len(program))
            _emit(parts[-1], program)
            for end in ends:
                program[end] = ("go", len(program))
        case ["times", least, most, lazy, one]:
            for _ in range(least):
                _emit(one, program)
            for _ in range(1 if most < 0 else most - least):
                split = len(program)
                program.append(())
                _emit(one, program)
                if most < 0:
                    program.append(("go", split))
                ways = (split + 1, len(program))
                program[split] = ("split", *(reversed(ways) if lazy else ways))
