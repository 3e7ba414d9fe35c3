"""Images brought to another size without torch: for each axis the share that each point has in each new one.

The same as torch.nn.functional.interpolate, to rounding; with antialias as Pillow does it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


def resampled(x: Array, size: tuple[int, int], mode: str, antialias: bool) -> Array:
    """Images, B x C x height x width, in another size; `mode` is bilinear, bicubic, area or nearest."""
    import numpy as np

    down, across = (shares(x.shape[axis], size[axis + 2], mode, antialias) for axis in (-2, -1))
    made: Array = (down @ x.astype(np.float64)) @ across.T
    return made.astype(np.float32)


def shares(found: int, wanted: int, mode: str, antialias: bool) -> Array:
    """What share each of the points that are `found` on an axis has in each that is `wanted`: wanted x found."""
    import numpy as np

    made = np.zeros((wanted, found))
    scale = found / wanted
    for place in range(wanted):
        middle = (place + 0.5) * scale
        if mode == "nearest":
            made[place, min(floor(middle), found - 1)] = 1
        elif mode == "area":
            begin, end = floor(place * found / wanted), ceil((place + 1) * found / wanted)
            made[place, begin:end] = 1 / (end - begin)
        elif antialias:
            wide = max(scale, 1)
            reach, curve = (2 * wide, _cubic(-0.5)) if mode == "bicubic" else (wide, _linear)
            begin, end = max(int(middle - reach + 0.5), 0), min(int(middle + reach + 0.5), found)
            weights = np.array([curve((i - middle + 0.5) / wide) for i in range(begin, end)])
            made[place, begin:end] = weights / weights.sum()
        elif mode == "bicubic":
            first = floor(middle - 0.5)
            for i in range(first - 1, first + 3):
                made[place, min(max(i, 0), found - 1)] += _cubic(-0.75)(i - middle + 0.5)
        else:
            at = max(middle - 0.5, 0)
            first = min(floor(at), found - 1)
            made[place, first] += 1 - (at - first)
            made[place, min(first + 1, found - 1)] += at - first
    return made


def _linear(x: float) -> float:
    """The weight of a point at this distance."""
    return max(1 - abs(x), 0)


def _cubic(a: float) -> Callable[[float], float]:
    """The same for a cubic convolution: Keys, Cubic convolution interpolation for digital image processing, 1981."""

    def weight(x: float) -> float:
        x = abs(x)
        if x < 1:
            return ((a + 2) * x - (a + 3)) * x * x + 1
        return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0

    return weight
