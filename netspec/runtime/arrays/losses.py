"""What torch's losses compute, and netspec's own, on arrays: the same to rounding. `FORMS` has them by class."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any, Final

import numpy as np

from netspec.losses.base import Loss
from netspec.runtime.arrays.sequences import alignments
from netspec.runtime.arrays.tensor import ArrayTensor

Array = Any
"""An ArrayTensor."""
LEAST_LOG: Final = -100.0
"""What torch's binary cross entropy takes for the logarithm of 0."""
SHORT: Final = 1e-12
"""What a length is at least, which something is divided by."""


def reduced(loss: Any, values: Any) -> Array:
    """The values of a batch as one number, as the loss says."""
    way = getattr(loss, "reduction", "mean")
    if way == "batchmean":
        return ArrayTensor.of(values.sum() / len(values))
    return ArrayTensor.of(values.sum() if way == "sum" else values.mean())


def weight_of(loss: Any, name: str = "weight") -> Array | None:
    """The weights of a loss, where it has some."""
    given = getattr(loss, name, None)
    return None if given is None else ArrayTensor.of(given, np.float32)


# --- classes -----------------------------------------------------------------------------------------


def cross_entropy(loss: Any, scores: Array, target: Array) -> Array:
    """The negative logarithm of the true classes' probabilities."""
    return _likelihood(loss, scores.log_softmax(1), target, loss.label_smoothing)


def nll(loss: Any, logs: Array, target: Array) -> Array:
    """The negative of the true classes' values."""
    return _likelihood(loss, logs, target, 0.0)


def _likelihood(loss: Any, logs: Array, target: Array, smoothing: float) -> Array:
    """The negative of the logarithms at the true classes, each place by the weight of its class."""
    weight, classes = weight_of(loss), logs.shape[1]
    along = (1, classes, *(1,) * (logs.ndim - 2))
    by_class = logs if weight is None else logs * weight.reshape(along)
    if target.is_floating_point():
        wanted = target * (1 - smoothing) + smoothing / classes
        each = -(by_class * wanted).sum(1)
        return reduced(loss, each)
    kept = target != loss.ignore_index
    known = target.where(kept, 0)
    each = -by_class.gather(1, known.unsqueeze(1)).squeeze(1)
    each = (1 - smoothing) * each - (smoothing / classes * by_class.sum(1) if smoothing else 0)
    each = each.where(kept, 0)
    if loss.reduction == "sum":
        return ArrayTensor.of(each.sum())
    whole = kept if weight is None else weight[known].where(kept, 0)
    return ArrayTensor.of(each.sum() / whole.sum())


def multi_margin(loss: Any, scores: Array, target: Array) -> Array:
    """How far other classes come within the margin of the true one."""
    own, weight = scores.gather(1, target.unsqueeze(1)), weight_of(loss)
    each = np.maximum(loss.margin - own + scores, 0) ** loss.p
    each = each if weight is None else each * weight[target].unsqueeze(1)
    each = ArrayTensor.of(each).scatter_(1, target.unsqueeze(1), 0)
    return reduced(loss, each.sum(1) / scores.shape[1])


def multilabel_margin(loss: Any, scores: Array, target: Array) -> Array:
    """How far other classes come within 1 of those of the target, which -1 ends."""
    counted = np.cumprod(target.plain != -1, 1).astype(bool)
    own = np.zeros(scores.shape, bool)
    rows, places = np.nonzero(counted)
    own[rows, target.plain[rows, places]] = True
    true = scores.gather(1, target.where(counted, 0))
    each = np.maximum(1 - true[:, :, None] + scores[:, None, :], 0)
    each = np.where(counted[:, :, None] & ~own[:, None, :], each, 0).sum((1, 2)) / scores.shape[1]
    return reduced(loss, each)


# --- yes and no ------------------------------------------------------------------------------------------


def bce(loss: Any, chances: Array, target: Array) -> Array:
    """Binary cross entropy of probabilities."""
    yes, no = np.maximum(np.log(chances), LEAST_LOG), np.maximum(np.log1p(-chances), LEAST_LOG)
    return _weighed(loss, -(target * yes + (1 - target) * no))


def bce_logits(loss: Any, scores: Array, target: Array) -> Array:
    """Binary cross entropy of scores."""
    yes = weight_of(loss, "pos_weight")
    no_log = _softplus(-scores)
    factor = 1 if yes is None else (yes - 1) * target + 1
    return _weighed(loss, (1 - target) * scores + factor * no_log)


