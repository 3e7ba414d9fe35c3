"""Dropout between the layers of a recurrent network that has one."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class RecurrentDropout(Rule):
    """A recurrent layer with dropout has at least two layers.

    Its dropout stands between its layers: with one layer there is no place for it, and nothing is dropped.
    """

    code = "recurrent-dropout"
    severity = "warning"
    about = ("dropout",)
    example = """\
input: TxBx8
layers: [lstm 16 dropout=0.2]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            dropout, layers = getattr(step.op, "dropout", None), getattr(step.op, "num_layers", None)
            if step.op is not None and step.op.family == "recurrent" and dropout and layers == 1:
                text = f"{step.told} drops numbers between its layers, and it has only one"
                yield self.problem(text, step.at, "Write num_layers=2, or a dropout behind it.")
