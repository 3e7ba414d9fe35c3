"""The loss against prediction and target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.dims import BATCH
from netspec.errors import Problem
from netspec.lint.base import Comparison, Facts, Rule
from netspec.losses.base import limits
from netspec.losses.labels import one_answer
from netspec.tensors import Misfit, Tensor


class LossTarget(Rule):
    """The loss takes what the network gives and the target that the data gives.

    Torch stretches a prediction of B x 1 and a target of B to B x B, trains on the wrong pairs and says nothing;
    other slips end the run at its first batch.
    """

    code = "loss-target"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10]
data: {source: digits}
train: {loss: mse, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for compared in facts.comparisons:
            yield from self._compared(facts, compared)

    def _compared(self, facts: Facts, compared: Comparison) -> Iterator[Problem]:
        """What is wrong with one loss."""
        predictions, term = compared.predictions, compared.term
        unnamed = facts.data is not None and not facts.data.source.targets
        if predictions is None or (term.takes_data and term.named_target and unnamed):  # which loss-outputs tells
            return
        loss, target, classes = compared.loss, compared.target, compared.gives.classes
        named = target is not None and target.dtype == "int64" and len(target.shape) == 1
        if named and facts.measured is None and one_answer(loss, predictions):  # of two classes it becomes no and yes
            if classes not in (None, 2):
                text = f"{loss.said} with one output says yes or no, the data has {classes} classes"
                hint = f"End the network with {classes} outputs and take cross_entropy."
                yield self.problem(text, compared.at, hint)
            target = None
        try:
            loss.expect(predictions, target)
        except Misfit as misfit:
            yield self.problem(f"{loss.said} {misfit.message}", compared.at, misfit.hint)
            return
        if term.constant is not None:
            yield from self._number(compared, predictions, term.constant)

    def _number(self, compared: Comparison, predictions: Sequence[Tensor], number: float) -> Iterator[Problem]:
        """What is wrong with a number that stands for all targets."""
        loss, classes = compared.loss, compared.loss.target_kind == "class"
        low, high = loss.target_range(predictions, Tensor((BATCH,), "int64") if classes else predictions[0])
        fits = (low is None or number >= low) and (high is None or number <= high)
        if not fits or (classes and number % 1) or (loss.signs and abs(number) != 1):
            wanted = loss.instead[0] if loss.signs else "the number of a class, " * classes + limits(low, high)
            yield self.problem(f"{loss.said} compares with {number:g}, {wanted} is expected", compared.at)
