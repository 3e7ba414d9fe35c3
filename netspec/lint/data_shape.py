"""Data against the network's inputs."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.datasets.fit import unfit
from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.tensors import show
from netspec.words import did_you_mean


class DataShape(Rule):
    """The data, after its transforms, has the shape that the network takes.

    Otherwise training would stop at its first batch, after the data was read, with a message about matrices.
    """

    code = "data-shape"
    stage = "experiment"
    example = """\
input: 1x32x32
layers: [fc 10]
data: {source: digits}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        yield from self._drawn(facts)
        given, wanted = facts.gives.inputs, facts.inputs
        if facts.data is None or given is None or wanted is None:
            return
        for message, hint in unfit(*facts.of_data(given)):
            yield Problem(self.code, message, facts.data.source_at, hint)

    def _drawn(self, facts: Facts) -> Iterator[Problem]:
        """Inputs that are drawn and are none, or of which it is not known what to draw."""
        drawn = facts.data.draw if facts.data is not None else {}
        for name in drawn if facts.inputs is not None else ():
            at, tensor = At(("data", "draw", name), on_key=True), (facts.inputs or {}).get(name)
            if tensor is None:
                hint = did_you_mean(name, facts.inputs or ()) or f"It has: {', '.join(facts.inputs or ())}."
                yield self.problem(f"the network has no input {name!r} to draw", at, hint)
            elif tensor.dtype != "float32" or not all(isinstance(size, int) for size in tensor.shape[1:]):
                text = f"{name} is {show(tensor.shape)} of {tensor.dtype}, and floats of sizes that are known are drawn"
                yield self.problem(text, at, "Declare its sizes, or give it as data.")
