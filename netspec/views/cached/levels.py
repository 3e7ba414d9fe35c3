"""Levels that run their steps for parts of what they are given: scans, whose states are kept, and routed experts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from netspec.graph.model import Level, Step, Value
from netspec.ops.sources import Zeros
from netspec.views.cached.writing import DRAWING, Uncacheable, Writing, values_of

BODY: Final = "each "
"""What paths within a body begin with: a module of it is one of that body alone."""


def repeated(w: Writing, step: Step, path: str) -> None:
    """Write a level whose body is written as it stands: none of its steps sees the text. Raises Uncacheable."""
    level = step.body
    assert level is not None
    for value in _around(w, level):
        if value not in w.fixed and w.axes(value):
            raise Uncacheable(f"{level.path} looks at {value.name}, which is of the whole text")
        w.ref(value)
    (_scanned if level.scan is not None else _routed)(w, step, level, path)


def _scanned(w: Writing, step: Step, level: Level, path: str) -> None:
    """A scan along the text: its states behind the last token are what the next begins with."""
    scan = level.scan
    assert scan is not None
    given = [w.origin(value) for value in step.inputs]
    over, begun = given[: scan.over], given[scan.over :]
    if scan.reverse:
        raise Uncacheable(f"{level.path} reads the text backwards")
    if any(w.axes(value) != (scan.axis,) for value in over):
        raise Uncacheable(f"{level.path} goes along another axis than the text")
    for state, value in zip(list(level.inputs)[scan.over :], begun, strict=True):
        maker = value.step
        if value not in w.extra and (maker is None or not isinstance(maker.op, Zeros)):
            raise Uncacheable(f"{level.path} begins {state} as what is computed, and not as zeros")
    taken = [w.cut(value, scan.axis) if value in w.fixed else w.ref(value) for value in over]
    name, kept, carry = w.free(path or level.name), dict[str, str](), dict[str, str]()
    inner = [w.free(f"{name}_{each}") for each in level.inputs]
    states = inner[scan.over :]
    for state, value in zip(states, begun, strict=True):
        assert value.tensor is not None
        memory = w.remember(f"{name}.{state}", value.tensor)
        kept[state], carry[state] = memory.present, memory.past
    body = _body(w, level, inner, name, _present(level))
    nexts = [w.refs[w.origin(value)] for value in scan.nexts]
    written: dict[str, Any] = {
        "over": dict(zip(inner[: scan.over], taken, strict=True)),
        "axis": scan.axis,
        "carry": {state: f"{carry[state]} -> {after}" for state, after in zip(states, nexts, strict=True)},
    }
    ends = {outer: value for outer, value in level.exports.items() if outer not in scan.last}
    w.presents |= {kept[state]: f"{name}.{state}" for state in states}
    outputs = {
        w.free(f"{name}_gives{i or ''}"): (outer, w.refs[w.origin(x)]) for i, (outer, x) in enumerate(ends.items())
    }
    head = {key: each for key, each in written.items() if each or key == "axis"}
    w.rows[name] = {"scan": head, "layers": body, "outputs": {key: ref for key, (_, ref) in outputs.items()}}
    for place, (key, (outer, _)) in enumerate(outputs.items()):
        w.refs[outer] = f"{name}.{key}" if place else name
    lasts = [value for value in step.value.parts.values() if value in scan.last]
    w.refs |= {value: f"{name}.{state}" for value, state in zip(lasts, states, strict=True)}


def _routed(w: Writing, step: Step, level: Level, path: str) -> None:
    """Experts, which work on each token by itself."""
    route = level.route
    assert route is not None
    given = [w.ref(value) for value in step.inputs]
    names = list(level.inputs)
    count = len(names) - 1 - route.weighted
    name = w.free(path or level.name)
    inner = [w.free(f"{name}_{each.strip()}") for each in names]
    written: dict[str, Any] = {"over": {inner[0]: given[0]}, "to": given[count]}
    written |= {"weights": given[-1]} if route.weighted else {}
    (outer,) = level.exports
    if route.apart:
        bodies = [_body(w, level, inner, f"{name}.{i}", (each,)) for i, each in enumerate(_present(level))]
        if any(body != bodies[0] for body in bodies):
            raise Uncacheable(f"{level.path} has experts that are not alike")
        end = _ending(w, name, bodies[0], route.ends[0])
        w.rows[name] = {"route": written, "repeat": len(bodies), "layers": {"$i": end}}
    else:
        written["each"] = dict(zip(inner[1:count], given[1:count], strict=True))
        body = _body(w, level, inner, name, _present(level))
        w.rows[name] = {"route": written, "layers": _ending(w, name, body, route.ends[0])}
    w.refs[outer] = name


def _ending(w: Writing, name: str, body: Mapping[str, Any], end: Value) -> dict[str, Any]:
    """The rows of a body whose value is that of its last row."""
    ref = w.refs[w.origin(end)]
    return {**body} if ref == [*body][-1] else {**body, w.free(f"{name}_end"): {"Identity": {"inputs": [ref]}}}


def _present(level: Level) -> list[Step]:
    """The steps of a level that are there in use."""
    return [step for step in level.steps if not step.left_out]


def _body(w: Writing, level: Level, inner: Sequence[str], room: str, steps: Sequence[Step]) -> dict[str, Any]:
    """The rows of a level's steps, which see its inputs under these names; in `room` their modules lie."""
    for name, value in zip(inner, level.inputs.values(), strict=True):
        w.refs[value] = name
    outer, w.rows = w.rows, {}
    w.around.append(outer)
    try:
        _steps(w, steps, room, "")
        return w.rows
    finally:
        w.members = {path: name for path, name in w.members.items() if not path.startswith(BODY)}
        w.rows = w.around.pop()


def _steps(w: Writing, steps: Sequence[Step], room: str, path: str) -> None:
    """Write steps as they are, with those of their levels in the same row."""
    for step in steps:
        if step.training is True:
            raise Uncacheable(f"{step.path} is not there in use")
        if step.body is None:
            _step(w, step, room, f"{path}{step.member or step.name}")
        elif step.body.repeats_body:
            raise Uncacheable(f"{step.path} runs its steps within a level that does")
        else:
            for one, other in zip(step.body.inputs.values(), step.inputs, strict=False):
                w.origins[one] = w.origin(other.actual)
            inner = f"{path}{step.member}." if step.member and not step.member.isdigit() else path
            _steps(w, _present(step.body), room, inner)
            for one, other in step.body.exports.items():
                w.origins[one] = w.origin(other.actual)


def _step(w: Writing, step: Step, room: str, path: str) -> None:
    """Write one step of a body."""
    assert step.op is not None
    if step.wrap is not None or isinstance(step.op, DRAWING):
        raise Uncacheable(f"{step.path} is not the same each time")
    name = w.put(step, f"{BODY}{path}", [w.ref(value) for value in step.inputs], w.fields(step))
    if step.member:
        w.owned[id(step)] = f"{room}.{name}"


def _around(w: Writing, level: Level) -> Iterator[Value]:
    """The values from around a level that its steps look at."""
    within = {*level.inputs.values()}
    steps = list(level.walk())
    for step in steps:
        within |= {*values_of(step)}
        within |= {*step.body.inputs.values(), *step.body.exports} if step.body is not None else set()
    for step in steps:
        for value in step.inputs:
            if value.actual not in within and (known := w.origin(value)) not in within:
                yield known