def multilabel_soft_margin(loss: Any, scores: Array, target: Array) -> Array:
    """Binary cross entropy of scores, a mean over the classes."""
    weight, each = weight_of(loss), target * _softplus(-scores) + (1 - target) * _softplus(scores)
    return reduced(loss, (each if weight is None else each * weight).mean(-1))


def soft_margin(loss: Any, scores: Array, target: Array) -> Array:
    """The logistic loss of labels -1 and 1."""
    return reduced(loss, np.log1p(np.exp(-target * scores)))


def hinge(loss: Any, distances: Array, target: Array) -> Array:
    """The distances of what is alike, and by how much those of what is not are below the margin."""
    far = np.where(target != 1, np.maximum(loss.margin - distances, 0), 0)
    return reduced(loss, far + np.where(target != -1, distances, 0))


def _softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _weighed(loss: Any, each: Any) -> Array:
    """The values by the weights of the last axis, as one number."""
    weight = weight_of(loss)
    return reduced(loss, each if weight is None else each * weight)


# --- numbers -------------------------------------------------------------------------------------------------


def mse(loss: Any, x: Array, y: Array) -> Array:
    """The squared differences."""
    return reduced(loss, np.square(x - y))


def l1(loss: Any, x: Array, y: Array) -> Array:
    """The absolute differences."""
    return reduced(loss, np.abs(x - y))


def huber(loss: Any, x: Array, y: Array) -> Array:
    """Squares of small differences, and large ones as they are."""
    size = np.abs(x - y)
    return reduced(loss, np.where(size <= loss.delta, size**2 / 2, loss.delta * (size - loss.delta / 2)))


def smooth_l1(loss: Any, x: Array, y: Array) -> Array:
    """The same, divided by beta."""
    size = np.abs(x - y)
    return reduced(loss, np.where(size < loss.beta, size**2 / (2 * loss.beta), size - loss.beta / 2)
                   if loss.beta else size)  # fmt: skip


def poisson(loss: Any, x: Array, y: Array) -> Array:
    """The negative log likelihood of counts."""
    each = np.exp(x) - y * x if loss.log_input else x - y * np.log(x + loss.eps)
    if loss.full:
        each = each + np.where(y > 1, y * np.log(y) - y + 0.5 * np.log(2 * pi * y), 0)
    return reduced(loss, each)


def gaussian(loss: Any, mean: Array, y: Array, variance: Array) -> Array:
    """The negative log likelihood of numbers of this mean and variance."""
    if variance.ndim < mean.ndim:
        variance = variance.unsqueeze(-1)
    spread = np.maximum(variance, loss.eps)
    each = 0.5 * (np.log(spread) + np.square(mean - y) / spread)
    return reduced(loss, each + 0.5 * log(2 * pi) if loss.full else each)


def kl(loss: Any, logs: Array, target: Array) -> Array:
    """The divergence of log probabilities from a distribution."""
    if loss.log_target:
        return reduced(loss, np.exp(target) * (target - logs))
    known = np.where(target > 0, target * np.log(target), 0)
    return reduced(loss, known - target * logs)


