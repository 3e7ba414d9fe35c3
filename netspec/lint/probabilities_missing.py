"""A loss that takes probabilities, without the layer that makes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.errors import Problem
from netspec.graph.model import Step
from netspec.lint.base import Facts, Rule

MAKERS: Final = {
    "probabilities": ({"Sigmoid", "Hardsigmoid", "Softmax", "Softmin", "Softmax2d"}, "sigmoid", "bce_logits"),
    "log probabilities": ({"LogSoftmax", "LogSigmoid"}, "log_softmax 1", "cross_entropy"),
}
"""For each kind of probability: what makes it, what to write, and the loss that needs neither."""
PLAIN: Final = frozenset(
    {"linear", "convolution", "normalisation", "layernorm", "activation", "softmax", "recurrent", "pooling", "adaptive"}
)
"""Families whose results are known to be no probabilities, but for those that make them."""


class ProbabilitiesMissing(Rule):
    """A loss of probabilities is given probabilities.

    BCELoss ends the run at the first number outside 0 to 1. NLLLoss and its kin do not: their loss falls below 0 and
    on without end, and what is learned is nothing.
    """

    code = "probabilities-missing"
    example = """\
input: 8
layers: [fc 3]
train: {loss: nll, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        wanted = facts.train.loss.wants if facts.train else ""
        if facts.train is None or wanted not in MAKERS:
            return
        makers, write, instead = MAKERS[wanted]
        for last in facts.ends:
            if _family(last) in PLAIN and type(last.op).__name__ not in makers:
                text = f"{type(facts.train.loss).__name__} takes {wanted}, {last.name} gives none"
                yield self.problem(text, last.at, f"End the network with {write}, or take {instead}.")


def _family(step: Step) -> str:
    """The file of the layers that an operation is from; empty for one of another kind."""
    module = type(step.op).__module__
    return module.removeprefix("netspec.layers.") if module.startswith("netspec.layers.") else ""
