"""Softmaxes over the samples of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import names
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class BatchSoftmax(Rule):
    """A softmax runs along the classes, and not along the batch.

    Along the batch the probabilities of a sample depend on the others that happen to be beside it, and those of a
    sample alone are all 1.
    """

    code = "batch-softmax"
    severity = "warning"
    about = ("makes",)
    example = """\
input: 8
layers: [fc 10, softmax 0]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            tensor = step.inputs[0].tensor if step.inputs else None
            axis = getattr(step.op, "dim", None)
            if step.op is None or not step.op.makes or axis is None or tensor is None:
                continue
            # Of similarities between samples both axes are the batch, and either is meant.
            batch = [place for place, size in enumerate(tensor.shape) if "B" in names(size)]
            if len(tensor.shape) > 1 and batch == [axis % len(tensor.shape)]:
                text = f"{step.told} runs along axis {batch[0]}, which is the batch"
                yield self.problem(text, step.at, "`-1` is the last axis, `1` the channels or classes.")
