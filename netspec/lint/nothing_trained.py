"""Training without anything to train."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.graph.groups import tensors
from netspec.lint.base import Facts, Rule


class NothingTrained(Rule):
    """The network has a parameter that is trained.

    Where all are frozen for good, or there are none, every epoch would leave it as it was.
    """

    code = "nothing-trained"
    stage = "training"
    example = """\
input: 8
layers: {body: "fc 8, relu", head: fc 3}
weights: {freeze: ["*"]}
train: {loss: cross_entropy, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        weights = facts.graph.weights
        if facts.train is not None and facts.train.players:
            return  # each player is looked at by itself
        names = [tensor.names for tensor in tensors(facts.graph)]
        if any(not any(map(weights.frozen, each)) for each in names):
            return
        if not names:
            yield self.problem("the network has no parameter to train", At(("layers",), on_key=True), "Add a layer.")
            return
        key = "freeze" if weights.freeze.rules else "train"
        text = "the network has no parameter to train: all are frozen"
        hint = "Let some be trained, or leave out the section train."
        yield self.problem(text, At(("weights", key), on_key=True), hint)
