"""Probabilities of an exported file against the loss."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.losses.base import Loss


class ExportProbabilities(Rule):
    """Probabilities are exported only of a network whose output the loss takes for scores or probabilities.

    What a loss of values trains would become numbers between 0 and 1 that say nothing; and of a loss that makes the
    scores in a layer of its own the file has only the features.
    """

    code = "export-probabilities"
    stage = "experiment"
    example = """\
input: 3
layers: [fc 1]
train: {loss: mse, optimizer: sgd lr=0.01}
export: {onnx: {output: probabilities}}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        section = facts.experiment.export
        for wanted in section.formats if section is not None else ():
            if facts.train is not None and wanted.output == "probabilities":
                for compared in facts.measured_comparisons[:1]:
                    yield from self._made(compared.loss, At(("export", wanted.called(), "output")))

    def _made(self, loss: Loss, at: At) -> Iterator[Problem]:
        """The problem of a loss that says nothing of how its scores become probabilities."""
        name = loss.said
        if loss.owns_parameters:
            text = f"{name} makes the scores in a layer of its own, which the exported file does not have"
        elif loss.activation is None:
            text = f"{name} knows no probabilities"
        else:
            return
        yield self.problem(text, at, "Write output: logits, which is the network's own output.")
