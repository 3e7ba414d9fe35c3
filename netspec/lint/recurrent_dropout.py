"""Dropout between the layers of a recurrent network that has one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

RECURRENT: Final = frozenset({"RNN", "GRU", "LSTM"})


class RecurrentDropout(Rule):
    """A recurrent layer with dropout has at least two layers.

    Its dropout stands between its layers: with one layer there is no place for it, and nothing is dropped.
    """

    code = "recurrent-dropout"
    severity = "warning"
    example = """\
input: TxBx8
layers: [lstm 16 dropout=0.2]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.flow.steps:
            dropout, layers = getattr(step.op, "dropout", None), getattr(step.op, "num_layers", None)
            if type(step.op).__name__ in RECURRENT and dropout and layers == 1:
                text = f"{step.name} drops numbers between its layers, and it has only one"
                yield self.problem(text, step.at, "Write num_layers=2, or a dropout behind it.")
