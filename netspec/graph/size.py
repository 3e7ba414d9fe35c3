"""How large a network is, counted exactly before anything is made: tensors that none can hold, and given limits.

What is counted is the least that a network needs. Its parameters and buffers are there in any case, and in training a
gradient for each parameter; of the values in between only the largest is sure to be held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Final

from netspec import machine
from netspec.dims import Dim, Size, substitute
from netspec.errors import At, Problem
from netspec.graph.model import Graph, Step, flat
from netspec.machine import shown_bytes
from netspec.tensors import Tensor, show

ITEM_BYTES: Final = {"float32": 4, "int64": 8, "bool": 1}
SMALLER: Final = "Take smaller sizes."
MAX_AXES: Final = 64
"""How many axes torch's tensors have at the most."""


UNASKED: Final = 10**12
"""Bytes that a network may need without a limit being given: more than nearly every machine has."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most parameters, and the most bytes of memory, that a network may have.

    Without a number parameters are not limited, and memory is by UNASKED.
    """

    params: int | None = None
    memory: int | None = None
    """In bytes."""


def least_bytes(tensor: Tensor, batch: int = 1) -> int:
    """The bytes of a tensor at a batch; sizes that only the run knows count as 1."""
    return ITEM_BYTES[tensor.dtype] * prod(_least(size, batch) for size in tensor.shape)


@lru_cache(maxsize=1024)
def _least(size: Size, batch: int) -> int:
    """A size as a number, at least: a batch is as large as said, another size of the run is 1."""
    if isinstance(size, Dim):
        size = substitute(size, {name: batch if name == "B" else 1 for name in size.names})
    return max(0, int(size)) if isinstance(size, int) else 1


def impossible_parameters(step: str, shapes: Mapping[str, tuple[int, ...]], at: At) -> Iterator[Problem]:
    """What is wrong with parameters and buffers of a step that no machine can hold."""
    for name, shape in shapes.items():
        if (size := 4 * prod(map(int, shape))) > machine.ADDRESSABLE:
            whose = f"{step}'s {name}" if name else step
            text = f"{whose} is {show(shape)}: {shown_bytes(size)}, more than any machine holds"
            yield Problem("too-large", text, at, SMALLER)


def impossible(tensor: Tensor, what: str, at: At) -> Iterator[Problem]:
    """What is wrong with a tensor that no machine can hold; `what` says whose it is, as in `conv1 gives`."""
    if len(tensor.shape) > MAX_AXES:
        text = f"{what} {len(tensor.shape)} axes, batch included; at most {MAX_AXES} can be"
        yield Problem("too-large", text, at, "Write several of them as one.")
    elif (size := least_bytes(tensor)) > machine.ADDRESSABLE:
        yield Problem("too-large", f"{what} {tensor}: {shown_bytes(size)}, more than any machine holds", at, SMALLER)


def beyond(graph: Graph, limits: Limits, *, batch: int = 1, training: bool = False) -> list[Problem]:
    """A problem for each limit that a network passes, at the step that takes the most. `batch` is that of a step."""
    problems = []
    if limits.params is not None and graph.parameter_count > limits.params:
        text = f"the network has {graph.parameter_count:,} parameters, at most {limits.params:,} are allowed"
        problems.append(_too_many(text, _heaviest(graph)))
    need = _needed(graph, batch, training) if limits.memory is not None else _needed(graph)
    if limits.memory is not None:
        problems += _lacking(need, limits.memory, limits.memory, "are allowed")
    else:
        problems += _lacking(need, UNASKED, UNASKED, "are allowed without --max-memory, which can raise it")
    return problems or _lacking(need, machine.ADDRESSABLE, machine.ADDRESSABLE, "can be addressed")


def beyond_machine(graph: Graph, *, batch: int = 1, device: str = "cpu", training: bool = False) -> list[Problem]:
    """The same for what this machine has."""
    room = machine.memory()
    return _lacking(_needed(graph, batch, training), room, machine.room_on(device), "are there")


@dataclass(frozen=True, slots=True)
class _Need:
    """The least bytes that a network takes, and the steps that take the most of them."""

    held: int
    """Parameters and buffers."""
    gradients: int
    heaviest: Step | None
    batch: int
    largest: Step | None
    """The step with the largest result."""
    value: int
    """The bytes of that result."""


def _needed(graph: Graph, batch: int = 1, training: bool = False) -> _Need:
    """What a network takes of memory at least, in bytes, for a batch of this size."""
    trained = sum(prod(s) for s in graph.trained().values()) if training else 0
    held = graph.parameter_count + sum(prod(shape) for shape in graph.buffers().values())
    return _Need(4 * held, 4 * trained, _heaviest(graph), batch, *_largest_value(graph, batch))


def _lacking(need: _Need, room: int, values: int, end: str) -> list[Problem]:
    """The problem of a network that needs more memory than there is; `end` says where that limit comes from."""
    if need.held + need.gradients > room:
        what = "parameters with their gradients" if need.gradients else "parameters"
        text = f"{shown_bytes(need.held + need.gradients)} of {what} are needed at least, {shown_bytes(room)} {end}"
        return [_too_many(text, need.heaviest)]
    step = need.largest
    if step is None or need.held + need.value <= max(room, values):
        return []
    text = f"{step.name} gives {step.value.tensor}, {shown_bytes(need.value)} at batch {need.batch:,}"
    text += f", beside {shown_bytes(need.held)} of parameters; {shown_bytes(values)} {end}"
    return [
        Problem("too-large", text, step.at, SMALLER if need.batch == 1 else "Take smaller sizes or a smaller batch.")
    ]


def _too_many(text: str, step: Step | None) -> Problem:
    """The problem with too many parameters, of which this step has the most."""
    hint = SMALLER
    if step is not None and step.parameters():
        hint = f"The largest part is {step.path}, with {sum(map(prod, step.parameters().values())):,}. {hint}"
    return Problem("too-large", text, step.at if step is not None else At(("layers",)), hint)


def _heaviest(graph: Graph) -> Step | None:
    """The step with the most parameters."""
    return max(
        (step for _, step in graph.root.owners()), key=lambda s: sum(map(prod, s.parameters().values())), default=None
    )


def _largest_value(graph: Graph, batch: int) -> tuple[Step | None, int]:
    """The step with the largest result, and its bytes."""
    found = ((step, sum(_sizes(step, batch))) for step in graph.root.walk() if step.op is not None)
    return max(found, key=lambda pair: pair[1], default=(None, 0))


def _sizes(step: Step, batch: int) -> Iterable[int]:
    """The bytes of what a step makes; none for a view of its input."""
    if step.op is not None and step.op.is_view:
        return ()
    return (least_bytes(value.tensor, batch) for value in flat(step.results) if value.tensor is not None)
