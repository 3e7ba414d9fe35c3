"""Tokens where channels are read."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.graph.model import Step
from netspec.lint.base import Facts, Rule


class TokensAsChannels(Rule):
    """A convolution, a pool or a batch norm along tokens has their width on axis 1.

    An embedding gives tokens x width, these layers read channels x places. Without a transpose they take each place in
    the text for a channel: it runs for the one length that was declared, and learns nothing of what stands side by
    side.
    """

    code = "tokens-as-channels"
    severity = "warning"
    about = ("gives_tokens",)
    example = """\
input: int 32
layers: [embedding 100 16, conv1d 8 k3, gap, fc 2]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            tensor = step.inputs[0].tensor if step.inputs else None
            if step.op is not None and step.op.reads_channels and tensor is not None and len(tensor.shape) == 3:
                maker = self._tokens(facts, step)
                if maker is not None:
                    text = f"{step.told} takes the {tensor.shape[1]} tokens that {maker.told} gives for channels"
                    yield self.problem(text, step.at, "Write transpose 1 2 before it.")

    def _tokens(self, facts: Facts, step: Step) -> Step | None:
        """What gives the tokens that a step is given, through all that leaves their axes as they are."""
        before = facts.flow.before(step)
        while before is not None and before.op is not None:
            if before.op.gives_tokens:
                return before if getattr(before.op, "batch_first", True) else None
            if not before.op.keeps_axes:
                return None
            before = facts.flow.before(before)
        return None
