"""An activation that the loss applies by itself."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class ScoresActivated(Rule):
    """A loss that takes raw scores is given raw scores.

    Cross entropy has its softmax inside, and bce_logits its sigmoid. A second one before it flattens the gradients:
    the network trains, slowly, to a worse end.
    """

    code = "scores-activated"
    severity = "warning"
    stage = "training"
    example = """\
input: 8
layers: [fc 3, softmax 1]
train: {loss: ce, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for compared in facts.comparisons:
            for last in compared.ends if compared.loss.wants == "scores" else ():
                if last.op is None or not last.op.makes:
                    continue
                text = f"{compared.loss.said} takes raw scores, and {last.told} has activated them already"
                yield self.problem(
                    text, compared.place(last), "Leave it out; an export may add it: export.onnx.output."
                )
