"""Values that are joined along the batch."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import BATCH
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class BatchConcat(Rule):
    """Values are not joined along the batch.

    The result has more rows than there are samples, and no loss finds their targets. Axis 1 holds the channels.
    """

    code = "batch-concat"
    severity = "warning"
    about = ("joins",)
    example = """\
inputs: {a: 8, b: 8}
layers: {both: concat(a b) 0}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            tensor = step.inputs[0].tensor if step.inputs else None
            if step.op is None or not step.op.joins or tensor is None or len(step.inputs) < 2:
                continue
            if getattr(step.op, "dim", 1) in (0, -len(tensor.shape)) and tensor.shape[0] == BATCH:
                text = f"{step.told} joins along axis 0, which is the batch"
                yield self.problem(text, step.at, "Without an axis it joins the channels.")
