"""Numerical tolerance: how far two computations of one network are apart, and whether that is near enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences over some samples.

    `relative` is the absolute difference over the largest value of its output, `scale`: rounding grows with the values
    that are added up, so a small number among large ones is as near as those are. `excess` is by how much the worst
    value leaves its tolerance, atol + rtol * scale; at most 0 where all agree.
    """

    what: str
    """The samples that it was found on, in words."""
    samples: int
    """How many these are."""
    absolute: float
    """The largest |exported - torch|."""
    relative: float
    """The same as a part of the scale."""
    scale: float
    """The largest |torch| of that output."""
    excess: float

    @property
    def agrees(self) -> bool:
        """Whether no value is further from its own than the tolerance."""
        return self.excess <= 0

    def joined(self, other: Difference, samples: int) -> Difference:
        """The largest of both."""
        names = ("absolute", "relative", "scale", "excess")
        return Difference(self.what, samples, *(max(getattr(self, n), getattr(other, n)) for n in names))


def difference(what: str, found: Array, expected: Array, atol: float, rtol: float) -> Difference:
    """How `found` differs from `expected`, of the same shape. NaN or infinity on one side only is infinitely far.

    Whole numbers and booleans agree only where they are the same.
    """
    samples = len(expected) if expected.ndim else 1
    exact = expected.dtype.kind in "biu"
    a, b = found.astype(np.float64), expected.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    apart[~same & ~(np.isfinite(a) & np.isfinite(b))] = np.inf
    absolute = float(apart.max(initial=0))
    scale = float(np.abs(b).max(initial=0, where=np.isfinite(b)))
    relative = absolute / scale if scale else absolute and np.inf
    return Difference(what, samples, absolute, relative, scale, absolute - (0 if exact else atol + rtol * scale))
