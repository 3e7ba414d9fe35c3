"""What is wrong with a network, gathered while it is expanded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NoReturn

from netspec.errors import At, Problem
from netspec.language.refusals import Refused

MAX_STEPS: Final = 20_000
"""How many steps, levels and rounds a network may have, with those that are left out."""
MAX_NAMED: Final = 200_000
"""How many values its steps may take, all together."""


MAX_COMPARED: Final = 2_000_000
"""How many names patterns are compared with."""


class Stopped(Exception):
    """The walk has ended at a problem after which there is no end in sight."""


class Report:
    """Problems by what they say and where, the uses of blocks they stand in, and how much has been expanded."""

    def __init__(self) -> None:
        self.problems: dict[tuple[Any, ...], Problem] = {}
        self.used_at: list[At] = []
        self.steps = 0
        self.named = 0
        self.compared = 0

    def add(self, problem: Problem) -> None:
        """Note a problem once, with the lines that used the block it stands in."""
        key = (problem.code, problem.at, problem.message)
        if key not in self.problems:
            self.problems[key] = replace(problem, used_at=tuple(reversed(self.used_at)))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Report what is refused inside."""
        try:
            yield
        except Refused as refused:
            self.take(refused)

    def take(self, refused: Refused) -> None:
        """Report what was refused."""
        for problem in refused.problems:
            self.add(problem)

    @contextmanager
    def using(self, at: At) -> Iterator[None]:
        """What is reported inside stands in a block that is used at `at`."""
        self.used_at.append(at)
        try:
            yield
        finally:
            self.used_at.pop()

    def count(self, at: At, count: int = 1) -> None:
        """Count steps, levels and rounds, also those that a `when` leaves out. Raises Stopped after too many."""
        self.steps += count
        if self.steps > MAX_STEPS:
            self.stop(Problem("too-large", f"the network has more than {MAX_STEPS:,} steps", at, "Repeat less."))

    def count_named(self, count: int, at: At) -> None:
        """Count the values that a step takes. Raises Stopped after too many."""
        self.named += count
        if self.named > MAX_NAMED:
            text = f"the steps of the network take more than {MAX_NAMED:,} values"
            self.stop(Problem("too-large", text, at, "Repeat less, or name fewer values in each step."))

    def affords(self, patterns: int, names: int, at: At) -> bool:
        """Whether so many patterns can be compared with so many names; where not, that is a problem."""
        problem = too_many(patterns, names, at, self.compared)
        if problem is not None:
            self.add(problem)
            return False
        self.compared += patterns * names
        return True

    def stop(self, problem: Problem) -> NoReturn:
        """Note the problem that ends the walk. Raises Stopped."""
        self.add(problem)
        raise Stopped


def too_many(patterns: int, names: int, at: At, before: int = 0) -> Problem | None:
    """The problem of patterns that would be compared with more names than MAX_COMPARED, after others `before`."""
    if before + patterns * names <= MAX_COMPARED:
        return None
    text = f"{patterns:,} patterns over {names:,} names are more than {MAX_COMPARED:,} comparisons"
    return Problem("too-large", text, at, "Write fewer patterns, as in layer1.*, each for many names.")
