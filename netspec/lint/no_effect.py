"""Steps whose results nobody uses."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class NoEffect(Rule):
    """What is computed reaches an output.

    A branch that ends nowhere costs time and memory, its parameters are never trained, and it usually means that a
    merge names the wrong step.
    """

    code = "no-effect"
    severity = "warning"
    example = """\
input: 8
layers:
  a: fc 8
  b: fc(in) 4
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        given = {maker for value in facts.results for maker in facts.flow.makers(value)}
        for step, users in facts.flow.users.items():
            if users or step in given or step.op is None:
                continue
            if not step.op.source or step.parameters():
                yield self.problem(f"{step.name} reaches no output", step.at, "Use it, name it in outputs, or drop it.")
