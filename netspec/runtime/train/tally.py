"""What is added up over batches: losses and the counts of metrics, exact over all of the data. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.fit import described
from netspec.errors import At, Problem
from netspec.lint.metric_target import MetricTarget, metric_of
from netspec.losses.base import Array
from netspec.metrics.base import Counts, Metric
from netspec.runtime.train.criterion import Comparison, Criterion, not_made
from netspec.tensors import Misfit
from netspec.text.report import SpecError

if TYPE_CHECKING:
    from netspec.runtime.arrays.data import ArrayPart
    from netspec.runtime.data.mixing import Target
    from netspec.runtime.data.split import Split
    from netspec.runtime.device.process_group import World

BATCH_BYTES: Final = 4 * 2**20
"""Inputs of a batch of evaluation, at most, unless the training batch is larger: beyond it no more speed is won."""

WIDTH: Final = 256
"""Numbers that a token or a category is taken for: an embedding makes as many of it."""


class Tally:
    """Adds up the counts of batches, on the device, and reads the values once at the end."""

    def __init__(self, objective: Comparison, metrics: Sequence[Metric]) -> None:
        self.objective = objective
        self.metrics = metrics
        self.measured: list[str] = []
        """The loss whose output each metric measures, by its name."""
        self.losses: dict[str, Any] = {}
        self.shares: dict[str, Any] = {}
        self.counts: list[dict[str, Any]] = [{} for _ in metrics]

    def add(self, outputs: Any, target: Target) -> None:
        """Take in one batch: what the network gave, and the target, both batch first and on the same device."""
        present = self.objective.present(outputs)
        self.measured = self.measured or measured(self.metrics, present)
        for criterion, given in present:
            whole = criterion.compared(given, outputs, target)
            for some, own in _pieces(given, whole):
                self._add_piece(criterion, some, own)

    def _add_piece(self, criterion: Criterion, given: Sequence[Array], own: Array) -> None:
        """Take in what one loss compares of a batch, or a stretch of its rows."""
        share = criterion.loss.share(criterion.module, own)
        loss = criterion(given, own).double()
        if not criterion.sums:
            loss = loss * share
            if not isinstance(share, int):  # a mean over nothing is 0/0, and counts nothing
                loss = loss.where(share > 0, 0)
        self._add(criterion.term.name, loss, share)
        scores = criterion.scores(given) if criterion.term.name in self.measured else None
        for metric, of, counts in zip(self.metrics, self.measured, self.counts, strict=True):
            if of == criterion.term.name:
                self._merge(metric, counts, metric.count(scores, own, criterion.loss))

    def exchange(self, world: World) -> None:
        """Add up what all processes have counted."""
        counts = [{k: _on_cpu(v) for k, v in whole.items()} for whole in self._gathered_counts()]
        sums = {name: (_on_cpu(self.losses[name]), _on_cpu(self.shares[name])) for name in self.losses}
        every = world.gathered((sums, counts))
        self.losses, self.shares, self.counts = {}, {}, [{} for _ in self.metrics]
        for found, others in every:
            for name, (loss, share) in found.items():
                self._add(name, loss, share)
            for metric, held, new in zip(self.metrics, self.counts, others, strict=True):
                self._merge(metric, held, new)

    def _add(self, name: str, loss: Any, share: Any) -> None:
        """Add a batch's loss, as a sum, and what it counts for in the mean."""
        self.losses[name] = self.losses.get(name, 0.0) + loss
        self.shares[name] = self.shares.get(name, 0) + share

    def _gathered_counts(self) -> list[Counts]:
        """The counts of each metric, with what was gathered in one piece."""
        pairs = zip(self.metrics, self.counts, strict=True)
        return [{k: self.objective.joined(v) for k, v in held.items()} if m.gathers else held for m, held in pairs]

    def _merge(self, metric: Metric, counts: Counts, new: Counts) -> None:
        """Take the counts of a batch into those of a metric: gathered in a list, or added up."""
        for name, value in new.items():
            if metric.gathers:
                counts.setdefault(name, []).append(value)
            else:
                counts[name] = counts[name] + value if name in counts else value

    def values(self) -> dict[str, Any]:
        """The loss, each of several losses, and each metric by its label."""
        means = {name: _mean(loss, float(self.shares[name])) for name, loss in self.losses.items()}
        if not means:
            return {}
        if self.objective.several:
            total = self.objective.total_of(means)
            found: dict[str, Any] = {"loss": total, **{f"{name}.loss": mean for name, mean in means.items()}}
        else:
            found = {"loss": means[""]}
        return found | {m.label: m.value(whole) for m, whole in zip(self.metrics, self._gathered_counts(), strict=True)}


def _pieces(given: Sequence[Array], target: Array) -> Iterable[tuple[Sequence[Array], Array]]:
    """What a loss compares, whole or, of scores that are not made yet, a stretch of rows at a time."""
    first = given[0]
    if not not_made(first):
        return [(given, target)]
    if target.is_floating_point():
        return [((first.whole(),), target)]
    return (((scores,), own) for scores, own in first.stretches(target))


def _mean(total: Any, share: float) -> float:
    """A sum over what it counts for; nan of nothing."""
    return float(total) / share if share else float("nan")


def _on_cpu(value: Any) -> Any:
    """A tensor on the CPU; anything else as it is."""
    return value.cpu() if hasattr(value, "cpu") else value


def batch_size(split: Split | ArrayPart, batch: int) -> int:
    """Samples in a batch of evaluation: many where they are small, the training batch where they are large."""
    bytes_each = max(1, sum(4 * prod(x.shape[1:]) * (WIDTH if "int64" in str(x.dtype) else 1) for x in split.inputs))
    return max(batch, min(1024, BATCH_BYTES // bytes_each))


def check_metrics(metrics: Sequence[Metric], objective: Comparison, outputs: Any) -> None:
    """Refuse metrics that cannot measure what a loss compares. Raises SpecError."""
    present = objective.present(outputs)
    named = dict(zip([criterion.term.name for criterion, _ in present], present, strict=True))
    problems = []
    for place, (metric, of) in enumerate(zip(metrics, measured(metrics, present), strict=True)):
        if of not in named:
            text = f"{metric.label} measures an output that the network gives in training only"
            problems.append(Problem(MetricTarget.code, text, At(("train", "metrics", of)), "Leave it out."))
            continue
        criterion, given = named[of]
        try:
            metric.expect(criterion.loss, described(given[0], open_batch=False))
        except Misfit as misfit:
            text = f"{metric.label} {misfit.message}"
            problems.append(Problem(MetricTarget.code, text, At(("train", "metrics", place)), misfit.hint))
    if problems:
        raise SpecError(problems)


def measured(metrics: Sequence[Metric], present: Sequence[tuple[Criterion, Sequence[Array]]]) -> list[str]:
    """Which loss's output each metric measures, by the loss's name: the one that it says, or that it can measure."""
    losses = [(c.term.name, c.loss, described(given[0], open_batch=False)) for c, given in present]
    return [metric_of(metric, losses) for metric in metrics]
