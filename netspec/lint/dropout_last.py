"""Dropout as the last thing that a network does."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule
from netspec.lint.flow import dropping


class DropoutLast(Rule):
    """The network does not end with dropout.

    It would set outputs to 0 that the loss then asks to be something else.
    """

    code = "dropout-last"
    severity = "warning"
    about = ("drops",)
    example = """\
input: 8
layers: [fc 4, dropout 0.1]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for value in facts.results:
            for maker in facts.flow.makers(value):
                last = facts.flow.through(maker, dropping=False)
                if last is not None and dropping(last):
                    text = f"{last.told} is the last to change what the network gives"
                    yield self.problem(text, last.at, "Put it before the last layer.")
