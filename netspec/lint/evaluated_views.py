"""Views of images over which scores are averaged."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule


class EvaluatedViews(Rule):
    """What is measured over several views of an image are scores of images.

    The views are mirrored along the last axis of N x C x H x W and moved by a point, and their scores are averaged.
    Masks would have to be mirrored back, and of several outputs each may mean something else.
    """

    code = "evaluated-views"
    stage = "training"
    example = """\
input: 8
layers: [fc 2]
train: {loss: cross_entropy, optimizer: adam, evaluate: {views: flip}}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train = facts.train
        if train is None or train.evaluate.views is None:
            return
        given = [len(tensor.shape) for tensor in facts.graph.inputs.values()]
        made = [len(tensor.shape) for tensor in facts.graph.outputs.values()]
        at = At(("train", "evaluate", "views"))
        if 4 not in given:
            yield self.problem("no input is an image, channels x height x width", at, "Leave the views out.")
        elif made != [2]:
            text = "the network gives other than one row of scores for each image"
            yield self.problem(text, at, "Leave the views out.")
        elif train.composed:
            yield self.problem("a step runs more than the network once", at, "Leave the views out.")