def distillation(loss: Any, scores: Array, target: Array) -> Array:
    """The divergence of softened probabilities from those of a teacher."""
    soft, wanted = ((x / loss.temperature).log_softmax(loss.dim) for x in (scores, target))
    whole = (np.exp(wanted) * (wanted - soft)).sum()
    return ArrayTensor.of(whole / (scores.size // scores.shape[loss.dim]) * loss.temperature**2)


# --- outputs with each other ---------------------------------------------------------------------------------


def cosine_embedding(loss: Any, one: Array, other: Array, target: Array) -> Array:
    """1 - cosine of what is alike, and by how much that of what is not is above the margin."""
    lengths = np.square(one).sum(1) + SHORT, np.square(other).sum(1) + SHORT
    cosine = (one * other).sum(1) / np.sqrt(lengths[0] * lengths[1])
    return reduced(loss, np.where(target == 1, 1 - cosine, np.maximum(cosine - loss.margin, 0)))


def margin_ranking(loss: Any, one: Array, other: Array, target: Array) -> Array:
    """By how much the one is not larger than the other by the margin."""
    return reduced(loss, np.maximum(-target * (one - other) + loss.margin, 0))


def triplet(loss: Any, anchor: Array, like: Array, unlike: Array) -> Array:
    """By how much the unlike one is not farther than the like one by the margin."""
    power, extra = getattr(loss, "p", 2.0), getattr(loss, "eps", 1e-6)

    def distance(a: Array, b: Array) -> Any:
        return np.linalg.norm((a - b + extra).plain, power, -1)

    far = distance(anchor, unlike)
    far = np.minimum(far, distance(like, unlike)) if loss.swap else far
    return reduced(loss, np.maximum(loss.margin + distance(anchor, like) - far, 0))


def info_nce(loss: Any, one: Array, other: Array) -> Array:
    """The cross entropy of which rows of two outputs belong together."""
    if loss.normalize:
        one, other = _unit(one), _unit(other)
    scores = ArrayTensor.of(one @ other.T / loss.temperature)
    there = -np.diagonal(scores.log_softmax(1)).mean()
    return ArrayTensor.of((there - np.diagonal(scores.log_softmax(0)).mean()) / 2 if loss.symmetric else there)


def nt_xent(loss: Any, one: Array, other: Array) -> Array:
    """The cross entropy of which of all other rows of two outputs belongs to each."""
    rows = _unit(ArrayTensor.of(np.concatenate([one, other])))
    scores = ArrayTensor.of(rows @ rows.T / loss.temperature)
    scores[np.arange(len(rows)), np.arange(len(rows))] = -np.inf
    own = np.roll(np.arange(len(rows)), len(one))
    return ArrayTensor.of(-scores.log_softmax(1)[np.arange(len(rows)), own].mean())


def _unit(rows: Array) -> Array:
    """Rows of length 1."""
    return ArrayTensor.of(rows / np.maximum(np.sqrt(np.square(rows).sum(1, keepdims=True)), SHORT))


# --- one output by itself ------------------------------------------------------------------------------------


def mean(loss: Any, values: Array) -> Array:
    """The mean, or that taken away."""
    return ArrayTensor.of(-values.mean() if loss.maximise else values.mean())


def load_balance(loss: Any, scores: Array) -> Array:
    """How unevenly tokens are spread over experts."""
    likely = scores.reshape(-1, scores.shape[-1]).softmax(1)
    chosen = likely.topk(loss.chosen).indices
    choices = np.zeros((*chosen.shape, likely.shape[1]), likely.dtype)
    np.put_along_axis(choices, chosen.plain[..., None], 1, -1)
    return ArrayTensor.of(likely.shape[1] * (choices.mean(0) * likely.mean(0)).sum())


def ctc(loss: Any, logs: Array, target: Array, steps: Array, lengths: Array) -> Array:
    """The negative logarithm of the probability of a sequence, over all its alignments; a mean over the target's."""
    each = alignments(logs.plain, target.plain, lengths.plain, loss.blank)
    if loss.zero_infinity:
        each = np.where(np.isinf(each), 0, each)
    if loss.reduction == "mean":
        each = each / np.maximum(lengths.plain, 1)
    return reduced(loss, each)


FORMS: Final[dict[str, Callable[..., Array]]] = {
    "CrossEntropyLoss": cross_entropy,
    "NLLLoss": nll,
    "MultiMarginLoss": multi_margin,
    "MultiLabelMarginLoss": multilabel_margin,
    "BCELoss": bce,
    "BCEWithLogitsLoss": bce_logits,
    "MultiLabelSoftMarginLoss": multilabel_soft_margin,
    "SoftMarginLoss": soft_margin,
    "HingeEmbeddingLoss": hinge,
    "MSELoss": mse,
    "L1Loss": l1,
    "HuberLoss": huber,
    "SmoothL1Loss": smooth_l1,
    "PoissonNLLLoss": poisson,
    "GaussianNLLLoss": gaussian,
    "KLDivLoss": kl,
    "DistillationLoss": distillation,
    "CosineEmbeddingLoss": cosine_embedding,
    "MarginRankingLoss": margin_ranking,
    "TripletMarginLoss": triplet,
    "TripletMarginWithDistanceLoss": triplet,
    "InfoNCELoss": info_nce,
    "NTXentLoss": nt_xent,
    "MeanLoss": mean,
    "LoadBalanceLoss": load_balance,
    "CTCLoss": ctc,
}
"""What each loss computes of the arguments of torch's module, by the name of its class; those that have weights of
their own compute nothing without them."""


class ArrayLoss:
    """A loss on arrays, called as torch's module of it is."""

    def __init__(self, loss: Loss) -> None:
        """The loss, which `FORMS` has."""
        self.loss, self.weight = loss, weight_of(loss)
        self.form = FORMS[type(loss).__name__]

    def __call__(self, *given: Array) -> Array:
        """The loss of one batch, a single number."""
        return self.form(self.loss, *given)
