"""Data flow: the operations of a network without its levels, and which of them feeds which."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.graph.model import Graph, Level, Step, Value
from netspec.graph.uses import handed


def dropping(step: Step) -> bool:
    """Whether an operation drops numbers in training."""
    return step.op is not None and step.op.drops and bool(getattr(step.op, "p", 0))


class Flow:
    """The operations in order, each with those that make its inputs and those that use its results."""

    def __init__(self, graph: Graph) -> None:
        """Note who makes and who reads each value of the graph."""
        self.steps = list(dict.fromkeys(step for step in graph.root.walk() if step.op is not None))
        self._calls: dict[Level, list[Step]] = {}
        for step in graph.root.walk():
            if step.body is not None:
                self._calls.setdefault(step.body, []).append(step)
        self.users: dict[Step, list[Step]] = {step: [] for step in self.steps}
        for step in self.steps:
            for value in step.inputs:
                for maker in self.makers(value):
                    self.users[maker].append(step)
        for step in graph.root.walk():
            for value in handed(step.body) if step.body is not None else ():
                for maker in self.makers(value):  # used by what runs the steps, if by nothing else
                    self.users[maker] = self.users[maker] or [maker]
        self.again: dict[Step, list[Step]] = {}
        """The further runs of each operation, on its own or in a level that runs again."""
        for step in graph.root.walk():
            if (first := step.first_run) is not None:
                inner = zip(first.body.walk(), step.body.walk(), strict=True) if first.body and step.body else ()
                for one, other in [(first, step), *inner]:
                    self.again.setdefault(one, []).append(other)
        self._places = {step: place for place, step in enumerate(self.steps)}

    def makers(self, value: Value) -> list[Step]:
        """The operations that make a value: none for an input, several where a level is called several times."""
        return list(dict.fromkeys(self._makers(value)))

    def before(self, step: Step) -> Step | None:
        """The one operation that makes a step's first input; None where it is an input, or several."""
        makers = self.makers(step.inputs[0]) if step.inputs else []
        return makers[0] if len(makers) == 1 else None

    def through(self, step: Step | None, *, dropping: bool = True) -> Step | None:
        """The operation that a step's numbers come from, looking through those that only pass them on.

        Those that drop some of them in training are looked through only where `dropping` says so.
        """
        while step is not None and step.op is not None and step.op.keeps_numbers and (dropping or not step.op.drops):
            step = self.before(step)
        return step

    def later(self, one: Step, other: Step) -> bool:
        """Whether one operation runs after another."""
        return self._places[one] > self._places[other]

    def _makers(self, value: Value) -> Iterator[Step]:
        """The steps that a value may come from, looked for behind what passes it on."""
        value = value.actual
        step = value.step
        if step is None:
            yield from self._outside(value)
        elif step.body is not None:
            exports = step.body.exports
            inner = exports.get(value) or next(iter(exports.values()), None)
            if (route := step.body.route) is not None:
                for each in (*route.ends, *step.inputs[1:]):  # what experts give depends on the choice too
                    yield from self._makers(each)
            elif inner is not None:
                yield from self._makers(inner)
        elif step.op is None:
            yield from self._makers(step.inputs[0])
        else:
            yield step

    def _outside(self, value: Value) -> Iterator[Step]:
        """What makes the input of a block, at each of its uses."""
        names = list(value.level.inputs.values())
        for call in self._calls.get(value.level, []):
            place = names.index(value) if value in names else len(call.inputs)
            if place < len(call.inputs):
                yield from self._makers(call.inputs[place])
        scan = value.level.scan
        if scan is not None and value in names and (state := names.index(value) - scan.over) >= 0:
            after = scan.nexts[state].actual
            if after.step is not None and after.step.op is not None:  # through levels it may lead back here
                yield after.step
