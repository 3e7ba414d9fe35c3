"""Losses whose target is the number of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from netspec.dims import Size
from netspec.losses.base import (
    CLASS_WEIGHTS,
    Activation,
    Array,
    Loss,
    Range,
    Reduction,
    Weights,
    agree,
    alike,
    in_order,
    need_batch_rank,
    need_integers,
    need_target_shape,
    places,
)
from netspec.records import Field, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show


class ClassLoss(Loss):
    """A loss over classes: scores on one axis of the prediction, a class number in the target for each place."""

    kind = "class"
    activation: ClassVar[Activation] = "softmax"

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        prediction = self._class_axis_first(predictions[0])
        classes = prediction.shape[1]
        if classes == 1:
            hint = "Give the network one output a class; for yes or no with one output use bce_logits."
            text = f"has only one class to choose from, the prediction is {predictions[0]}"
            raise Misfit(text, hint)
        self._fit_weight(classes)
        if target is not None:
            self.fit_target(prediction, target)

    def fit_target(self, prediction: Tensor, target: Tensor) -> None:
        """The rule for the target, given the prediction with its classes on axis 1."""
        shape = (prediction.shape[0], *prediction.shape[2:])
        need_integers(target, _whole(prediction, target) or "Numbers to predict go with mse or l1.")
        hint = ""
        if alike((*shape, 1), target.shape):
            hint = "The target has an axis of size 1 too many."
        elif self.class_axis(len(prediction.shape)) == 1 and alike(prediction.shape[:-1], target.shape):
            hint = "If the classes are on the last axis, write axis=-1."
        need_target_shape(prediction, target, shape, "one class number a place", hint)

    def _fit_weight(self, classes: Size) -> None:
        """Refuse another number of weights than of classes. Raises Misfit."""
        weight = in_order(getattr(self, "weight", None))
        if weight and not agree(len(weight), classes):
            text = f"has weights for {len(weight)} classes, the prediction has {classes}"
            raise Misfit(text, field="weight")

    def class_axis(self, rank: int) -> int:
        """The axis of the classes in predictions of this rank."""
        axis: int = getattr(self, "axis", 1)
        return axis + rank if axis < 0 else axis

    def _class_axis_first(self, prediction: Tensor) -> Tensor:
        """The prediction's shape with the classes on axis 1, where torch wants them."""
        axis = self.class_axis(len(prediction.shape))
        if not 1 <= axis < len(prediction.shape):
            text = f"takes scores of batch x classes, the prediction is {show(prediction.shape)}"
            raise Misfit(text)
        batch, *rest = prediction.shape
        classes = rest.pop(axis - 1)
        return prediction.with_shape(batch, classes, *rest)

    def classes(self, prediction: Tensor) -> Size | None:
        return self._class_axis_first(prediction).shape[1]

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        classes = self.classes(predictions[0])
        if target.dtype != "int64":
            return 0, 1
        return 0, classes - 1 if isinstance(classes, int) else None

    def ignored(self) -> int | None:
        """The class number that counts for nothing, if there is one."""
        return getattr(self, "ignore_index", None)

    def inputs(self, predictions: Sequence[Array], target: Array) -> tuple[Array, ...]:
        prediction = predictions[0]
        last = self.class_axis(prediction.dim()) == prediction.dim() - 1
        if last and prediction.dim() > 2 and not target.is_floating_point():
            return prediction.flatten(0, -2), target.flatten()  # moved, torch would walk through memory in strides
        return self.scores(None, prediction), target

    def share(self, module: Any, target: Array) -> Any:
        return places(target, self.ignored(), getattr(module, "weight", None))

    def scores(self, module: Any, prediction: Array) -> Array:
        axis = self.class_axis(prediction.dim())
        return prediction if axis == 1 else prediction.movedim(axis, 1)

    def log_probabilities(self, scores: Array) -> Array:
        """The logarithms of the classes' probabilities."""
        return scores.log_softmax(1)


