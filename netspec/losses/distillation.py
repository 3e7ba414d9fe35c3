"""The loss by which a network learns the scores of another one."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.losses.base import Array, Loss, need_floats, need_same_shape
from netspec.records import Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor


class DistillationLoss(Loss):
    """The divergence of softened probabilities from those of a teacher, whose scores are the target.

    The Kullback-Leibler divergence at a temperature, summed over the classes and times the temperature's square, which
    keeps the gradients as large as those of plain targets (Hinton, Vinyals and Dean 2015, section 2).
    """

    rule = "Takes scores and a target of scores of the same shape."
    torchs = False
    wants = "scores"
    activation = "softmax"
    words = ("distillation", "distill", "distillation_loss")
    example = "distillation temperature=4"

    temperature = Float("what both scores are divided by", 1.0, gt=0)
    dim = Int("the axis of the classes", 1)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        rank = len(predictions[0].shape)
        if not -rank <= self.dim < rank or rank < 2:
            raise Misfit(f"has its classes on axis {self.dim}, the prediction has {rank} axes", field="dim")
        if target is not None:
            need_same_shape(predictions[0], target)
            need_floats(target, "target")

    def like_target(self, scores: Array) -> Array:
        """The scores, which are what it compares with."""
        return scores

    def class_axis(self, rank: int) -> int:
        return self.dim % rank

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The logarithms of the probabilities, and those of the teacher."""
        soft, wanted = (tape.softmax(tape.each(x)) for x in given)
        return tape.new((), [tape.mul(tape.each(wanted), tape.add(wanted, soft))])
