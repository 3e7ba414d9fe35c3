"""Softmaxes over the samples of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.dims import names
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

SOFTMAXES: Final = frozenset({"Softmax", "LogSoftmax", "Softmin"})


class BatchSoftmax(Rule):
    """A softmax runs along the classes, and not along the batch.

    Along the batch the probabilities of a sample depend on the others that happen to be beside it, and those of a
    sample alone are all 1.
    """

    code = "batch-softmax"
    severity = "warning"
    example = """\
input: 8
layers: [fc 10, softmax 0]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            tensor = step.inputs[0].tensor if step.inputs else None
            if type(step.op).__name__ not in SOFTMAXES or tensor is None:
                continue
            # Of similarities between samples both axes are the batch, and either is meant.
            batch = [axis for axis, size in enumerate(tensor.shape) if "B" in names(size)]
            if len(tensor.shape) > 1 and batch == [getattr(step.op, "dim", 1) % len(tensor.shape)]:
                text = f"{step.name} runs along axis {batch[0]}, which is the batch"
                yield self.problem(text, step.at, "`-1` is the last axis, `1` the channels or classes.")
