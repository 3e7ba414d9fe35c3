"""Overwriting a value that others still read."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class InplaceShared(Rule):
    """What overwrites its input is the last to use it.

    Whoever reads the value afterwards gets the overwritten one: a residual then adds what it should have passed by.
    """

    code = "inplace-shared"
    severity = "warning"
    about = ("inplace",)
    example = """\
input: 8
layers:
  a: fc 8
  b: relu inplace
  c: add(b a)
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        flow = facts.flow
        for step in flow.steps:
            before = flow.before(step) if getattr(step.op, "inplace", False) else None
            late = [u for u in flow.users[before] if u is not step and flow.later(u, step)] if before else []
            if before is not None and late:
                text = f"{step.told} overwrites {before.told}, which {late[0].told} reads afterwards"
                yield self.problem(text, step.at, "Drop inplace.")
