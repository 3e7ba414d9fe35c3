"""Resizing as torch computes it, along one axis: a matrix from the points that are there to those that are wanted.

ONNX has an operator for it, whose averaging over points that fall together is another than torch's near the border and
between points; images differ by up to 0.07 of their range. A product with two matrices is torch's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def matrix(found: int, wanted: int, mode: str, antialias: bool) -> Array:
    """The share that each of the points found has in each of those wanted: wanted x found, float32."""
    if mode == "area":
        shares = _area(found, wanted)
    elif antialias:
        shares = _averaged(found, wanted, *((_triangle, 1.0) if mode == "bilinear" else (_curve, 2.0)))
    else:
        shares = _between(found, wanted, mode)
    return np.asarray(shares, np.float32)


def nearest(found: int, wanted: int) -> Array:
    """The number of the point that each wanted one is, as `nearest-exact` counts in float32."""
    scale = np.float32(found) / np.float32(wanted)
    middles = (np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * scale
    return np.asarray(np.minimum(np.floor(middles), found - 1), np.int64)


def _area(found: int, wanted: int) -> Array:
    """The mean of the points that a wanted one covers, whole or in part."""
    shares = np.zeros((wanted, found))
    for i in range(wanted):
        begin, end = i * found // wanted, ceil((i + 1) * found / wanted)
        shares[i, begin:end] = 1 / (end - begin)
    return shares


def _averaged(found: int, wanted: int, curve: Callable[[float], float], reach: float) -> Array:
    """A curve over as many points as fall together, or over its own reach where none do."""
    shares, scale = np.zeros((wanted, found)), found / wanted
    wide = max(scale, 1.0)
    for i in range(wanted):
        middle = scale * (i + 0.5)
        begin, end = max(int(middle - reach * wide + 0.5), 0), min(int(middle + reach * wide + 0.5), found)
        own = [curve((j - middle + 0.5) / wide) for j in range(begin, end)]
        shares[i, begin:end] = np.array(own) / sum(own)
    return shares


def _between(found: int, wanted: int, mode: str) -> Array:
    """The points around a wanted one, those at the border again for what lies outside."""
    shares, scale = np.zeros((wanted, found)), found / wanted
    for i in range(wanted):
        place = scale * (i + 0.5) - 0.5
        place = max(place, 0.0) if mode == "bilinear" else place
        first = floor(place)
        for j in range(first, first + 2) if mode == "bilinear" else range(first - 1, first + 3):
            share = _triangle(place - j) if mode == "bilinear" else _curve(place - j, -0.75)
            shares[i, min(max(j, 0), found - 1)] += share
    return shares


def _triangle(x: float) -> float:
    """1 in the middle, 0 from the next point on."""
    return max(1 - abs(x), 0.0)


def _curve(x: float, a: float = -0.5) -> float:
    """Keys' cubic convolution, which is 0 from the second point on."""
    x = abs(x)
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * a if x < 2 else 0.0
