"""As many predictions as samples."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import BATCH, names
from netspec.errors import At, Problem
from netspec.graph.model import Step
from netspec.lint.base import Facts, Rule
from netspec.tensors import Tensor, show


class SampleCount(Rule):
    """The network gives a prediction for each sample: an axis of what it returns is the batch.

    A reshape that begins with -1 takes whatever is left over into the batch: 2*B predictions of B samples, which no
    target belongs to.
    """

    code = "sample-count"
    stage = "experiment"
    example = """\
input: 2x200
layers: [relu, reshape -1 200, linear 10]
train: {loss: cross_entropy, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        compared = [each for each in facts.comparisons if each.term.takes_data]
        for value in (value for each in compared for value in each.values[: each.loss.predictions]):
            tensor = value.tensor
            if tensor is None or not _misses(tensor):
                continue
            step = self._first(facts) or value.step
            at = step.at if step is not None else At(("layers",))
            text = f"the network gives {show(tensor.shape)}, which is not a prediction for each of B samples"
            yield self.problem(text, at, "Begin a reshape with B, or write flatten or fc, which keep the batch.")
            return

    def _first(self, facts: Facts) -> Step | None:
        """The operation that is the first to lose the batch."""
        for step in facts.flow.steps:
            given = step.inputs[0].tensor if step.inputs else None
            made = step.value.tensor
            if given is not None and made is not None and BATCH in given.shape and _misses(made):
                return step
        return None


def _misses(tensor: Tensor) -> bool:
    """Whether the batch is in the sizes, and is none of them."""
    return BATCH not in tensor.shape and any("B" in names(size) for size in tensor.shape)
