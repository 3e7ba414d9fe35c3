"""Dropout before a batch norm."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule
from netspec.lint.flow import dropping


class DropoutBeforeNorm(Rule):
    """Dropout does not come right before a batch norm.

    Dropout changes the variance in training and not in use, so the norm's running variance, measured in training, is
    wrong for everything that the network is used for (Li et al., 2019).
    """

    code = "dropout-before-norm"
    severity = "warning"
    about = ("drops",)
    example = """\
input: 3x8x8
layers: [conv 4 k3 nobias, dropout 0.1, bn]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            if step.op is None or step.op.normalises != "batch":
                continue
            before = facts.flow.through(facts.flow.before(step), dropping=False)
            if before is not None and dropping(before):
                text = f"{step.told} measures what {before.told} leaves in training, which is not what use gives it"
                yield self.problem(text, step.at, "Put the dropout behind the norm.")
