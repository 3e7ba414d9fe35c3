"""The network's classes against the data's."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem, Severity
from netspec.lint.base import Comparison, Facts, Rule


class ClassCount(Rule):
    """The network tells as many classes apart as the data has.

    With fewer, torch stops in the middle of training, on a GPU without saying why. With more, it trains, and the
    extra classes only cost time. Mixed targets have a share for each class of the data, and none for extra ones.
    """

    code = "class-count"
    severity = "warning"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 9]
data: {source: digits}
train: {loss: cross_entropy, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for compared in facts.comparisons:
            yield from self._compared(facts, compared)

    def _compared(self, facts: Facts, compared: Comparison) -> Iterator[Problem]:
        """What is wrong with the classes of one output."""
        classes, predictions, loss = compared.gives.classes, compared.predictions, compared.loss
        if facts.data is None or classes is None or predictions is None:
            return
        if loss.target_kind != "class" or len(predictions) != 1 or len(predictions[0].shape) < 2:
            return
        found = loss.classes(predictions[0])
        if not isinstance(found, int) or found == classes:
            return
        step = compared.values[0].step
        text = f"the network tells {found} class{'es' * (found != 1)} apart, the data has {classes}"
        hint = f"End the network with {classes} outputs."
        if first := compared.gives.first_class:
            way = f"write first={first} in its source" if "first" in facts.data.source.fields else ""
            way = way or f"take {first} off each of its labels"
            hint = f"Classes count from 0, and the data begins with {first}: {way}."
        severity: Severity = "error" if found < classes or facts.data.mixing else "warning"
        yield Problem(self.code, text, step.at if step else facts.data.source_at, hint, severity)
