"""Losses whose target says yes or no: one label, or one for each of several classes."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.dims import Size
from netspec.losses.base import (
    Array,
    Loss,
    Range,
    Reduction,
    Weights,
    agree,
    behind,
    in_order,
    need_batch_rank,
    need_floats,
    need_integers,
    need_same_shape,
    need_target_shape,
)
from netspec.losses.one_hot import OneHot
from netspec.records import Float
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show


def one_answer(loss: Loss, predictions: Sequence[Tensor]) -> bool:
    """Whether a network says yes or no once a sample, so that its target may be the numbers of two classes."""
    if loss.target_kind != "label" or loss.activation is None or len(predictions) != 1:
        return False
    return predictions[0].shape[1:] in ((), (1,)) and predictions[0].dtype == "float32"


class YesNo(Loss):
    """A loss that takes a label for each number of the prediction.

    Where it is a single one a sample, the target may be the numbers of two classes, of which the second is yes.
    """

    kind = "label"

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        for name in ("weight", "pos_weight"):
            self._fit_weights(name, predictions[0])
        if target is not None:
            target = self.spread(predictions[0], target)
            need_same_shape(predictions[0], target)
            need_floats(target, "target")

    def _fit_weights(self, name: str, prediction: Tensor) -> None:
        """One weight for each place of the last axis, or a single one: what torch spreads over the batch."""
        weights = in_order(getattr(self, name)) if name in self.fields else ()
        if weights and len(weights) != 1 and not agree(len(weights), prediction.shape[-1]):
            text = f"has {len(weights)} weights, the prediction is {show(prediction.shape)}"
            raise Misfit(text, f"Give 1 or {prediction.shape[-1]}.", field=name)


class BCELoss(YesNo, OneHot):
    """Binary cross entropy of predicted probabilities, which a sigmoid must have made."""

    wants = "probabilities"
    activation = "identity"
    rule = "Takes probabilities between 0 and 1 and labels between 0 and 1 of the same shape."
    words = ("bce", "binary_cross_entropy")
    example = "bce"

    weight = Weights("a weight for each place of the last axis")
    reduction = Reduction()

    def numbers(self) -> Range:
        return 0, 1

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class BCEWithLogitsLoss(YesNo, OneHot):
    """Binary cross entropy of raw scores; the sigmoid is inside, and exact for large scores."""

    wants = "scores"
    activation = "sigmoid"
    rule = "Takes raw scores and labels between 0 and 1 of the same shape."
    words = ("bce_logits", "binary_cross_entropy_with_logits")
    example = "bce_logits"

    weight = Weights("a weight for each place of the last axis")
    reduction = Reduction()
    pos_weight = Weights(
        "a weight of the yes labels for each place of the last axis, in order or by name; balanced: in the training "
        "part as many no as yes, samples that say no / samples that say yes",
        counted=True,
    )

    def numbers(self) -> Range:
        return 0, 1

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class SoftMarginLoss(YesNo):
    """The logistic loss of scores against labels of -1 and 1."""

    signs = True
    wants = "scores"
    activation = "sigmoid"
    rule = "Takes scores and labels of -1 and 1 of the same shape."
    words = ("soft_margin", "soft_margin_loss")
    example = "soft_margin"

    reduction = Reduction()

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        return -1, 1

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*given)


class HingeEmbeddingLoss(YesNo):
    """Keeps the distance where the label is 1, and pushes it beyond the margin where it is -1."""

    signs = True
    rule = "Takes distances and labels of -1 and 1 of the same shape."
    words = ("hinge", "hinge_embedding_loss")
    mixes = False
    example = "hinge"

    margin = Float("the distance that unlike pairs should have", 1.0)
    reduction = Reduction()

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        return -1, 1

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The distance that lacks, and which pairs are alike and which not."""
        distance, target = given
        lacking = tape.each(tape.add(distance), "input")
        tape.keep(*(tape.new(target.shape, dtype="bool") for _ in range(2 * distance.grad)))
        return tape.new((), [distance, lacking])


class MultiLabelMarginLoss(Loss):
    """Asks that every class of the target scores at least 1 more than every other class."""

    kind = "other"
    wants = "scores"
    instead = "nothing but -1 behind a -1", "What stands behind a -1 is not read."
    rule = "Takes scores of B x classes and class numbers of B x classes, which a -1 ends."
    words = ("multilabel_margin", "multilabel_margin_loss")
    example = "multilabel_margin"

    reduction = Reduction()

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        need_batch_rank(predictions[0], 2, what="batch x classes")
        if target is not None:
            what = "the classes of each sample, filled up with -1"
            need_target_shape(predictions[0], target, predictions[0].shape, what)
            need_integers(target, "Give class numbers, filled up with -1.")

    def classes(self, prediction: Tensor) -> Size | None:
        return prediction.shape[1]

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        classes = predictions[0].shape[1]
        return -1, classes - 1 if isinstance(classes, int) else None

    def strays(self, target: Array) -> Array:
        """Classes behind a -1, which torch does not read."""
        return behind(target, -1)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction, target, and which labels are in it."""
        tape.keep(tape.new(given[0].shape, dtype=given[0].dtype) if given[0].grad else None)
        return tape.compared(*given)


class MultiLabelSoftMarginLoss(YesNo, OneHot):
    """Binary cross entropy of raw scores, averaged over the classes of each sample."""

    wants = "scores"
    activation = "sigmoid"
    rule = "Takes raw scores of B x classes and labels between 0 and 1 of the same shape."
    words = ("multilabel_soft_margin", "multilabel_soft_margin_loss")
    example = "multilabel_soft_margin"

    weight = Weights("a weight for each class")
    reduction = Reduction()

    def numbers(self) -> Range:
        return 0, 1

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Scores and target, what is contrary to both, and what their sigmoids leave behind."""
        scores, target = given
        kinds = [tape.mul(_log_sigmoid(tape, scores), target)]
        kinds += [tape.mul(_log_sigmoid(tape, tape.each(scores)), tape.each(target))]
        return tape.new((), kinds)


def _log_sigmoid(tape: Tape, x: Held) -> Held:
    """The logarithm of a sigmoid: the scores are kept, and as many numbers beside them."""
    tape.keep(tape.new(x.shape, dtype=x.dtype) if x.grad else None)
    return tape.each(x, "input")
