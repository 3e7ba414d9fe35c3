"""Steps whose results nobody uses."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class NoEffect(Rule):
    """What is computed reaches an output.

    A branch that ends nowhere costs time and memory, its parameters are never trained, and it usually means that a
    merge names the wrong step. A parameter that others are tied to is used by them.
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
            own = {f"{step.path}.{name}" if name else step.path for name in step.parameters()}
            if (own or not step.op.source) and not own & {*facts.graph.ties.values()}:
                yield self.problem(f"{step.told} reaches no output", step.at, "Use it, name it in outputs, or drop it.")
