"""Measures of choices: right or wrong, for classes and for yes or no at one half."""

from __future__ import annotations

from typing import Any, Final

from netspec.losses.base import Array, Loss
from netspec.metrics.base import Counts, Metric, decided
from netspec.records import Choice, Int
from netspec.tensors import Misfit, Tensor

LARGEST: Final = 1000
"""Classes that a table of confusions has at most: a million numbers with each evaluation."""


class Accuracy(Metric):
    """The share of right choices."""

    kinds = ("class", "label")
    example = "accuracy"

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """How many places are right, and how many there are."""
        chosen, truth, _ = decided(scores, target, loss)
        return {"right": (chosen == truth).sum(), "all": truth.numel()}

    def value(self, counts: Counts) -> float:
        """right / all; nan of nothing."""
        return int(counts["right"]) / counts["all"] if counts["all"] else float("nan")


class TopK(Metric):
    """The share of samples whose class is among the k that score highest."""

    kinds = ("class",)
    words = ("topk",)
    example = "topk 5"

    k = Int("how many classes are looked at", 5, ge=1)

    @property
    def label(self) -> str:
        return f"top{self.k}"

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        super().expect(loss, prediction)
        classes = loss.classes(prediction)
        if isinstance(classes, int) and self.k > classes:
            raise Misfit(f"looks at {self.k} classes, there are {classes}", field="k")

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """For how many places the true class is among the k highest, and how many there are."""
        truth = target.argmax(1) if target.is_floating_point() else target
        hits = (scores.topk(self.k, 1).indices == truth.unsqueeze(1)).any(1)
        kept = truth != loss.ignored()
        return {"right": hits[kept].sum(), "all": kept.sum()}

    def value(self, counts: Counts) -> float:
        """right / all; nan of nothing."""
        return int(counts["right"]) / int(counts["all"]) if counts["all"] else float("nan")


class Confusion(Metric):
    """How often each class was taken for each: a row for a true class, a column for a chosen one."""

    goal = None
    kinds = ("class", "label")
    words = ("confusion_matrix",)
    example = "confusion"

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        super().expect(loss, prediction)
        classes = loss.classes(prediction)
        if isinstance(classes, int) and classes > LARGEST:
            raise Misfit(f"would be a table of {classes:,} x {classes:,}, at most {LARGEST:,} classes have one")

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """A table of true x chosen classes."""
        chosen, truth, classes = decided(scores, target, loss)
        places = truth.long() * classes + chosen.long()
        return {"matrix": places.bincount(minlength=classes * classes).view(classes, classes)}

    def value(self, counts: Counts) -> Any:
        """The table as nested lists: a row for each true class."""
        return counts["matrix"].tolist()


class Averaged(Metric):
    """What precision, recall and F1 share: a measure of each class, averaged."""

    kinds = ("class", "label")

    average = Choice(
        "macro: mean over the classes that occur; micro: over all choices at once; weighted: mean by how often a "
        "class is true; binary: the positive class alone, which of two is number 1",
        ("macro", "micro", "weighted", "binary"),
        "macro",
    )

    @property
    def label(self) -> str:
        return super().label + ("" if self.average == "macro" else f"_{self.average}")

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        super().expect(loss, prediction)
        classes = loss.classes(prediction)
        if self.average == "binary" and isinstance(classes, int) and classes != 2:
            raise Misfit(f"is binary, there are {classes} classes", field="average")

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """For each class how often it was rightly chosen, was true, and was chosen."""
        chosen, truth, classes = decided(scores, target, loss)
        found = {"right": truth[chosen == truth], "true": truth, "chosen": chosen}
        return {name: numbers.long().bincount(minlength=classes) for name, numbers in found.items()}

    def value(self, counts: Counts) -> float:
        """The measure, averaged as asked; a class that neither occurs nor is chosen counts for nothing in macro."""
        right, true, chosen = (counts[name].double() for name in ("right", "true", "chosen"))
        if self.average == "micro":
            return float(self.measure(right.sum(), true.sum(), chosen.sum()).nan_to_num())
        each = self.measure(right, true, chosen).nan_to_num()
        if self.average == "binary":
            return float(each[1])
        weights = true if self.average == "weighted" else (true + chosen > 0).double()
        return float((each * weights).sum() / weights.sum())

    def measure(self, right: Array, true: Array, chosen: Array) -> Array:
        """The measure, from how often a class was rightly chosen, was true, and was chosen; 0/0 counts 0."""
        raise NotImplementedError(type(self).__name__)


class Precision(Averaged):
    """The share of right ones among the choices of a class."""

    example = "precision"

    def measure(self, right: Array, true: Array, chosen: Array) -> Array:
        """right / chosen."""
        return right / chosen


class Recall(Averaged):
    """The share of a class's samples that were found."""

    example = "recall"

    def measure(self, right: Array, true: Array, chosen: Array) -> Array:
        """right / true."""
        return right / true


class F1(Averaged):
    """The harmonic mean of precision and recall."""

    example = "f1 average=micro"

    def measure(self, right: Array, true: Array, chosen: Array) -> Array:
        """2 right / (true + chosen), the harmonic mean of precision and recall."""
        return 2 * right / (true + chosen)
