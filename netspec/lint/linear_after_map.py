"""A linear layer on a map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.graph.model import Step, Value
from netspec.lint.base import Facts, Rule
from netspec.tensors import sample

MAPS: Final = ("convolution", "pooling")
KEEPS: Final = ("activation", "dropout", "normalisation")
"""Families that leave a map a map: they are looked through."""


class LinearAfterMap(Rule):
    """A linear layer does not follow a convolution or a pool.

    Linear acts on the last axis alone, which is then the width of a map: it runs, and computes something that nobody
    wants. What is meant is nearly always fc, which flattens first.
    """

    code = "linear-after-map"
    about = ("multiplies",)
    example = """\
input: 3x8x8
layers: [conv 4 k3, relu, linear 10]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.graph.root.walk():
            if step.op is not None and step.op.multiplies == "last axis" and not step.again and step.inputs:
                source = _map(step.inputs[0])
                if source is not None:
                    yield self._problem(step, source)

    def _problem(self, step: Step, source: Step) -> Problem:
        """What is said of a linear layer right behind a map."""
        shape = source.value.tensor
        assert shape is not None
        text = f"{step.told} acts on the last axis of {sample(shape.shape)}, the map that {source.told} gives"
        return Problem(self.code, text, step.at, "Write fc, which flattens first, or flatten before the linear.")


def _map(value: Value) -> Step | None:
    """The convolution or pool that a value comes from, through layers that leave it a map."""
    step = value.actual.step
    while step is not None and step.op is not None and step.inputs:
        family = step.op.family
        if family in MAPS:
            tensor = step.value.tensor
            return step if tensor is not None and len(tensor.shape) > 2 else None
        if family not in KEEPS:
            return None
        step = step.inputs[0].actual.step
    return None
