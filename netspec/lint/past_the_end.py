"""What a spec says for a step or an epoch, against the length of the run."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.lint.schedule_length import epochs_of, steps_of


class PastTheEnd(Rule):
    """What is to happen after so many steps or epochs comes before the run ends.

    A run ends with the slow weights of `lookahead`. If they never meet those that are trained, they still are what the
    network began with, and all training is lost: that is an error. What is to thaw after the end stays frozen.
    """

    code = "past-the-end"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10]
data: {source: digits}
train: {loss: cross_entropy, optimizer: adam, epochs: 1, batch: 100, lookahead: {every: 50, keep: 0.5}}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train = facts.train
        if train is None:
            return
        steps, epochs = steps_of(train, facts.trained_on), epochs_of(train, facts.trained_on)
        if train.lookahead is not None and steps is not None and train.lookahead.every > steps:
            text = f"the slow weights meet those that are trained every {train.lookahead.every:,} steps, "
            text += f"the run has {steps:,}: it would end with the weights that it began with"
            hint = f"Write every: {max(1, steps // 10)}, or train longer."
            yield self.problem(text, At(("train", "lookahead")), hint)
        frozen = facts.graph.weights.freeze
        for when in frozen.whens:
            length = epochs if when.unit == "epoch" else steps
            if length is not None and when.count >= length:
                key = "unfreeze" if when in [each for _, each in frozen.thaws] else "freeze"
                text = f"what thaws at the end of {when} stays frozen, the run has {length:,} {when.unit}s"
                hint = "Let it thaw sooner, train longer, or leave the time out."
                yield Problem(self.code, text, At(("weights", key), on_key=True), hint, "warning")
