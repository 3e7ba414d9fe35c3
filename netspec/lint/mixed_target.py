"""The loss against mixed targets."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Comparison, Facts, Rule
from netspec.sections.data import DataSection
from netspec.tensors import Misfit
from netspec.words import listed


class MixedTarget(Rule):
    """The loss takes the targets that mixup and cutmix make.

    Mixed samples have mixed targets: in place of a class number a probability for each class, in place of yes or no
    something between. Few losses know what to make of these.
    """

    code = "mixed-target"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10, log_softmax 1]
data: {source: digits, augment: mixup}
train: {loss: nll, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.data is None or not facts.data.mixing:
            return
        if targets := facts.data.source.targets:
            way = facts.data.mixing[0].said
            text = f"{way} mixes one target, the data has {listed(targets)}"
            yield Problem(self.code, text, At(("data", "augment")), f"Drop {way}.")
            return
        for compared in facts.comparisons:
            yield from self._compared(facts.data, compared)

    def _compared(self, data: DataSection, compared: Comparison) -> Iterator[Problem]:
        """What is wrong with the target of one loss."""
        target, predictions, loss = compared.target, compared.predictions, compared.loss
        if target is None or predictions is None or not compared.term.takes_data:
            return
        way = data.mixing[0].said
        at = At(("data", "augment"))
        try:
            loss.expect(predictions, target)
        except Misfit:  # reported as it is, by another rule
            return
        try:
            for mixing in data.mixing:
                way = mixing.said
                mixed = mixing.mixed_target(target, loss.classes(predictions[0]) or 1)
        except Misfit as misfit:
            yield Problem(self.code, f"{way} {misfit.message}", at, misfit.hint)
            return
        try:
            loss.expect(predictions, mixed)
        except Misfit as misfit:
            yield self._refused(f"{loss.said} {misfit.message}", way, at)
            return
        if not loss.mixes:
            yield self._refused(f"{loss.said} knows no targets between those of the data", way, at)

    def _refused(self, reason: str, way: str, at: At) -> Problem:
        """What is said of a way of mixing that does not go with the loss."""
        hint = f"Drop {way}, or take a loss that knows shares of a target: cross_entropy, bce_logits, mse."
        return Problem(self.code, f"{way} mixes targets: {reason}", at, hint)
