"""What every metric is: a rule for what it can measure, counts that add up, and a value made of them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from netspec.losses.base import Array, Loss
from netspec.records import Checked, Entry, Text
from netspec.tensors import Misfit, Tensor

Counts = dict[str, Any]
"""Tensors, or plain numbers, by name."""


class Metric(Entry):
    """One measure. `count` turns a batch into counts, counts of batches add up, `value` reads the total."""

    goal: ClassVar[Literal["max", "min"] | None] = "max"
    """Whether more or less of it is better; None where it is no single number."""
    gathers: ClassVar[bool] = False
    """Whether counts are put one after the other instead of added, because the value needs all of them."""
    kinds: ClassVar[tuple[str, ...]] = ()
    """The kinds of target that it can measure, as Loss.target_kind names them."""

    @property
    def label(self) -> str:
        """The name that the value goes by: `val.accuracy`."""
        return type(self).__name__.lower()

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        """Refuse a loss whose target this metric cannot read. Raises Misfit."""
        if loss.target_kind not in self.kinds:
            wanted = " or ".join({"class": "classes", "label": "yes or no", "value": "numbers"}[k] for k in self.kinds)
            text = f"measures {wanted}, {loss.said} takes another kind of target"
            raise Misfit(text)
        if loss.target_kind == "label" and loss.activation is None:
            raise Misfit(f"measures how likely yes is, {loss.said} takes distances, which are less where it is yes")

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        """The counts of one batch; `scores` are what `Loss.scores` makes of the prediction.

        For classes `scores` are batch x classes x any places and `target` class numbers, batch x places, or a share
        for each class; else both have one shape. They lie on one device, and so may the counts: numbers or tensors
        that add up over batches, or with `gathers` are put one after the other.
        """
        raise NotImplementedError(type(self).__name__)

    def value(self, counts: Counts) -> Any:
        """The measure: a float, or nested lists of numbers."""
        raise NotImplementedError(type(self).__name__)


class OfOutput(Metric):
    """A metric of one of several outputs, by the name of that output's loss."""

    metric = Checked("what is measured", lambda value: value, {})
    of = Text("the loss whose output and target are measured")

    @property
    def goal(self) -> Literal["max", "min"] | None:  # type: ignore[override]
        found: Literal["max", "min"] | None = self.metric.goal
        return found

    @property
    def gathers(self) -> bool:  # type: ignore[override]
        return bool(self.metric.gathers)

    @property
    def label(self) -> str:
        return f"{self.of}.{self.metric.label}"

    def expect(self, loss: Loss, prediction: Tensor) -> None:
        self.metric.expect(loss, prediction)

    def count(self, scores: Array, target: Array, loss: Loss) -> Counts:
        found: Counts = self.metric.count(scores, target, loss)
        return found

    def value(self, counts: Counts) -> Any:
        return self.metric.value(counts)


def decided(scores: Array, target: Array, loss: Loss) -> tuple[Array, Array, int]:
    """What was chosen and what is true for each place that counts, flat, and the number of classes.

    Both have one axis and are class numbers, or booleans for yes and no; places that the loss ignores are left out.
    """
    if loss.target_kind == "label":
        return (loss.probabilities(scores) > 0.5).flatten(), (target > 0.5).flatten(), 2
    chosen = scores.argmax(1).flatten()
    truth = target.argmax(1) if target.is_floating_point() else target
    truth = truth.flatten()
    ignored = loss.ignored()
    if ignored is None:
        return chosen, truth, scores.shape[1]
    kept = truth != ignored
    return chosen[kept], truth[kept], scores.shape[1]
