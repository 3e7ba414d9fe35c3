"""Metrics against the loss's target."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.tensors import Misfit


class MetricTarget(Rule):
    """Every metric can measure the target of the loss.

    Accuracy of numbers, or a mean error of classes, would be computed and would mean nothing.
    """

    code = "metric-target"
    stage = "experiment"
    example = """\
input: 3
layers: [fc 1]
train: {loss: mse, optimizer: sgd lr=0.01, metrics: [accuracy]}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.train is None or not facts.predictions:
            return
        for place, metric in enumerate(facts.train.metrics):
            try:
                metric.expect(facts.train.loss, facts.predictions[0])
            except Misfit as misfit:
                at = At(("train", "metrics", place))
                yield self.problem(f"{metric.label} {misfit.message}", at, misfit.hint)
