"""Losses over numbers that can make them of class numbers."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.dims import Size
from netspec.losses.base import Array, Kind, Loss, Range, alike, need_integers, need_target_shape
from netspec.records import Bool
from netspec.tensors import Misfit, Tensor


class OneHot(Loss):
    """A loss that compares numbers; with `one_hot`, a class number becomes zeros with a single 1 at its place.

    Shares of the classes, such as mixed samples have, are taken as they are.
    """

    one_hot = Bool("whether the target holds class numbers to spread over axis 1", False, torch=False, keyword=True)

    @property
    def target_kind(self) -> Kind:
        """What the target holds: with `one_hot` the numbers of classes."""
        return "class" if self.one_hot else self.kind

    def spread(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The target as it is compared. Raises Misfit for class numbers that no one_hot spreads, and the reverse."""
        places = (*prediction.shape[:1], *prediction.shape[2:])
        if self.one_hot and target.dtype == "float32" and alike(prediction.shape, target.shape):
            return target
        if self.one_hot:
            need_integers(target, "Without one_hot, numbers are compared as they are.")
            need_target_shape(prediction, target, places, "one class number a place")
            return prediction
        if target.dtype == "int64" and len(prediction.shape) > 1 and alike(places, target.shape):
            hint = f"Write {self.words[0]} one_hot, which makes numbers of them; or take cross_entropy."
            if prediction.shape[1] == 1:
                hint = "Say that they are numbers: regression of a table, or numbers of images with several labels; "
                hint += "or give the network an output for each class and take cross_entropy."
            raise Misfit("compares numbers, the target holds class numbers", hint)
        return target

    def classes(self, prediction: Tensor) -> Size | None:
        return prediction.shape[1] if self.one_hot else super().classes(prediction)

    def target_range(self, predictions: Sequence[Tensor], target: Tensor) -> Range:
        classes = self.classes(predictions[0])
        if classes is None or target.dtype != "int64":
            return self.numbers()
        return 0, classes - 1 if isinstance(classes, int) else None

    def numbers(self) -> Range:
        """The least and the largest number that a target of numbers may hold."""
        return None, None

    def inputs(self, predictions: Sequence[Array], target: Array) -> tuple[Array, ...]:
        if self.one_hot and not target.is_floating_point():
            target = predictions[0].new_zeros(predictions[0].shape).scatter_(1, target.unsqueeze(1), 1)
        return super().inputs(predictions, target)
