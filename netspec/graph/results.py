"""What a level gives: its last value or its `outputs`, and the values outside that stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netspec.errors import At, Path, Problem
from netspec.graph.draft import Level, Step, Value
from netspec.graph.members import Members
from netspec.graph.model import first
from netspec.graph.references import reference, references
from netspec.graph.report import Report
from netspec.graph.scope import Scope
from netspec.language.refusals import Refused


@dataclass(frozen=True, slots=True)
class _Output:
    """An output as it is written: what it names, and whether it is given in training only."""

    text: Any
    training: bool = False

    @classmethod
    def read(cls, value: Any, path: Path, level: Level) -> _Output:
        """`aux when training` taken apart. Raises Refused."""
        if not isinstance(value, str) or len(words := value.split()) < 2 or words[1] != "when":
            return cls(value)
        place = At(path, (len(words[0]), len(value)))
        if words[2:] != ["training"]:
            text = "an output is given always, or `when training`"
            raise Refused(Problem("outputs", text, place, f"As in: {words[0]} when training"))
        if level.kind != "root":
            text = "only an output of the whole network can be given in training alone"
            raise Refused(Problem("outputs", text, place, "Write it in the `outputs` of the spec."))
        return cls(words[0], training=True)


Found = Sequence[tuple[_Output, list[Value], Path]]
"""Outputs with the values that they name, and where each stands."""


def _training(found: Found) -> frozenset[Value]:
    """The values that are given in training only. Raises Refused where nothing else is, or they always are."""
    always = {value.actual for row, values, _ in found for value in values if not row.training}
    for row, values, path in found:
        if row.training and any(value.actual in always for value in values):
            text = f"{row.text} is an output already, in training and outside"
            raise Refused(Problem("twice", text, At(path), "Keep one of them."))
    given = frozenset(value for row, values, _ in found if row.training for value in values)
    if given and not always:
        text, hint = "the network gives nothing outside training", "Name an output without `when training`."
        raise Refused(Problem("outputs", text, At(("outputs",), on_key=True), hint))
    return given


def _need_last(found: Found) -> None:
    """Refuse a list in which an output behind one of training would change its place. Raises Refused."""
    training = [row.training for row, _, _ in found]
    if training != sorted(training):
        row, _, path = next(each for each in found if each[0].training)
        text = f"{row.text} stands before outputs that are always given, and these would move up without it"
        raise Refused(Problem("outputs", text, At(path), "Put it last, or give outputs names: {logits: fc, ...}."))


class Results:
    """Ends levels."""

    def __init__(self, report: Report, members: Members) -> None:
        self.report = report
        self.members = members

    def finish(self, level: Level, scope: Scope, outputs: Any, path: Path) -> None:
        """What a level gives: its last value, or what `outputs` names."""
        level.outputs = scope.flow.prev
        if outputs is None:
            return
        with self.report.catching():
            if not outputs:
                raise Refused(Problem("outputs", "outputs names nothing", At(path), "Leave it out for the last value."))
            if isinstance(outputs, dict):
                rows = {n: _Output.read(r, (*path, n), level) for n, r in outputs.items()}
                named = {n: reference(row.text, (*path, n), scope) for n, row in rows.items()}
                level.outputs = named
                level.training = _training([(row, [named[n]], (*path, n)) for n, row in rows.items()])
            else:
                given = outputs if isinstance(outputs, list) else [outputs]
                each = [(_Output.read(r, (*path, i), level), (*path, i)) for i, r in enumerate(given)]
                found = [(row, references(row.text, at, scope), at) for row, at in each]
                _need_last(found)
                level.training = _training(found)
                values = [v for _, some, _ in found for v in some]
                seen: set[Value] = set()
                for value in values:
                    if value in seen:
                        raise Refused(Problem("twice", f"{value.name} is given twice", At(path), "Keep one of them."))
                    seen.add(value)
                level.outputs = tuple(values) if isinstance(outputs, list) else values[0]

    def finish_step(
        self, step: Step, inner: Scope, outputs: Any, path: Path, ends: list[Value] | None, scope: Scope
    ) -> None:
        """Give a level's step its value and the parts that its `outputs` name."""
        level = step.body
        assert level is not None
        self.finish(level, inner, outputs, path)
        results = level.outputs
        main = step.value
        named = results if isinstance(results, dict) else {}
        source = next(iter(named.values()), None)
        if results is not None and not isinstance(results, dict):
            source = first(results)
        if source is not None:
            main.tensor = source.tensor
            level.exports[main] = source
            seen = {id(source.parts): main.parts}
            given = named | {n: v for n, v in source.parts.items() if n not in named}
            main.parts.update({n: main if v is source else mirror(step, n, v, seen) for n, v in given.items()})
        if ends is not None:
            mirrored = [mirror(step, str(i), end, {}) for i, end in enumerate(ends)]
            scope.rounds[step.name] = mirrored
        self._advance(step, scope)

    def _advance(self, step: Step, scope: Scope) -> None:
        """Let what follows in the row take the step's value, and its name stand for it."""
        scope.flow.prev = step.value
        if step.body is not None and step.body.kind != "block":
            self.members.bind(step.name, step.value, scope, step.at)


def mirror(step: Step, name: str, inner: Value, seen: dict[int, dict[str, Value]]) -> Value:
    """The value outside a level that stands for one inside.

    Values that are parts of one result share their parts; `seen` are those outside, by the identity of those inside.
    """
    assert step.body is not None
    outer = Value(f"{step.name}.{name}", inner.tensor, step.level, step)
    step.body.exports[outer] = inner
    shared = seen.get(id(inner.parts))
    if shared is not None:
        outer.parts = shared
        return outer
    seen[id(inner.parts)] = outer.parts
    for part, value in inner.parts.items():
        outer.parts[part] = outer if value is inner else mirror(step, f"{name}.{part}", value, seen)
    return outer
