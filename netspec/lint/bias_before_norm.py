"""A bias that the norm behind it takes away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.graph.model import Step
from netspec.lint.base import Facts, Rule

BY_CHANNEL: Final = ("batch", "instance")
"""Norms that subtract the mean of each channel."""


class BiasBeforeNorm(Rule):
    """A layer right before a batch or instance norm has no bias.

    The norm subtracts the mean of each channel, and the bias with it: it is trained and stored, and has no effect.
    """

    code = "bias-before-norm"
    severity = "info"
    about = ("normalises",)
    example = """\
input: 3x8x8
layers: [conv 4 k3, bn, relu]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            before = facts.flow.before(step)
            if step.op is None or step.op.normalises not in BY_CHANNEL or before is None:
                continue
            if facts.flow.users[before] == [step] and getattr(before.op, "bias", False) and _by_channel(before):
                text = f"{step.told} takes the mean of each channel away, and with it the bias of {before.told}"
                yield self.problem(text, before.at, "Write nobias.")


def _by_channel(step: Step) -> bool:
    """Whether a layer's bias is one number for each channel."""
    assert step.op is not None
    tensor = step.value.tensor
    flat = tensor is not None and len(tensor.shape) == 2
    return step.op.family == "convolution" or (step.op.family == "linear" and flat)
