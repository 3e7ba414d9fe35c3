"""The names of losses against the network's outputs and the data's targets."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.sections.objective import Term
from netspec.words import did_you_mean, listed


class LossOutputs(Rule):
    """Every loss that has a name is on an output of the network, and every output that is trained has a loss.

    An output without one is computed in each step and learns nothing. Of several targets each loss compares with one.
    """

    code = "loss-outputs"
    stage = "training"
    example = """\
input: 8
layers: {body: "fc 8, relu", cls: fc 3, box: fc(body) 4}
outputs: {cls: cls, box: box}
train: {loss: {cls: cross_entropy, bbox: smooth_l1}, optimizer: adam}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        terms = facts.train.terms if facts.train is not None else ()
        if not facts.outputs or not any(term.name for term in terms):
            return
        targets = facts.data.source.targets if facts.data is not None else ()
        yield from self._outputs(facts, terms)
        for term in terms:
            there = all(name in facts.outputs for name in term.outputs)
            if facts.data is not None and term.loss.takes_target and there:
                yield from self._target(term, targets)
        yield from self._watched(facts, terms)
        taken = {name for term in terms for name in term.outputs}
        for name in facts.outputs:
            if name not in taken and taken <= facts.outputs.keys():
                text = f"no loss is on the output {name}, so what only it needs is not trained"
                hint = f"Give it one, as in {{{name}: ...}}, or leave it out of outputs."
                yield Problem(self.code, text, At(("train", "loss"), on_key=True), hint, "warning")

    def _outputs(self, facts: Facts, terms: tuple[Term, ...]) -> Iterator[Problem]:
        """The outputs that losses name and the network does not give."""
        missing = {name: term for term in terms for name in term.outputs if name not in facts.outputs}
        if not missing:
            return
        (first, term), *others = missing.items()
        path = ("train", "loss") if others else ("train", "loss", term.name)
        many = "s" * bool(others)
        text = f"the network has no output{many} {listed(map(repr, missing))} for the loss{'es' * bool(others)}"
        hint = did_you_mean(first, facts.outputs) if not others else ""
        hint = hint or f"There {'are' if len(facts.outputs) > 1 else 'is'}: {listed(facts.outputs)}. "
        if any(step.value.name == first for step in facts.graph.root.steps):
            row = f"outputs: {{..., {first}: {first} when training}}"
            hint = f"It is a value inside. To give it in training alone: {row}"
        elif len(missing) == len(terms):
            row = ", ".join(f"{name}: ..." for name in missing)
            hint += f"Name several as outputs: {{{row}}}; one loss of all, such as {term.loss.said}, has no name."
        yield self.problem(text, At(path, on_key=True), hint)

    def _target(self, term: Term, targets: tuple[str, ...]) -> Iterator[Problem]:
        """The target that a loss names and the data does not have."""
        at = At(("train", "loss", term.name))
        if term.target and not targets:
            text = f"the data has one target, and none that is called {term.target!r}"
            yield self.problem(text, at, "Leave target= out, or name several targets in the source.")
        elif targets and (wanted := term.target_of(targets)) not in targets:
            text = f"the data has no target {wanted!r} for the loss of {term.name}"
            hint = did_you_mean(wanted, targets) or f"There are: {listed(targets)}."
            yield self.problem(text, at, f"{hint} target= of a loss names another than its own name.")

    def _watched(self, facts: Facts, terms: tuple[Term, ...]) -> Iterator[Problem]:
        """Losses that are watched on validation data, where the network gives their outputs in training alone."""
        assert facts.train is not None
        measured = {each.term.name for each in facts.measured_comparisons}
        missing = {f"val.{term.name}.loss" for term in terms if term.name not in measured}
        watched = (
            ("early_stop", facts.train.early_stop and facts.train.early_stop.monitor),
            ("checkpoint", facts.train.checkpoint.best),
            ("scheduler", getattr(facts.train.scheduler, "monitor", None)),
        )
        for key, monitor in watched:
            if monitor in missing and all(name in facts.outputs for term in terms for name in term.outputs):
                text = f"{monitor} is not measured: the network gives that output in training only"
                yield self.problem(text, At(("train", key)), f"Watch {monitor.replace('val.', 'train.')} or val.loss.")
