"""Transforms that change each value by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any

from netspec.records import Checked, Float, refuse
from netspec.tensors import Misfit, Tensor, show
from netspec.transforms.base import Transform, need_floats

if TYPE_CHECKING:
    import numpy as np
    import torch

PER_CHANNEL = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}, "minItems": 1}]}


def _numbers(value: Any) -> float | tuple[float, ...]:
    """A finite number, or several; a list of one is that one."""
    items = tuple(value) if isinstance(value, list | tuple) else (value,)
    for item in items:
        if isinstance(item, bool) or not isinstance(item, int | float) or not isfinite(item):
            raise refuse("a number, or one for each channel as in 0.5x0.4x0.3")
    if not items:
        raise refuse("at least one number")
    return items if len(items) > 1 else items[0]


def _deviations(value: Any) -> float | tuple[float, ...]:
    """The same for numbers greater than 0."""
    numbers = _numbers(value)
    if min(numbers if isinstance(numbers, tuple) else (numbers,)) <= 0:
        raise refuse("a number greater than 0, or one for each channel")
    return numbers


class Normalize(Transform):
    """Subtracts the mean and divides by the standard deviation, both measured on values of 0.0 to 1.0."""

    example = "normalize 0.1307 0.3081"
    moves = False

    mean = Checked("mean of all values, or of each channel", _numbers, PER_CHANNEL)
    std = Checked("standard deviation of all values, or of each channel", _deviations, PER_CHANNEL)

    def shape(self, x: Tensor) -> Tensor:
        need_floats(x)
        for name in ("mean", "std"):
            numbers = getattr(self, name)
            if isinstance(numbers, tuple) and (len(x.shape) < 2 or x.shape[1] != len(numbers)):
                text = f"has a {name} for {len(numbers)} channels, the data is {show(x.shape[1:])}"
                raise Misfit(text, field=name)
        return x

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        def along_channels(numbers: float | tuple[float, ...]) -> float | torch.Tensor:
            return x.new_tensor(numbers).view(-1, *[1] * (x.ndim - 2)) if isinstance(numbers, tuple) else numbers

        centred = x - along_channels(self.mean)
        return centred.div_(along_channels(self.std))

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        def along_channels(numbers: float | tuple[float, ...]) -> Any:
            return np.array(numbers, np.float32).reshape(-1, *[1] * (x.ndim - 2) * isinstance(numbers, tuple))

        found: np.ndarray[Any, Any] = (x - along_channels(self.mean)) / along_channels(self.std)
        return found


class Standardize(Transform):
    """Normalizes by the mean and the standard deviation of the training data, taken for each channel or column."""

    example = "standardize"
    learns, moves = True, False

    def shape(self, x: Tensor) -> Tensor:
        need_floats(x)
        return x

    def fitted(self, pieces: Iterable[torch.Tensor]) -> Normalize:
        import torch

        count, sums = 0, []
        for piece in pieces:
            rows = piece.double().movedim(1, -1).flatten(0, -2) if piece.ndim > 1 else piece.double()[:, None]
            count += len(rows)
            sums.append(torch.stack((rows.sum(0), rows.square().sum(0))))
        mean, square = torch.stack(sums).sum(0) / count
        deviation = (square - mean.square()).clamp_min(0).sqrt()
        deviation[deviation <= 1e-7 * mean.abs()] = 1  # a constant column, but for rounding
        return Normalize(mean=mean.tolist(), std=deviation.tolist())


class Scale(Transform):
    """Multiplies by a number and adds another, as floats: `scale 2 -1` turns 0.0 to 1.0 into -1.0 to 1.0."""

    example = "scale 2 -1"
    moves = False

    factor = Float("what values are multiplied by")
    offset = Float("what is added then", 0)

    def shape(self, x: Tensor) -> Tensor:
        return replace(x, dtype="float32")

    def bounds(self, low: float, high: float) -> tuple[float, float] | None:
        ends = sorted(end * self.factor + self.offset for end in (low, high))
        return ends[0], ends[1]

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() * self.factor + self.offset

    def apply_array(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return x.astype(np.float32) * np.float32(self.factor) + np.float32(self.offset)
