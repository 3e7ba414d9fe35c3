"""A network that can only give numbers of at least 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

REGRESSIONS: Final = frozenset({"MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "GaussianNLLLoss"})


class ReluUnderRegression(Rule):
    """A network that is trained to give numbers does not end with a ReLU.

    It could give no negative number, and where it should give 0 its gradient is 0 too, so it may never learn again.
    """

    code = "relu-under-regression"
    severity = "warning"
    example = """\
input: 8
layers: [fc 1, relu]
train: {loss: mse, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.train is None or type(facts.train.loss).__name__ not in REGRESSIONS:
            return
        for last in facts.ends[:1]:
            if type(last.op).__name__ in ("ReLU", "ReLU6"):
                text = f"{last.name} is the last to change what {type(facts.train.loss).__name__} compares"
                yield self.problem(text, last.at, "Leave it out; where only numbers above 0 make sense, take softplus.")
