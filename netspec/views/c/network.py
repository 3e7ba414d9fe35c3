"""From a graph and its weights to a row of calls: each step by its rule, in the order of running, for one sample."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.dims import substitute
from netspec.emit.c.layers import LAYERS
from netspec.emit.c.operations import OPERATIONS
from netspec.emit.c.writer import Array, Storage, Unwritable, Wire, Writer
from netspec.graph.by_parts import Route, Scan
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.layers.base import Layer
from netspec.tensors import Tensor, show
from netspec.views.walking import Walk


class Network(Walk[Wire]):
    """Walks a graph and holds for each value the array that it is in."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array]) -> None:
        super().__init__()
        self.writer = Writer(weights, graph.ties)
        self.steps: dict[str, Step] = {}
        """Each step by its path."""
        for name, value in graph.root.inputs.items():
            x = one_sample(name, value)
            self.held[value] = Wire(Storage(size_of(x), x.dtype, "input"), ints(x))

    def operation(self, step: Step, path: str) -> None:
        """Write the functions of an operation."""
        assert step.op is not None
        results = [value for value in flat(step.results) if value is not None and value.tensor is not None]
        table = LAYERS if isinstance(step.op, Layer) else OPERATIONS
        self.steps[step.path] = step
        with self.writer.at(path, step.path):
            try:
                rule = table.of(type(step.op))
            except StopIteration:
                raise Unwritable(f"{step.path} ({step.op.said}) has no form in C that is known") from None
            try:
                given = [self.held[value.actual] for value in step.inputs]
                made = rule(self.writer, step.op, given, [one_sample(step.path, value) for value in results])
            except Unwritable as error:
                text = str(error) if str(error).startswith(step.path) else f"{step.path} ({step.op.said}) {error}"
                raise Unwritable(text) from None
        for value, wire in zip(results, [made] if isinstance(made, Wire) else made, strict=False):
            wanted = one_sample(step.path, value)
            assert wire.shape == ints(wanted), f"{step.path} gives {wire.shape}, not {show(wanted.shape)}"
            assert wire.dtype == wanted.dtype, f"{step.path} gives {wire.dtype}, not {wanted.dtype}"
            self.held[value] = wire

    def scan(self, step: Step, body: Level, scan: Scan, path: str) -> None:
        raise Unwritable(f"{step.path} is a scan, which has no form in C yet")

    def route(self, step: Step, body: Level, route: Route, path: str) -> None:
        raise Unwritable(f"{step.path} routes to experts, which has no form in C yet")


def one_sample(name: str, value: Value) -> Tensor:
    """What is known of a value where the batch is one sample. Raises Unwritable for a size that is open even so."""
    assert value.tensor is not None
    shape = tuple(substitute(size, {"B": 1}) for size in value.tensor.shape)
    for size in shape:
        if not isinstance(size, int):
            text = f"{name} has the shape {value.tensor}, and C is written for sizes that are known"
            raise Unwritable(f"{text}. Give {size} a number in `input`")
        if not size:
            raise Unwritable(f"{name} has the shape {value.tensor}, which is empty")
    return value.tensor.with_shape(*shape)


def ints(x: Tensor) -> tuple[int, ...]:
    """Sizes that are numbers."""
    return tuple(size for size in x.shape if isinstance(size, int))


def size_of(x: Tensor) -> int:
    """How many numbers a tensor of known sizes has."""
    total = 1
    for size in ints(x):
        total *= size
    return total
