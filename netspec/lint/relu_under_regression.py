"""A network that can only give numbers of at least 0."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class ReluUnderRegression(Rule):
    """A network that is trained to give numbers does not end with a ReLU.

    It could give no negative number, and where it should give 0 its gradient is 0 too, so it may never learn again.
    """

    code = "relu-under-regression"
    severity = "warning"
    stage = "training"
    example = """\
input: 8
layers: [fc 1, relu]
train: {loss: mse, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for compared in facts.comparisons:
            for last in compared.ends[:1] if compared.loss.regression else ():
                if last.op is None or not last.op.at_least_0:
                    continue
                text = f"{last.told} is the last to change what {compared.loss.said} compares"
                yield self.problem(
                    text, compared.place(last), "Leave it out; where only numbers above 0 make sense, take softplus."
                )
