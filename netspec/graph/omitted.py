"""What a `when` leaves out, or a repeat without rounds: what goes on, and the names that members would have had."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from netspec.errors import At, Path
from netspec.graph.bodies import first_call
from netspec.graph.declared import Declared
from netspec.graph.draft import Step, Value
from netspec.graph.members import counted_word
from netspec.graph.model import Guard
from netspec.graph.references import values_of
from netspec.graph.report import Report
from netspec.graph.scope import Scope
from netspec.graph.written import Written, calls_of
from netspec.language.levels import is_group
from netspec.language.refusals import Refused

_COMPUTED: Final = re.compile(r"\$\w+|\$\(.*\)")


class Omitted:
    """Notes what is left out."""

    def __init__(self, declared: Declared, report: Report) -> None:
        self.declared = declared
        self.report = report

    def call(self, call: Written, word: str, name: str, scope: Scope, guard: Guard | None) -> Step:
        """One call that is left out: its first input goes on."""
        passed = values_of(call, scope)
        self.report.count(call.at)
        scope.level.left.add(name or f"{counted_word(word)}*")
        return _skipped(passed[0] if passed else scope.flow.prev, name, scope, guard)

    def body(
        self, body: Any, path: Path, scope: Scope, name: str, guard: Guard | None, entry: Value | None = None
    ) -> None:
        """A body that is left out: `entry`, else the first step's first input goes on."""
        step = _skipped(entry or self.entry(body, path, scope), name, scope, guard)
        self.names([name] if name else self.of(body), path, scope)
        if name:
            scope.names[name] = step.value

    def names(self, names: Iterable[str], path: Path, scope: Scope) -> None:
        """Note the names that members would have had."""
        for name in names:
            self.report.count(At(path))
            scope.level.left.add(name)

    def of(self, body: Any) -> Iterator[str]:
        """Patterns of the names that the members of a group would have."""
        for item in body if isinstance(body, list) else [body]:
            if isinstance(item, str):
                with suppress(Refused):  # what cannot be read is told where its words are checked
                    calls = calls_of(item, (), self.declared.blocks) or ()
                    yield from [f"{counted_word(str(call.op))}*" for call in calls]
            elif is_group(item):
                yield from self.of(item["layers"])
            elif isinstance(item, dict):
                yield from (_COMPUTED.sub("*", name) for name in item)

    def entry(self, body: Any, path: Path, scope: Scope) -> Value:
        """The first input of a body's first step: what goes on where the body does not run."""
        call = first_call(body, path, self.declared.seen(path))
        values = values_of(call, scope) if call is not None else ()
        return values[0] if values else scope.flow.prev


def _skipped(value: Value, name: str, scope: Scope, guard: Guard | None) -> Step:
    """Note a step that is left out; the value that goes on stands for it."""
    passed = Value(name or value.name, value.tensor, scope.level, parts=value.parts, alias=value.actual)
    at = guard.at if guard else At()
    step = Step(passed.name, scope.level, (value,), passed, at, guard=guard)
    passed.step = step
    scope.level.steps.append(step)
    scope.flow.prev = passed
    return step
