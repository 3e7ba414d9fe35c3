"""What is said of the target against the loss."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule


class TargetAim(Rule):
    """What the data section says of the target is meant for such a target.

    Numbers have a scale, classes are drawn alike, and of two classes one is meant by yes.
    """

    code = "target-aim"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10]
data: {source: digits, scale_target: standard}
train: {loss: cross_entropy, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.data is None or facts.train is None:
            return
        aim, losses, classes = facts.data.aim, [term.loss for term in facts.train.terms], facts.gives.classes
        loss = losses[0]
        if aim.scale_target is not None and not any(each.scales for each in losses):
            text = f"scale_target is for numbers, {loss.said} does not compare them on a scale of their own"
            yield self.problem(text, At(("data", "scale_target")), "Drop it, or take mse, l1, huber or smooth_l1.")
        if aim.sample is not None and loss.target_kind in ("value", "other", "none"):
            text = f"sample draws from classes alike, {loss.said} knows none"
            yield self.problem(text, At(("data", "sample")), "Drop it, or take cross_entropy or bce_logits.")
        if aim.positive is not None and classes not in (None, 2):
            text = f"positive is one of two classes, the data has {classes}"
            yield self.problem(text, At(("data", "positive")), "Drop it.")
