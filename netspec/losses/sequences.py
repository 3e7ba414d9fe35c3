"""Losses over sequences whose alignment with the target is not known."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.dims import Size
from netspec.losses.base import (
    Array,
    Loss,
    Range,
    Reduction,
    agree,
    behind,
    need_batch_rank,
    need_integers,
    need_target_shape,
)
from netspec.records import Bool, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor


class CTCLoss(Loss):
    """Sums over all alignments of a sequence of log probabilities with a shorter sequence of classes.

    The prediction is time x batch x classes, as torch wants it, every step of time counting. The
    target is batch x length; it is filled up at its end with the blank, which tells its length.
    """

    kind = "other"
    wants = "log probabilities"
    activation = "exp"
    instead = "nothing but blanks behind a blank", "Take the blanks out between them: CTC has its own."
    rule = "Takes log probabilities of time x B x classes and class numbers of B x length, filled up with the blank."
    words = ("ctc", "ctc_loss")
    example = "ctc zero_infinity"

    blank = Int("the class that stands for nothing", 0, ge=0)
    reduction = Reduction()
    zero_infinity = Bool("whether targets that are too long count 0 instead of infinity", False)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        prediction = predictions[0]
        need_batch_rank(prediction, 3, what="time x batch x classes")
        classes = prediction.shape[2]
        if isinstance(classes, int) and self.blank >= classes:
            text = f"has the blank {self.blank}, the prediction has {classes} classes"
            raise Misfit(text, field="blank")
        if target is not None:
            need_integers(target, "Give class numbers, filled up with the blank.")
            length = target.shape[-1] if len(target.shape) == 2 else 0
            need_target_shape(prediction, target, (prediction.shape[1], length), "batch x length")
            if not agree(prediction.shape[1], target.shape[0]):
                raise Misfit(f"has {prediction.shape[1]} sequences for {target.shape[0]} targets")

    def classes(self, prediction: Tensor) -> Size | None:
        return prediction.shape[2]

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        classes = predictions[0].shape[2]
        return 0, classes - 1 if isinstance(classes, int) else None

    def strays(self, target: Array) -> Array:
        """Classes behind a blank, in whose place torch would read the blanks before them."""
        return behind(target, self.blank)

    def inputs(self, predictions: Sequence[Array], target: Array) -> tuple[Array, ...]:
        prediction = predictions[0]
        lengths = (target != self.blank).sum(1)
        return prediction, target, lengths.new_full((prediction.shape[1],), prediction.shape[0]), lengths

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target, and for each sequence how likely each place of the target is at each step of time.

        The longest target of a batch may be shorter than all that the target has room for: then less is kept.
        """
        x, target = given
        if not x.grad:
            return tape.new((), [x])
        (steps, batch, _), length = x.shape, target.shape[-1]
        tape.keep(x, target, tape.new((batch,)), tape.new((batch, steps, length * 2 + 1)))
        tape.keep(tape.new((batch,), dtype="bool") if self.zero_infinity else None)
        tape.keep(tape.new((batch,)) if self.reduction == "mean" else None)
        return tape.new((), [x])