def _rows(tape: Tape, loss: ClassLoss, scores: Held, target: Held) -> tuple[Held, Held]:
    """Scores and target as `inputs` gives them to torch: classes on the last axis are flattened, others moved."""
    axis = loss.class_axis(len(scores.shape))
    if axis == len(scores.shape) - 1 and len(scores.shape) > 2 and not target.floats:
        return tape.flatten(scores, 0, -2), tape.flatten(target)
    order = [d for d in range(len(scores.shape)) if d != axis]
    return (scores if axis == 1 else scores.permute([order[0], axis, *order[1:]])), target


def _whole(prediction: Tensor, target: Tensor) -> str:
    """What to do with floats of one number a place, an axis of size 1 aside; the classes are on axis 1."""
    batch, classes, *places = prediction.shape
    if not any(alike((batch, *sizes), target.shape) for sizes in (places, (1, *places), (*places, 1))):
        return ""
    found = "Class numbers are whole: save them as y.astype('int64')."
    return f"{found} Shares of yes, from 0.0 to 1.0, go with bce_logits and one output." if classes == 2 else found


def ClassAxis() -> Field[int]:
    """Where the prediction has its classes."""
    return Int("the axis of the prediction that holds the classes; -1 is the last", 1, torch=False, keyword=True)


class CrossEntropyLoss(ClassLoss):
    """The negative log of the true class's probability, from raw scores; the softmax is inside.

    The target is a class number for each place, or as many probabilities as there are scores.
    """

    wants = "scores"
    rule = (
        "Takes raw scores of B x classes x places and class numbers of B x places, or probabilities of the "
        "scores' shape."
    )
    words = ("ce", "cross_entropy")
    example = "cross_entropy label_smoothing=0.1"

    weight = Weights(CLASS_WEIGHTS, counted=True)
    ignore_index = Int("a target that is skipped", -100)
    reduction = Reduction()
    label_smoothing = Float("share of the probability that is spread over all classes", 0.0, ge=0, le=1)
    axis = ClassAxis()

    def fit_target(self, prediction: Tensor, target: Tensor) -> None:
        """Refuse a target that is neither class numbers, nor a probability for each class. Raises Misfit."""
        if target.dtype == "float32":
            what = "class numbers, or a probability for each class"
            need_target_shape(prediction, target, prediction.shape, what, _whole(prediction, target))
        else:
            super().fit_target(prediction, target)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The logarithms of the probabilities, the target, and what it counts for."""
        scores, target = _rows(tape, self, *given)
        found = tape.softmax(scores)
        if target.floats:
            return tape.each(tape.new((), [tape.mul(found, target)]))
        loss = tape.picked(found, target)
        if not self.label_smoothing:
            return loss
        if found.grad:
            tape.keep(tape.new(target.shape, dtype="bool"))  # where the target is skipped
            count = tape.new((), dtype="int64" if self.weight is None else "float32")
            tape.keep(count if self.reduction == "mean" else None)
        return tape.add(loss, tape.new((), [found]))


class NLLLoss(ClassLoss):
    """The negative of the true class's value, from log probabilities; a log_softmax must have made them."""

    wants = "log probabilities"
    activation: ClassVar[Activation] = "exp"
    rule = "Takes log probabilities of B x classes x places and class numbers of B x places."
    words = ("nll", "nll_loss")
    example = "nll"

    weight = Weights(CLASS_WEIGHTS, counted=True)
    ignore_index = Int("a target that is skipped", -100)
    reduction = Reduction()
    axis = ClassAxis()

    def log_probabilities(self, scores: Array) -> Array:
        return scores

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The prediction, the target, and what it counts for."""
        return tape.picked(*_rows(tape, self, *given))


class MultiMarginLoss(ClassLoss):
    """Asks that the true class scores more than every other class by a margin."""

    wants = "scores"
    rule = "Takes scores of B x classes and class numbers of B."
    words = ("multi_margin", "multi_margin_loss")
    example = "multi_margin margin=0.5"

    p = Int("power of each violation", 1, ge=1, le=2)
    margin = Float("by how much the true class should win", 1.0)
    weight = Weights(CLASS_WEIGHTS, counted=True)
    reduction = Reduction()

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        need_batch_rank(predictions[0], 2, what="batch x classes")
        super().fit(predictions, target)

    def share(self, module: Any, target: Array) -> Any:
        return len(target)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """Prediction and target."""
        return tape.compared(*_rows(tape, self, *given))
