"""Who uses which value: what a level takes from outside, and how long each value lives."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from netspec.dims import Dim
from netspec.graph import measured
from netspec.graph.model import Level, Step, Value, flat


def taken(level: Level) -> list[Value]:
    """The values that a level is called with: a block's inputs, or all it uses from around it, if only for a size.

    A scan is called with both, as are routed experts; a block with the modules from around it that it runs.
    """
    if level.inputs:
        return [*level.inputs.values(), *(around(level) if level.repeats_body else run_outside(level))]
    return around(level)


def run_outside(level: Level) -> list[Value]:
    """What stands for the members of levels further out that a level runs."""
    outer = level.parent
    while outer is not None and not outer.lent:
        outer = outer.parent
    return [value for value in _read(level) if value.module] if outer is not None else []


def made_with(level: Level) -> list[Value]:
    """What stands for the members of levels further out that a level, or one inside it, registers as its own too."""
    found = dict.fromkeys(level.borrowed.values())
    for step in level.steps:
        if step.body is not None and not step.again:
            found |= dict.fromkeys(made_with(step.body))
    return [value for value in found if value.level is not level]


def around(level: Level) -> list[Value]:
    """The values that a level uses from around it, if only for a size, and behind them the modules that it runs."""
    own = list(level.inputs.values())
    found = [value for value in _read(level) if value not in own and not value.module]
    return [*found, *_telling(level, [*own, *found]), *run_outside(level)]


def _read(level: Level) -> list[Value]:
    """The values that the steps of a level use from around it, and those that it gives on."""
    found: dict[Value, None] = {}
    own = {value for step in level.steps for value in made(step)} | set(level.lent.values())
    for step in level.steps:
        more = (each for each in (step.passed, step.module) if each is not None)
        for value in (*given(step), *more, *readings(step)):
            if value not in own:
                found[value] = None
    for value in (*level.exports.values(), *handed(level)):
        if value not in own:
            found[value] = None
    return list(found)


def handed(level: Level) -> tuple[Value, ...]:
    """What the forward of a level that runs its steps many times reads of each run, besides what the level gives."""
    if level.scan is not None:
        return level.scan.nexts
    return level.route.ends if level.route is not None else ()


def _telling(level: Level, found: Collection[Value]) -> Iterator[Value]:
    """The inputs of the block around, or of the network, that tell sizes which no other value does."""
    wanted = {name for step in level.steps for size in open_sizes(step) for name in size.names}
    wanted -= {name for value in found for name in _names(value)}
    outer = level.parent
    while wanted and outer is not None:
        for value in outer.inputs.values():
            if value not in found and (told := wanted & set(_names(value))):
                wanted -= told
                yield value
        outer = outer.parent if outer.repeats_body or not outer.inputs else None


def _names(value: Value) -> Iterator[str]:
    """The names in the sizes of a value."""
    for size in value.tensor.shape if value.tensor is not None else ():
        if isinstance(size, Dim):
            yield from size.names


def open_sizes(step: Step) -> list[Dim]:
    """The sizes that only the run knows among the arguments of a step that is no member."""
    if step.op is None or step.member:
        return []
    return [size for name in step.op.fields for size in _dims(getattr(step.op, name))]


def _dims(value: Any) -> list[Dim]:
    """The sizes of the run in a value, however it nests them."""
    if isinstance(value, Dim):
        return [value]
    return [d for v in value for d in _dims(v)] if isinstance(value, tuple | list) else []


def readings(step: Step) -> Iterator[Value]:
    """The values that a step which is no member asks for their sizes."""
    for measure in step.measures.values() if not step.member else ():
        for tree in measure if isinstance(measure, tuple) else (measure,):
            yield from (reading.value for reading in measured.readings(tree)) if tree is not None else ()


def given(step: Step) -> list[Value]:
    """The values that a step's call passes on, in order."""
    if step.body is not None and step.body.repeats_body and not step.again:
        return [*step.inputs, *around(step.body)]
    if step.body is None:
        return list(step.inputs)
    first = step.first_run or step
    assert first.body is not None
    if step.body.inputs:
        return [*step.inputs, *run_outside(first.body)]
    if step.again:  # what is read there under several names is one value, or there could be no further run
        read = [value for value in _read(first.body) if not value.module]
        return [*step.inputs[:1] * len(read), *_telling(first.body, read), *run_outside(first.body)]
    return taken(step.body)


def made(step: Step) -> list[Value]:
    """Every value that a step makes, its named parts included."""
    if step.body is None:
        return flat(step.results)
    return list(step.body.exports) or [step.value]
