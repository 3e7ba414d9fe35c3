"""Metrics against the loss's target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.losses.base import Loss
from netspec.metrics.base import Metric, OfOutput
from netspec.tensors import Misfit, Tensor
from netspec.words import listed


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
        held = {each.term.name: each for each in facts.measured_comparisons if each.predictions}
        losses = [(name, each.loss, (each.predictions or [])[0]) for name, each in held.items()]
        several = len(facts.train.terms) > 1 if facts.train is not None else False
        for place, metric in enumerate(facts.train.metrics if facts.train is not None else ()):
            at = At(("train", "metrics", metric.of if isinstance(metric, OfOutput) else place))
            if not isinstance(metric, OfOutput) and several and (text := _ambiguous(metric, losses)):
                yield self.problem(f"{metric.label} {text}", at, f"Say of which: metrics: {{{losses[0][0]}: ...}}")
            elif (of := metric_of(metric, losses)) in held:
                try:
                    metric.expect(held[of].loss, (held[of].predictions or [])[0])
                except Misfit as misfit:
                    yield self.problem(f"{metric.label} {misfit.message}", at, misfit.hint)
            elif isinstance(metric, OfOutput) and metric.of in [each.term.name for each in facts.comparisons]:
                text = f"{metric.label} measures an output that the network gives in training only"
                yield self.problem(text, at, "Leave it out: only its loss is told, as it is in training.")


def metric_of(metric: Metric, losses: Sequence[tuple[str, Loss, Tensor]]) -> str:
    """The loss whose output a metric measures: the one that it names, else the first that it can measure.

    `losses` are those by name, each with the first output that it takes.
    """
    if isinstance(metric, OfOutput):
        return metric.of
    return next(iter(_fitting(metric, losses)), losses[0][0] if losses else "")


def _ambiguous(metric: Metric, losses: Sequence[tuple[str, Loss, Tensor]]) -> str:
    """Why it cannot be told what a metric of several losses measures; nothing where it can."""
    found = _fitting(metric, losses)
    return f"may measure {listed(found)}" if len(found) > 1 else ""


def _fitting(metric: Metric, losses: Sequence[tuple[str, Loss, Tensor]]) -> list[str]:
    """The losses, by name, whose outputs a metric can measure."""
    found = []
    for name, loss, prediction in losses:
        with suppress(Misfit):
            metric.expect(loss, prediction)
            found.append(name)
    return found
