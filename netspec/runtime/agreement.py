"""How far two computations of the same network are apart, and whether that is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences over some samples.

    `relative` is taken over the values that are large enough for rtol to count, rtol * |value| > atol. `excess` is by
    how much the worst value leaves its tolerance; at most 0 where all agree.
    """

    what: str
    samples: int
    absolute: float
    relative: float
    excess: float

    @property
    def agrees(self) -> bool:
        return self.excess <= 0

    def joined(self, other: Difference) -> Difference:
        """The largest of both, over the samples of both."""
        worst = (max(getattr(self, n), getattr(other, n)) for n in ("absolute", "relative", "excess"))
        return Difference(self.what, self.samples + other.samples, *worst)


def difference(what: str, found: Array, expected: Array, atol: float, rtol: float) -> Difference:
    """How `found` differs from `expected`, of the same shape. NaN or infinity on one side only is infinitely far."""
    samples = len(expected) if expected.ndim else 1
    if not expected.size:
        return Difference(what, samples, 0.0, 0.0, 0.0)
    if expected.dtype.kind in "biu":
        far = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())
        return Difference(what, samples, far, 0.0, far)
    a, b = found.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    apart[~same & ~(np.isfinite(a) & np.isfinite(b))] = np.inf
    size = np.where(np.isfinite(b), np.abs(b), 0.0)
    counts = (rtol * size > atol) & (size > 0)
    relative = float((apart[counts] / size[counts]).max()) if counts.any() else 0.0
    return Difference(what, samples, float(apart.max()), relative, float((apart - atol - rtol * size).max()))
