"""Small matrices beside weights that nobody has learnt."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class RandomBase(Rule):
    """The weights that small matrices of lora stand beside are loaded.

    They are frozen: where they begin at random, they stay so, and all that is learnt is a small change of that.
    """

    code = "random-base"
    severity = "warning"
    stage = "training"
    about = ("beside",)
    example = """\
input: 8
layers: [fc 8 wrap=lora rank=2, relu, fc 4]
train: {loss: mse, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        weights = facts.graph.weights
        if not weights.freeze.adapters or weights.loads:
            return
        step = next(s for s in facts.graph.root.walk() if s.wrap is not None and s.wrap.beside)
        text = f"{step.path} has small matrices beside weights that begin at random, and are frozen"
        yield self.problem(text, step.at, "Load them, as in weights: {load: base.safetensors}")
