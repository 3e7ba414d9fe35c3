"""Measures a network on data: the loss and the metrics, exact over all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import nn

from netspec.errors import At, Problem, SpecError
from netspec.layers.base import Misfit
from netspec.metrics.base import Counts, Metric
from netspec.runtime.data import Split
from netspec.runtime.objective import Objective, described, predictions

BATCH_BYTES: Final = 4 * 2**20
"""Inputs of a batch of evaluation, at most, unless the training batch is larger: beyond it no more speed is won."""


class Tally:
    """Adds up the counts of batches, on the device, and reads the values once at the end."""

    def __init__(self, objective: Objective, metrics: Sequence[Metric]) -> None:
        self.objective = objective
        self.metrics = metrics
        self.loss: Any = 0.0
        self.share: Any = 0
        self.counts: list[dict[str, Any]] = [{} for _ in metrics]

    def add(self, outputs: Any, target: torch.Tensor) -> None:
        """Take in one batch."""
        share = self.objective.loss.share(self.objective.module, target)
        loss = self.objective(outputs, target).double()
        self.loss = self.loss + (loss if self.objective.sums else loss * share)
        self.share = self.share + share
        scores = self.objective.scores(outputs) if self.metrics else None
        for metric, counts in zip(self.metrics, self.counts, strict=True):
            self._merge(metric, counts, metric.count(scores, target, self.objective.loss))

    def _merge(self, metric: Metric, counts: Counts, new: Counts) -> None:
        for name, value in new.items():
            if metric.gathers:
                counts.setdefault(name, []).append(value)
            else:
                counts[name] = counts[name] + value if name in counts else value

    def values(self) -> dict[str, Any]:
        """The loss and each metric by its label."""
        share = float(self.share)
        found: dict[str, Any] = {"loss": float(self.loss) / share if share else float("nan")}
        for metric, counts in zip(self.metrics, self.counts, strict=True):
            whole = {k: torch.cat(v) for k, v in counts.items()} if metric.gathers else counts
            found[metric.label] = metric.value(whole)
        return found


def evaluate(
    module: nn.Module,
    split: Split,
    objective: Objective,
    metrics: Sequence[Metric] = (),
    *,
    batch: int = 64,
    forward: Callable[..., Any] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """The loss and the metrics of `module` over a part of the data; None if `stopped` said so on the way.

    The module is in evaluation mode meanwhile, and no random number is drawn. `forward` is called
    in its place if given. Raises SpecError and DataError where outputs, targets and loss do not go together.
    """
    was_training = module.training
    module.eval()
    tally = Tally(objective, metrics)
    run = forward or module
    try:
        with torch.inference_mode():
            for number, (inputs, target) in enumerate(split.batches(batch_size(split, batch))):
                outputs = run(*inputs)
                if not number:
                    objective.check(outputs, target, {"given": split})
                    check_metrics(metrics, objective, outputs)
                tally.add(outputs, target)
                if stopped():
                    return None
            return tally.values()
    finally:
        module.train(was_training)


def batch_size(split: Split, batch: int) -> int:
    """Samples in a batch of evaluation: many where they are small, the training batch where they are large."""
    bytes_each = max(1, sum(4 * x[:1].numel() for x in split.inputs))
    return max(batch, min(1024, BATCH_BYTES // bytes_each))


def check_metrics(metrics: Sequence[Metric], objective: Objective, outputs: Any) -> None:
    """Refuse metrics that cannot measure what the loss compares. Raises SpecError."""
    problems = []
    prediction = described(predictions(outputs)[0])
    for place, metric in enumerate(metrics):
        try:
            metric.expect(objective.loss, prediction)
        except Misfit as misfit:
            text = f"{metric.label} {misfit.message}"
            problems.append(Problem(misfit.code, text, At(("train", "metrics", place)), misfit.hint))
    if problems:
        raise SpecError(problems)
