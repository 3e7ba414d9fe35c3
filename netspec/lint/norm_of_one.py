"""A batch norm over a single number."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import product
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule
from netspec.lint.bias_before_norm import BY_CHANNEL


class NormOfOne(Rule):
    """A batch norm sees more than one number of each channel in every batch.

    Of one number the variance is 0, and torch ends the run: at once where a batch is one sample, and at the last
    batch of the first epoch where the samples do not come out even.
    """

    code = "norm-of-one"
    stage = "training"
    example = """\
input: 1x8x8
layers: [conv 4 k3, gap, bn, fc 10]
data: digits
train: {loss: ce, optimizer: adam, batch: 1}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.train is None:
            return
        batch, count = facts.train.batch, facts.data.trained_on() if facts.data else None
        rest = count % batch if count is not None else 0
        if batch != 1 and rest != 1:
            return
        for step in facts.flow.steps:
            normalises = step.op is not None and step.op.normalises in BY_CHANNEL
            tensor = step.inputs[0].tensor if normalises else None
            if tensor is None or product(tensor.shape[2:]) != 1:
                continue
            if facts.graph.weights.hold(step.path, step.parameters()):
                continue
            which = "a batch is one sample" if batch == 1 else f"the last batch of {count:,} samples is a single one"
            text = f"{step.told} normalises one number of each channel: {which}"
            yield self.problem(text, step.at, "Change train.batch.")
