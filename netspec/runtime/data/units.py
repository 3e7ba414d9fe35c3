"""The scale that a target of numbers was trained on, and the way back to its own units. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

Array = Any
"""A tensor of torch, or an array."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The mean and the deviation of a target: one for each of its columns, or one for all of it."""

    mean: Array
    """In the target's own units: one number, or one a column."""
    deviation: Array
    """In the same shape and units."""

    @classmethod
    def of(cls, learnt: Mapping[str, Any], held: Callable[[list[float]], Array]) -> Self | None:
        """The scale that a run has learnt, where it has one, with its numbers `held` as what they are to meet."""
        scale = learnt.get("scale")
        return cls(held(scale["mean"]), held(scale["deviation"])) if scale else None

    def taken_out(self, target: Array) -> Array:
        """A target as the network is to give it, (target - mean) / deviation, in the same shape."""
        return (target - self.mean) / self.deviation

    def put_back(self, values: Array) -> Array:
        """What the network gives, in the target's own units: values * deviation + mean, in the same shape."""
        return values * self.deviation + self.mean
