"""Two linear layers with nothing between them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class LinearIntoLinear(Rule):
    """Between two linear layers stands something that is not linear.

    Without it the two compute no more than one could, since a product of matrices is a matrix; dropout, reshaping and
    identity change nothing about that. An activation was forgotten, unless the narrow middle is meant. What is between
    them may be used by others too, as where it goes on beside an attention.
    """

    code = "linear-into-linear"
    severity = "warning"
    about = ("multiplies",)
    example = """\
input: 8
layers: [fc 4, dropout 0.1, fc 2]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            if step.op is None or not step.op.multiplies:
                continue
            before = facts.flow.through(facts.flow.before(step))
            if before is None or before.op is None or not before.op.multiplies:
                continue
            if all(user.op and (user.op.multiplies or user.op.keeps_numbers) for user in facts.flow.users[before]):
                text = f"{step.told} follows {before.told}, and together they compute no more than one linear layer"
                yield self.problem(text, step.at, "Put an activation between them.")
