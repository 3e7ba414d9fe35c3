"""The numbers of a transform against the values that meet it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.transforms.values import Normalize, Scale

if TYPE_CHECKING:
    from netspec.transforms.route import Placed

Bounds = tuple[float, float]
BYTES: Final = 255


class ValueRange(Rule):
    """A transform is told the mean of the values that meet it, and bytes are brought to 0.0 to 1.0 once.

    Bytes of images are 0.0 to 1.0 before any transform. A mean of 123 that was measured on 0 to 255 makes all of them
    nearly the same number, and `scale 0.0039` brings them to 0.0 to 1.0 a second time: the network trains, badly.
    """

    code = "value-range"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10]
data: {source: digits, transform: normalize 123 58}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.data is None:
            return
        for placed, bounds in _met(facts):
            step, at = placed.step, At(("data", "transform"))
            if isinstance(step, Normalize) and (mean := _outside(step.mean, bounds)) is not None:
                text = f"normalize takes off a mean of {mean:g}, and the values are {bounds[0]:g} to {bounds[1]:g}"
                yield self.problem(text, at, _advice(step, bounds))
            if isinstance(step, Scale) and bounds == (0, 1) and 0 < step.factor * BYTES <= 2.01:
                text = f"scale makes {step.factor:g} of values that are 0 to 1 already"
                yield self.problem(text, at, "Bytes are brought to 0.0 to 1.0 before any transform. Drop it.")


def _met(facts: Facts) -> Iterator[tuple[Placed, Bounds]]:
    """Each transform with the least and the largest value that may meet it, as far as they are known."""
    section, source = facts.data, facts.source
    if section is None or not source.inputs or not source.ranges:
        return
    bounds: list[Bounds | None] = list(source.ranges)
    for placed in section.placed(source.inputs, section.names):
        for place in placed.inputs:
            before = bounds[place]
            if before is not None:
                yield placed, before
                bounds[place] = placed.step.bounds(*before)


def _outside(mean: Any, bounds: Bounds) -> float | None:
    """The first mean that is none of values within the bounds."""
    means = mean if isinstance(mean, tuple) else (mean,)
    return next((m for m in means if not bounds[0] <= m <= bounds[1]), None)


def _advice(step: Normalize, bounds: Bounds) -> str:
    """The same numbers for values of 0 to 1, where they were measured on bytes."""
    means, stds = (value if isinstance(value, tuple) else (value,) for value in (step.mean, step.std))
    if bounds != (0, 1) or not all(0 <= m <= BYTES for m in means):
        return "Write the mean and the deviation of the data, or standardize, which measures them."
    shown = ("x".join(f"{v / BYTES:.4g}" for v in values) for values in (means, stds))
    return f"Measured on 0 to 255, it is normalize {' '.join(shown)} here; standardize measures them itself."
