"""A loss that takes probabilities, without the layer that makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule

WAYS: Final = {"probabilities": ("sigmoid", "bce_logits"), "log probabilities": ("log_softmax 1", "cross_entropy")}
"""For each kind of probability: what to write, and the loss that does not need it."""
PLAIN: Final = frozenset({"linear", "convolution", "normalisation", "activation", "recurrent", "pooling"})
"""Families whose results are known to be no probabilities, but for those that make them."""


class ProbabilitiesMissing(Rule):
    """A loss of probabilities is given probabilities.

    BCELoss ends the run at the first number outside 0 to 1. NLLLoss and its kin do not: their loss falls below 0 and
    on without end, and what is learned is nothing.
    """

    code = "probabilities-missing"
    stage = "training"
    example = """\
input: 8
layers: [fc 3]
train: {loss: nll, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for compared in facts.comparisons:
            wanted = compared.loss.wants
            for last in compared.ends if wanted in WAYS else ():
                if last.op is None or last.op.family not in PLAIN or last.op.makes == wanted:
                    continue
                write, instead = WAYS[wanted]
                text = f"{compared.loss.said} takes {wanted}, {last.told} gives none"
                yield self.problem(text, compared.place(last), f"End the network with {write}, or take {instead}.")
