"""Who uses which value: what a level takes from outside, and how long each value lives."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.graph import measured
from netspec.graph.model import Level, Step, Value, flat


def taken(level: Level) -> list[Value]:
    """The values that a level is called with: a block's inputs, or all it uses from around it."""
    if level.inputs:
        return list(level.inputs.values())
    found: dict[Value, None] = {}
    own = {value for step in level.steps for value in made(step)}
    for step in level.steps:
        for value in (*given(step), *([step.passed] if step.passed else []), *readings(step)):
            if value not in own:
                found[value] = None
    for value in level.exports.values():
        if value not in own:
            found[value] = None
    return list(found)


def readings(step: Step) -> Iterator[Value]:
    """The values that a step which is no member asks for their sizes."""
    for measure in step.measures.values() if not step.member else ():
        for tree in measure if isinstance(measure, tuple) else (measure,):
            yield from (reading.value for reading in measured.readings(tree)) if tree is not None else ()


def given(step: Step) -> list[Value]:
    """The values that a step's call passes on, in order."""
    if step.body is None or step.body.inputs:
        return list(step.inputs)
    if step.again:  # what is read there under several names is one value, or there could be no further run
        first = step.level.member_at(step.member.split("."))
        return list(step.inputs[:1]) * (len(taken(first.body)) if first is not None and first.body is not None else 1)
    return taken(step.body)


def made(step: Step) -> list[Value]:
    """Every value that a step makes, its named parts included."""
    if step.body is None:
        return flat(step.results)
    return list(step.body.exports) or [step.value]
