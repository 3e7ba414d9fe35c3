"""What is wrong with a network, gathered while it is expanded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from netspec.errors import At, Problem
from netspec.language.calls import Refused

MAX_STEPS: Final = 100_000


class TooLarge(Exception):
    """A network with too many steps, at which the walk ends."""

    def __init__(self, at: At) -> None:
        super().__init__(at)
        self.problem = Problem("too-large", f"the network has more than {MAX_STEPS:,} steps", at, "Repeat less.")


class Report:
    """Problems by what they say and where, the uses of blocks they stand in, and how much has been expanded."""

    def __init__(self) -> None:
        self.problems: dict[tuple[Any, ...], Problem] = {}
        self.used_at: list[At] = []
        self.steps = 0

    def add(self, problem: Problem) -> None:
        """Note a problem once, with the lines that used the block it stands in."""
        key = (problem.code, problem.at, problem.message)
        self.problems.setdefault(key, replace(problem, used_at=tuple(reversed(self.used_at))))

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Report what is refused inside."""
        try:
            yield
        except Refused as refused:
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

    def count(self, at: At) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooLarge(at)
