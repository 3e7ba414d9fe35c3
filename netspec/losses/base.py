"""What every loss is: fields, what it wants of prediction and target, and the call of torch's module."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, ClassVar, Final, Literal

from netspec.dims import Size
from netspec.records import Checked, Choice, Entry, Field, refuse
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, show

Array = Any
"""A torch tensor; this floor calls its methods and never imports torch."""
Kind = Literal["class", "label", "value", "other", "none"]
Activation = Literal["softmax", "sigmoid", "exp", "identity"]
Range = tuple[float | None, float | None]
"""The least and the largest value allowed; None where there is no bound."""


class Loss(Entry):
    """A loss of torch.nn, by torch's own name and with torch's own arguments.

    Every shape counts the batch as axis 0. `expect` is asked once with the shapes that the
    graph infers and once with those of the first batch, so both ways refuse the same things.
    """

    extra = ("weight", "target", "of")
    predictions: ClassVar[int] = 1
    """How many outputs of the network it takes."""
    takes_target: ClassVar[bool] = True
    """Whether it looks at the target at all."""
    owns_parameters: ClassVar[bool] = False
    """Whether torch's module holds weights of its own, which are trained with the network's."""
    scales: ClassVar[bool] = False
    """Whether numbers that are shifted and stretched, prediction and target alike, are compared as well."""
    regression: ClassVar[bool] = False
    """Whether a prediction may be any number, also one below 0."""
    torchs: ClassVar[bool] = True
    """Whether torch.nn has it."""
    compares_samples: ClassVar[bool] = False
    """Whether it compares the samples of a batch with each other, so that its value is that of such a batch."""
    signs: ClassVar[bool] = False
    """Whether a target is -1 or 1 and nothing between; torch takes 0 too, and learns something else from it."""
    instead: ClassVar[tuple[str, str]] = ("-1 or 1", "Labels of 0 and 1 become -1 and 1 by 2 * y - 1.")
    """What is expected in place of the targets that `strays` names, and what to do."""
    mixes: ClassVar[bool] = True
    """Whether a target may lie between those that it knows, as mixup makes them."""
    wants: ClassVar[Literal["scores", "probabilities", "log probabilities", "values"]] = "values"
    """What it takes the predictions for; scores are what a softmax or sigmoid inside makes probabilities of."""
    activation: ClassVar[Activation | None] = None
    """What makes probabilities of the scores: a softmax over the classes, or a function of each score; None where
    nothing does."""
    kind: ClassVar[Kind] = "value"
    """What the target says: the number of a class, yes or no, a value, what the loss alone can read, or nothing."""

    @property
    def target_kind(self) -> Kind:
        """What the target of this very loss says."""
        return self.kind

    def expect(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        """Refuse predictions and a target that do not go together. Raises Misfit.

        Without a target, because the data is not known yet, only the predictions are judged.
        """
        if len(predictions) != self.predictions:
            taken = f"{self.predictions} prediction" + "s" * (self.predictions > 1)
            text = f"takes {taken}, the network has {len(predictions)} outputs"
            hint = "Say in `outputs` which values the network returns."
            if len(predictions) > self.predictions:
                hint = "Give each a loss, as in loss: {cls: cross_entropy, box: smooth_l1 weight=0.5}, or name "
                hint += "fewer in `outputs`."
            raise Misfit(text, hint)
        for prediction in predictions:
            need_floats(prediction, "prediction")
        self.fit(predictions, target)

    def accepts(self, predictions: Sequence[Tensor], target: Tensor) -> bool:
        """Whether such a target goes with what the network gives."""
        try:
            self.expect(predictions, target)
        except Misfit:
            return False
        return True

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        """The loss's own rule; it may rely on as many predictions as it takes, all of them floats."""
        raise NotImplementedError(type(self).__name__)

    def spread(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The target as it is compared, where the loss first makes something of it. Raises Misfit."""
        return target

    def classes(self, prediction: Tensor) -> Size | None:
        """How many classes the prediction tells apart; None where the loss knows no classes."""
        return None

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        """The values that a target may have."""
        return None, None

    def strays(self, target: Array) -> Array | None:
        """True at each target that it does not take, though it may lie in the range; None where the range says all."""
        return (target != -1) & (target != 1) if self.signs else None

    def ignored(self) -> int | None:
        """A target value outside the range that is allowed all the same, because it is skipped."""
        return None

    def inputs(self, predictions: Sequence[Array], target: Array) -> tuple[Array, ...]:
        """The arguments of the module's forward, in torch's order."""
        return (*predictions, target) if self.takes_target else tuple(predictions)

    def share(self, module: Any, target: Array) -> Any:
        """What a batch counts for in a mean over several batches: usually its number of samples."""
        return len(target)

    def scores(self, module: Any, prediction: Array) -> Array:
        """The prediction as metrics take it: the classes, if there are any, on axis 1."""
        return prediction

    def class_axis(self, rank: int) -> int:
        """The axis of a prediction of so many axes that holds the classes."""
        return 1

    def probabilities(self, scores: Array) -> Array:
        """The scores as probabilities; unchanged where the loss knows none."""
        return activate(scores, self.activation or "identity", 1)

    def like_target(self, scores: Array) -> Array:
        """The scores as numbers of the target's kind, from which its distance can be told."""
        return self.probabilities(scores)

    def kept(self, tape: Tape, *given: Held) -> Held:
        """The number that it is, with all that backward will read of predictions and target kept on the tape."""
        return tape.unread_loss(self.said, given)

    def keywords(self) -> dict[str, Any]:
        """The arguments of torch's class that differ from torch's defaults, by name."""
        return self.given_to_torch


def activate(scores: Array, activation: Activation, axis: int) -> Array:
    """What `activation` makes of the scores, a softmax along `axis`."""
    if activation == "softmax":
        return scores.softmax(axis)
    return scores if activation == "identity" else getattr(scores, activation)()


def limits(low: float | None, high: float | None) -> str:
    """A range as it is told: `at least 0 and at most 9`."""
    bounds = (("at least", low), ("at most", high))
    return " and ".join(f"{words} {bound:g}" for words, bound in bounds if bound is not None) or "a number"


def behind(target: Array, end: int) -> Array:
    """Where something else stands behind an `end` in the same row of a target, samples x places."""
    return ((target == end).cumsum(1) > 0) & (target != end)


def places(target: Array, ignored: int | None, weight: Array | None) -> Any:
    """What torch's mean over class numbers divides by: the places not ignored, each by its class's weight."""
    if target.is_floating_point() or (ignored is None and weight is None):
        return len(target)
    kept = target == target if ignored is None else target != ignored
    return kept.sum() if weight is None else (weight[target.where(kept, 0)] * kept).sum()


def Reduction(*more: str, keyword: bool = False) -> Field[str]:
    """How the values of a batch become one number; torch's `none` gives no number to minimise."""
    return Choice("how the values of a batch become one number", ("mean", "sum", *more), "mean", keyword=keyword)


BALANCED: Final = "balanced"
"""Says that weights are counted on the training part."""
CLASS_WEIGHTS: Final = (
    "a weight for each class, in order or by name, 1 for classes without one; balanced: the rarer in the training "
    "part the more, samples / (classes * samples of the class)"
)


def Weights(sentence: str, *, counted: bool = False) -> Field[Any]:
    """One weight for each class, all at least 0, in order or by the names of the classes; null for none.

    Where they can be `counted`, they may be `balanced`.
    """
    expected = "a list of numbers, or numbers by the names of classes" + f", or {BALANCED}" * counted

    def check(value: Any) -> Any:
        if counted and value == BALANCED:
            return value
        named = isinstance(value, dict)
        items = [*value.values()] if named else value if isinstance(value, list | tuple) else [value]
        if not items or any(isinstance(v, bool) or not isinstance(v, int | float) for v in items):
            raise refuse(expected)
        if not all(isfinite(v) and v >= 0 for v in items) or not any(items):
            raise refuse("weights of at least 0, not all of them 0")
        return {shown(k): float(v) for k, v in value.items()} if named else tuple(float(v) for v in items)

    def shown(name: Any) -> str:
        return str(name).lower() if isinstance(name, bool) else str(name)

    number = {"type": "number", "minimum": 0}
    kinds: list[dict[str, Any]] = [
        {"type": "array", "items": number},
        {"type": "object", "additionalProperties": number},
        *([{"enum": [BALANCED]}] if counted else []),
    ]
    return Checked(sentence, check, {"anyOf": kinds}, None)


def in_order(weights: Any) -> tuple[float, ...]:
    """Weights that are given one after the other; none where they are, or are by name or counted from data."""
    return weights if isinstance(weights, tuple) else ()


# --- what losses ask of their tensors -----------------------------------------------------------


def agree(a: Size, b: Size) -> bool:
    """Whether two sizes may be equal; one that only the run decides agrees with any."""
    return a == b or not (isinstance(a, int) and isinstance(b, int))


def alike(a: Sequence[Size], b: Sequence[Size]) -> bool:
    """Whether two shapes may be equal, axis by axis."""
    return len(a) == len(b) and all(map(agree, a, b))


def need_floats(tensor: Tensor, what: str) -> None:
    """Refuse a prediction or target of whole numbers or booleans."""
    if tensor.dtype != "float32":
        raise Misfit(f"takes a {what} of floats, it is {tensor.dtype}")


def need_integers(target: Tensor, hint: str) -> None:
    """Refuse a target that does not hold class numbers."""
    if target.dtype != "int64":
        raise Misfit(f"takes class numbers as target, the target is {target.dtype}", hint)


def need_same_shape(prediction: Tensor, target: Tensor) -> None:
    """Refuse a target of another shape, which torch would silently broadcast."""
    if alike(prediction.shape, target.shape):
        return
    text = f"compares equal shapes, the prediction is {show(prediction.shape)} and the target is {show(target.shape)}"
    raise Misfit(text, _shape_hint(prediction, target))


def _shape_hint(prediction: Tensor, target: Tensor) -> str:
    """The way out where prediction and target differ in shape; empty where none is plain."""
    if target.dtype == "int64" and alike(prediction.shape[:1], target.shape):
        return "The target holds class numbers, which go with cross_entropy; a table gives numbers with `regression`."
    for axis, size in reversed([*enumerate(prediction.shape)]):
        if size == 1 and axis and alike((*prediction.shape[:axis], *prediction.shape[axis + 1 :]), target.shape):
            place = axis if axis < len(prediction.shape) - 1 else -1
            return f"The prediction has an axis of size 1 too many; the network may end with `squeeze {place}`."
    return "Torch would stretch both to a common shape and compare the wrong pairs."


def need_batch_rank(prediction: Tensor, *ranks: int, what: str) -> None:
    """Refuse a prediction of another number of axes; `what` says what is taken."""
    if len(prediction.shape) not in ranks:
        raise Misfit(f"takes {what}, the prediction is {show(prediction.shape)}")


def need_target_shape(prediction: Tensor, target: Tensor, shape: Sequence[Size], what: str, hint: str = "") -> None:
    """Refuse a target whose shape is not `shape`, which `what` explains."""
    if not alike(shape, target.shape):
        text = f"takes {what}: a target of {show(shape)} for a prediction of {show(prediction.shape)}"
        raise Misfit(f"{text}, the target is {show(target.shape)}", hint)
