"""Refusals: what cannot be read, with every problem that says why."""

from __future__ import annotations

from netspec.errors import Problem


class Refused(Exception):
    """Arguments that do not make an entry; `problems` holds every reason."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems


class Unknown(Refused):
    """A value that an earlier problem left unknown, of which there is no more to say."""
