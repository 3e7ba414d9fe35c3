"""Measures of the scores themselves, not only of the choice they lead to."""

from __future__ import annotations

from math import exp, inf, nan
from typing import Any

from netspec.losses.base import Array, Loss
from netspec.metrics.base import Counts, Metric


class RocAuc(Metric):
    """The chance that a sample of a class scores higher than one of another class; for more than two, their mean.

    Ties count one half (Mann and Whitney). Several classes are taken one against the rest.
    """

    gathers = True
    kinds = ("class", "label")
    words = ("roc_auc",)
    example = "roc_auc"

    @property
    def label(self) -> str:
        return "roc_auc"

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """The probabilities, samples x classes or one for each yes or no, and what is true."""
        chances = loss.probabilities(scores)
        if loss.target_kind == "label":
            return {"scores": chances.flatten(), "truth": (target > 0.5).flatten().long()}
        truth = target.argmax(1) if target.is_floating_point() else target
        chances = chances.movedim(1, -1).flatten(0, -2)
        kept = truth.flatten() != loss.ignored()
        return {"scores": chances[kept], "truth": truth.flatten()[kept]}

    def value(self, counts: Counts) -> float:
        """The area under the curve; of several classes the mean of each against the rest."""
        scores, truth = counts["scores"], counts["truth"]
        if scores.dim() == 1:
            return area(scores, truth == 1)
        if scores.shape[1] == 2:
            return area(scores[:, 1], truth == 1)
        areas = [area(scores[:, c], truth == c) for c in range(scores.shape[1])]
        return sum(areas) / len(areas)


def area(scores: Array, positive: Array) -> float:
    """The area under the ROC curve, from the ranks of the positive ones; nan without both kinds."""
    positives = int(positive.sum())
    negatives = positive.numel() - positives
    if not positives or not negatives:
        return nan
    _, place, times = scores.unique(return_inverse=True, return_counts=True)
    last = times.cumsum(0).double()
    rank = last - (times.double() - 1) / 2
    above = float(rank[place][positive].sum()) - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


class Perplexity(Metric):
    """The exponential of the mean negative log probability of the true class."""

    goal = "min"
    kinds = ("class",)
    example = "perplexity"

    def count(self, scores: Array, target: Array, loss: Any) -> Counts:
        """The sum of the true classes' log probabilities, and how many they are; of shares, by these."""
        if target.is_floating_point():
            total = (loss.log_probabilities(scores).double() * target.double()).sum()
            return {"total": total, "all": target.numel() // target.shape[1]}
        kept = target != loss.ignored()
        known = target.where(kept, 0).unsqueeze(1)
        chosen = loss.log_probabilities(scores).gather(1, known).squeeze(1)
        return {"total": chosen[kept].double().sum(), "all": kept.sum()}

    def value(self, counts: Counts) -> float:
        """exp(-sum / count); inf beyond what a float holds, nan of nothing."""
        if not counts["all"]:
            return nan
        mean = -float(counts["total"]) / int(counts["all"])
        return exp(mean) if mean < 700 else inf
