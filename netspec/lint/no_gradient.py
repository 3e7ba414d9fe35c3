"""Parameters that cannot be trained, because numbers are cut to whole ones behind them."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.graph.model import Step, Value, flat
from netspec.lint.base import Facts, Rule


class NoGradient(Rule):
    """From every parameter that is trained, a way of floats leads to an output.

    Whole numbers and booleans, such as those of argmax or of a comparison, have no gradient: what stands before them
    stays as it was initialised.
    """

    code = "no-gradient"
    severity = "warning"
    stage = "training"
    example = """\
input: 8
layers: [fc 8, argmax 1, embedding 8 4]
train: {loss: mse, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        if facts.train is None:
            return
        reached = self._reached(facts)
        used = {maker for step in facts.flow.steps for value in step.inputs for maker in facts.flow.makers(value)}
        for step in facts.flow.steps:
            names = [f"{step.path}.{part}" if part else step.path for part in step.parameters()]
            if step in used and step not in reached and names and not all(map(facts.graph.weights.frozen, names)):
                text = f"no gradient reaches {step.told}: behind it there are only whole numbers or booleans"
                yield self.problem(text, step.at, "Leave out what cuts them, or freeze it in weights.")

    def _reached(self, facts: Facts) -> set[Step]:
        """The operations from which a way of floats leads to an output."""
        left = [m for value in facts.results for m in facts.flow.makers(value)]
        reached: set[Step] = set()
        while left:
            step = left.pop()
            if step in reached or not any(map(_floats, flat(step.results))):
                continue
            reached.add(step)
            left += [maker for value in step.inputs if _floats(value) for maker in facts.flow.makers(value)]
        return reached


def _floats(value: Value) -> bool:
    """Whether a value is known to be floats."""
    return value.tensor is not None and value.tensor.dtype == "float32"
