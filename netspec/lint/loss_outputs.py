"""The names of losses against the network's outputs and the data's targets."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.sections.beside import OWN
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
        terms = facts.train.all_terms if facts.train is not None else ()
        if not facts.outputs or not any(term.name for term in terms):
            return
        targets = facts.data.source.targets if facts.data is not None else ()
        yield from self._outputs(facts, terms)
        for term in terms:
            there = all(name in facts.signals for name in term.outputs)
            if facts.data is not None and term.takes_data and there:
                yield from self._target(facts, term, targets)
            elif term.within and term.named_target and term.named_target not in facts.signals:
                yield from self._made(facts, term)
        yield from self._watched(facts, terms)
        taken = {name for term in terms for name in term.outputs}
        used = self._used(facts, taken) if taken <= facts.signals.keys() else {*facts.outputs}
        for name in facts.outputs:
            if name not in used:
                text = f"no loss is on the output {name}, so what only it needs is not trained"
                hint = f"Give it one, as in {{{name}: ...}}, or leave it out of outputs."
                yield Problem(self.code, text, At(("train", "loss"), on_key=True), hint, "warning")

    def _outputs(self, facts: Facts, terms: tuple[Term, ...]) -> Iterator[Problem]:
        """The outputs that losses name and the network does not give."""
        missing = {name: term for term in terms for name in term.outputs if name not in facts.signals}
        if not missing:
            return
        (first, term), *others = missing.items()
        path = ("train", "loss") if others else term.path
        many = "s" * bool(others)
        text = f"the network has no output{many} {listed(map(repr, missing))} for the loss{'es' * bool(others)}"
        known = [name for name in facts.signals if not name.startswith(f"{OWN}.")]
        hint = did_you_mean(first, known) if not others else ""
        hint = hint or f"There {'are' if len(known) > 1 else 'is'}: {listed(known)}. "
        if any(step.value.name == first for step in facts.graph.root.steps):
            row = f"outputs: {{..., {first}: {first} when training}}"
            hint = f"It is a value inside. To give it in training alone: {row}"
        elif len(missing) == len(terms):
            row = ", ".join(f"{name}: ..." for name in missing)
            hint += f"Name several as outputs: {{{row}}}; one loss of all, such as {term.loss.said}, has no name."
        yield self.problem(text, At(path, on_key=not term.of or bool(others)), hint)

    def _used(self, facts: Facts, taken: set[str]) -> set[str]:
        """The outputs that something is learnt by: those of losses, in whatever pass, and what players are given.

        All of them, where a player is given what no network before it gives: any may be meant.
        """
        values = {id(facts.signals[name]) for name in taken}
        players = facts.train.players if facts.train is not None else ()
        given = {name for player in players for each in player.passes for name in each.over}
        source = facts.data.source if facts.data is not None else None
        inputs = facts.names or getattr(source, "inputs", None)
        if source is not None and inputs and not given <= {*facts.signals, *inputs, *source.targets, "target"}:
            return {*facts.outputs}
        if any(over.partition(".")[0] == each.name for each in players for run in each.passes for over in run.over):
            return {*facts.outputs}
        return {name for name, value in facts.outputs.items() if id(value) in values or name in given}

    def _made(self, facts: Facts, term: Term) -> Iterator[Problem]:
        """The target that a loss names and the step does not make."""
        text = f"nothing in the step is called {term.named_target!r}, which the loss {term.name} compares with"
        hint = did_you_mean(term.named_target, facts.signals) or f"There are: {listed(facts.signals)}."
        yield self.problem(text, At(term.path), hint)

    def _target(self, facts: Facts, term: Term, targets: tuple[str, ...]) -> Iterator[Problem]:
        """The target that a loss names and the data does not have."""
        at = At(term.path)
        if term.named_target and not targets:
            text = f"the data has one target, and none that is called {term.named_target!r}"
            near = did_you_mean(term.named_target, facts.signals)
            hint = near or "Leave target= out, or name several targets in the source."
            if term.named_target in facts.outputs:
                hint = f"It is an output: target={OWN}.{term.named_target}"
            yield self.problem(text, at, hint)
        elif targets and (wanted := term.target_of(targets)) not in targets:
            text = f"the data has no target {wanted!r} for the loss of {term.name}"
            hint = did_you_mean(wanted, targets) or f"There are: {listed(targets)}."
            hint = f"It is an output: target={OWN}.{wanted}." if term.target and wanted in facts.outputs else hint
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
            if monitor in missing and all(name in facts.signals for term in terms for name in term.outputs):
                text = f"{monitor} is not measured: what it compares is there in training only"
                yield self.problem(text, At(("train", key)), f"Watch {monitor.replace('val.', 'train.')} or val.loss.")
