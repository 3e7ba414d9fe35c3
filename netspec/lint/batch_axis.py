"""Sequences whose batch stands where time is read."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import BATCH
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class BatchAxis(Rule):
    """A layer that reads length x batch x width is given its batch on axis 1.

    With the batch on axis 0 and without batch_first it reads the samples of a batch as one sequence: it runs, each
    sample sees the others, and nothing is learned that holds for one alone.
    """

    code = "batch-axis"
    severity = "warning"
    about = ("batch_first",)
    example = """\
input: 10x32
layers: [gru 16]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            if getattr(step.op, "batch_first", True):
                continue
            tensor = step.inputs[0].tensor
            if tensor is not None and len(tensor.shape) == 3 and tensor.shape[0] == BATCH:
                text = f"{step.told} reads axis 0 as time, which is the batch"
                yield self.problem(text, step.at, "Write batch_first, or transpose 0 1 before it.")
