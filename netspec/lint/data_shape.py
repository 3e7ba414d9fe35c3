"""Data against the network's inputs."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.datasets.fit import unfit
from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


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
        given, wanted = facts.gives.inputs, facts.inputs
        if facts.data is None or given is None or wanted is None:
            return
        for message, hint in unfit(*facts.of_data(given)):
            yield Problem(self.code, message, facts.data.source_at, hint)
