"""What a level gives: its last value or its `outputs`, and the values outside that stand for them."""

from __future__ import annotations

from typing import Any

from netspec.errors import At, Path, Problem
from netspec.graph.draft import Level, Step, Value
from netspec.graph.members import Members
from netspec.graph.model import first
from netspec.graph.references import reference, references
from netspec.graph.report import Report
from netspec.graph.scope import Scope
from netspec.language.refusals import Refused


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
                named = {n: reference(r, (*path, n), scope) for n, r in outputs.items()}
                level.outputs = named
            else:
                given = outputs if isinstance(outputs, list) else [outputs]
                values = [v for i, r in enumerate(given) for v in references(r, (*path, i), scope)]
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
