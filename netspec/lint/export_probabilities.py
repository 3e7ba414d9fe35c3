"""Probabilities of an exported file against the loss."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.sections.train_record import Train


class ExportProbabilities(Rule):
    """Probabilities are exported only of a network with an output that a loss takes for scores or probabilities.

    What a loss of values trains would become numbers between 0 and 1 that say nothing; and of a loss that makes the
    scores in a layer of its own the file has only the features. Where outputs have losses of their own, one that knows
    probabilities is enough: the other outputs are given as they are.
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
            if facts.train is None or wanted.output != "probabilities":
                continue
            if text := self._fault(facts, facts.train):
                at = At(("export", wanted.called(), "output"))
                yield self.problem(text, at, "Write output: logits, which is the network's own output.")

    def _fault(self, facts: Facts, train: Train) -> str:
        """What is wrong where the losses are to make probabilities, each of the output that it compares; or nothing."""
        losses = [term.loss for term in train.answered(tuple(facts.graph.outputs)).values()]
        for loss in losses:
            if loss.owns_parameters:
                return f"{loss.said} makes the scores in a layer of its own, which the exported file does not have"
        named = {name for term in train.terms for name in term.outputs}
        if any(loss.activation for loss in losses) or not facts.graph.results or not named <= facts.signals.keys():
            return ""
        if losses:
            said = list(dict.fromkeys(loss.said for loss in losses))
            return f"{' and '.join(said)} {'know' if len(said) > 1 else 'knows'} no probabilities"
        return "no loss compares an output of the network, to say how it becomes probabilities"
