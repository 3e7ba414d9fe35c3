"""Losses that hold the last linear layer themselves, and are trained with the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.dims import Size
from netspec.losses.base import (
    CLASS_WEIGHTS,
    Array,
    Loss,
    Range,
    Reduction,
    Weights,
    agree,
    need_batch_rank,
    need_integers,
    need_target_shape,
    places,
)
from netspec.records import Bool, Float, Int
from netspec.several import Several, rising, whole
from netspec.tensors import Misfit, Tensor, show


class Head(Loss):
    """A loss that takes features instead of scores."""

    rule = "Takes features of B x in_features and class numbers of B."
    owns_parameters = True
    kind = "class"
    activation = "softmax"

    in_features = Int("features of the prediction", ge=1)

    @property
    def count(self) -> int:
        """How many classes there are."""
        raise NotImplementedError(type(self).__name__)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        features = predictions[0]
        need_batch_rank(features, 2, what="batch x features")
        if not agree(features.shape[1], self.in_features):
            text = f"declares {self.in_features} features, the prediction is {show(features.shape)}"
            raise Misfit(text, field="in_features")
        if target is not None:
            self.fit_target(features, target)

    def fit_target(self, features: Tensor, target: Tensor) -> None:
        """The rule for the target, given the features' shape."""
        need_integers(target, "Numbers to predict go with mse or l1.")
        need_target_shape(features, target, features.shape[:1], "one class number a sample")

    def classes(self, prediction: Tensor) -> Size | None:
        return self.count

    def log_probabilities(self, scores: Array) -> Array:
        """The logarithms of the classes' probabilities."""
        return scores.log_softmax(1)

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        return (0, self.count - 1) if target.dtype == "int64" else (0, 1)


class AdaptiveLogSoftmaxWithLoss(Head):
    """Cross entropy over very many classes, the rare ones in clusters that are looked into only when needed."""

    words = ("adaptive_log_softmax",)
    example = "adaptive_log_softmax 64 1000 cutoffs=10x100"

    n_classes = Int("classes", ge=2)
    cutoffs = Several(
        "the first class of each cluster, rising",
        whole(1),
        "whole numbers greater than 0, each larger than the one before",
        fit=rising,
    )
    div_value = Float("by what the clusters' widths are divided, one after the other", 4.0, gt=0)
    head_bias = Bool("whether the frequent classes' layer has a bias", False)

    @property
    def count(self) -> int:
        return self.n_classes

    def scores(self, module: Any, prediction: Array) -> Array:
        return module.log_prob(prediction)

    def fit(self, predictions: Sequence[Tensor], target: Tensor | None) -> None:
        if self.cutoffs[-1] >= self.n_classes:
            text = f"has a cluster that begins at {self.cutoffs[-1]}, there are {self.n_classes} classes"
            raise Misfit(text, field="cutoffs")
        super().fit(predictions, target)


class LinearCrossEntropyLoss(Head):
    """A linear layer and its cross entropy in one, which never holds all the scores at once."""

    words = ("linear_cross_entropy",)
    example = "linear_cross_entropy 64 1000"

    num_classes = Int("classes", ge=2)
    out_features = Several(
        "further axes of the target, each place with its own scores",
        whole(1),
        "sizes of at least 1",
        (),
        least=0,
        keyword=True,
    )
    bias = Bool("whether the layer has a bias", False, keyword=True)
    reduction = Reduction(keyword=True)
    weight = Weights(CLASS_WEIGHTS, counted=True)
    ignore_index = Int("a target that is skipped", None, keyword=True)
    label_smoothing = Float("share of the probability that is spread over all classes", 0.0, ge=0, le=1, keyword=True)

    @property
    def count(self) -> int:
        return self.num_classes

    def scores(self, module: Any, prediction: Array) -> Array:
        return module.linear(prediction).unflatten(1, (self.num_classes, *self.out_features))

    def fit_target(self, features: Tensor, target: Tensor) -> None:
        """Refuse a target that is neither class numbers, nor a probability for each. Raises Misfit."""
        batch = features.shape[0]
        if target.dtype == "float32":
            shape = (batch, self.num_classes, *self.out_features)
            need_target_shape(features, target, shape, "class numbers, or a probability for each class")
            return
        need_integers(target, "Numbers to predict go with mse or l1.")
        need_target_shape(features, target, (batch, *self.out_features), "one class number a place")

    def ignored(self) -> int | None:
        return -100 if self.ignore_index is None else self.ignore_index

    def share(self, module: Any, target: Array) -> Any:
        return places(target, self.ignored(), module.weight)
