"""The summary of a network: a row for each step, and totals. Everything is counted, nothing is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from netspec.dims import Size, product, substitute
from netspec.emit.torch import module_arguments, torch_class
from netspec.graph.groups import tensors
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.graph.size import ITEM_BYTES
from netspec.layers.base import Layer
from netspec.python import expressions
from netspec.python.literals import literal
from netspec.python.nodes import call
from netspec.tensors import Tensor, sample
from netspec.weights.freezing import EVER

OP_WIDTH: Final = 44
HEADS: Final = ("name", "op", "output", "parameters", "MACs", "memory")
Counted = Size | None
"""A number, a polynomial in sizes that only the run knows, or None where it cannot be told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One step. `parameters` of a level are those of its members; `memory` is that of the output, at batch 1."""

    path: str
    """Its name behind those of the levels around it."""
    depth: int
    """How many levels are around it."""
    op: str
    """Its operation or block, with what tells it from others."""
    output: tuple[Tensor | None, ...]
    """The tensors that it gives, batch first; None where one is unknown."""
    parameters: int
    """How many numbers they hold."""
    macs: Counted
    """Multiply-accumulates of one sample."""
    memory: Counted
    """Bytes."""
    level: bool = False
    """Whether it is a module of others."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class Summary:
    """A network in numbers."""

    name: str
    rows: tuple[Row, ...]
    """One for each step, in the order of running."""
    parameters: int
    """Each counted once, tied ones too."""
    trainable: int
    """Those that are not frozen."""
    macs: Counted
    """Multiply-accumulates of one sample."""
    parameter_bytes: int
    """Of the parameters, as float32."""
    activation_bytes: Counted
    """Of all that one sample's pass makes."""

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON. A number that depends on the run is a text such as `4*T`, an unknown one is null."""
        return {
            "name": self.name,
            "rows": [listed(row) for row in self.rows],
            "parameters": self.parameters,
            "trainable": self.trainable,
            "macs": plain(self.macs),
            "parameter_bytes": self.parameter_bytes,
            "activation_bytes": plain(self.activation_bytes),
        }


def summary(graph: Graph) -> Summary:
    """Count a network."""
    inputs = (_row(name, 0, "input", [value]) for name, value in graph.root.inputs.items())
    rows = (*inputs, *(row for _, row in steps(graph)))
    total = graph.parameter_count
    shapes = graph.parameters()
    frozen = sum(prod(shapes[t.names[0]]) for t in tensors(graph) if graph.weights.freeze.frozen(t.names, *EVER))
    activations = _sum(row.memory for row in rows if not row.level)
    return Summary(graph.name, rows, total, total - frozen, graph.macs(), total * 4, activations)


def steps(graph: Graph) -> Iterator[tuple[Step, Row]]:
    """Every step with its row, those of a level behind that of the level."""
    return _rows(graph.root, graph, 0, "")


def _rows(level: Level, graph: Graph, depth: int, prefix: str) -> Iterator[tuple[Step, Row]]:
    """The same for the steps of a level."""
    for step in level.steps:
        if step.left_out:
            continue
        path = f"{prefix}{step.name if step.again else step.member or step.name}"
        if step.body is None:
            op = _used(step, operation(step))
            results = [] if step.idle else flat(step.results)
            yield step, _row(path, depth, op, results, _own(step, path, graph), step.macs(), level.spread)
            continue
        inner = tuple(_rows(step.body, graph, depth + 1, f"{path}."))
        count = 0 if step.again else sum(row.parameters for _, row in inner if not row.level)
        yield (
            step,
            Row(path, depth, _used(step, title(step.body)), _tensors([step.value]), count, step.macs(), None, True),
        )
        if not step.again:
            yield from inner


def _used(step: Step, op: str) -> str:
    """What a step does, and of which module where an earlier step registered that."""
    return f"use {step.member}: {op}".removesuffix(": ") if step.again else op


def _once(count: Size) -> Size:
    """What a step counts that runs once."""
    return count


def _row(
    path: str,
    depth: int,
    op: str,
    values: list[Value],
    parameters: int = 0,
    macs: Counted = 0,
    spread: Callable[[Size], Size] = _once,
) -> Row:
    """A row, with the bytes at batch 1 of the values that its step makes in all its runs."""
    tensors = _tensors(values)
    return Row(path, depth, op, tensors, parameters, macs, _sum(_bytes(tensor, spread) for tensor in tensors))


def _tensors(values: list[Value]) -> tuple[Tensor | None, ...]:
    """The shapes of values, None where one is unknown."""
    return tuple(v.tensor for v in values)


def _own(step: Step, path: str, graph: Graph) -> int:
    """The parameters that this step registers; one that is tied to another counts there."""
    if step.again:
        return 0
    return sum(
        prod(shape)
        for part, shape in step.parameters().items()
        if (f"{path}.{part}" if part else path) not in graph.ties
    )


def operation(step: Step) -> str:
    """The operation as torch would be told it: `Conv2d(1, 6, 5)`."""
    op = step.op
    assert op is not None
    if isinstance(op, Layer):
        name = torch_class(type(op)).rpartition(".")[2]
        return expressions.text(call(name, *module_arguments(op)))
    given = [f"{name}={literal(value)}" for name, value in op.given.items() if _simple(value)]
    return f"{type(op).__name__.lower()}({', '.join(given)})"


def _simple(value: Any) -> bool:
    """Whether a value is plain data."""
    if isinstance(value, list | tuple):
        return all(map(_simple, value))
    return value is None or isinstance(value, int | float | str)


def title(level: Level) -> str:
    """A block as it is used: `bottleneck c=64 s=2`; a scan with its axis, routed experts with their number."""
    if level.route is not None:
        return f"route experts={level.route.experts}"
    if level.scan is not None:
        return f"scan axis={level.scan.axis}{' reverse' if level.scan.reverse else ''}"
    return " ".join([level.block, *(f"{name}={value}" for name, value in level.params.items())]).strip()


def _bytes(tensor: Tensor | None, spread: Callable[[Size], Size]) -> Counted:
    """The bytes of a value at batch 1, those of all runs; None where its shape is unknown."""
    if tensor is None:
        return None
    try:
        return substitute(spread(product(tensor.shape) * ITEM_BYTES[tensor.dtype]), {"B": 1})
    except OverflowError:  # a size with too many terms
        return None


def _sum(counts: Any) -> Counted:
    """A sum; None where one of the counts is unknown."""
    total: Size = 0
    for count in counts:
        if count is None:
            return None
        total = total + count
    return total


# --- as data ------------------------------------------------------------------------------------


def listed(row: Row) -> dict[str, Any]:
    """A row as plain data, for a machine."""
    return {
        "name": row.path,
        "op": row.op,
        "output": [[plain(size) for size in t.shape] if t else None for t in row.output],
        "dtype": [t.dtype if t else None for t in row.output],
        "parameters": row.parameters,
        "macs": plain(row.macs),
        "memory": plain(row.memory),
    }


def plain(count: Counted) -> int | str | None:
    """A count as JSON has it: one that only the run knows as text."""
    return count if count is None or isinstance(count, int) else str(count)


# --- as text ------------------------------------------------------------------------------------


def text(found: Summary, depth: int | None = None) -> str:
    """The table as lines of text; `depth` leaves out what is nested deeper."""
    shown = [row for row in found.rows if depth is None or row.depth < depth]
    cells = [HEADS, *(_cells(row) for row in shown)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADS))]
    lines = [_aligned(line, widths) for line in cells]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, *totals(found)])


def _cells(row: Row) -> tuple[str, ...]:
    """A row as the texts of its columns."""
    op = row.op if len(row.op) <= OP_WIDTH else f"{row.op[: OP_WIDTH - 3]}..."
    output = ", ".join(map(shape, row.output))
    memory = "" if row.level else bytes_said(row.memory)
    return ("  " * row.depth + row.name, op, output, counted(row.parameters), counted(row.macs), memory)


def shape(tensor: Tensor | None) -> str:
    """A shape without its batch, as a spec writes it; with all axes where the first is no batch."""
    if tensor is None:
        return "?"
    kind = "" if tensor.dtype == "float32" else f"{tensor.dtype.removesuffix('64')} "
    return kind + sample(tensor.shape)


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    """A line of the table: names to the left, numbers to the right."""
    cells = [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
    return "  ".join(cells).rstrip()


def totals(found: Summary) -> Iterator[str]:
    """The lines below the table."""
    frozen = found.parameters - found.trainable
    yield f"parameters  {found.parameters:,}" + (f", {found.trainable:,} of them trained" if frozen else "")
    yield f"MACs        {counted(found.macs) or 0}"
    held, made = bytes_said(found.parameter_bytes), bytes_said(found.activation_bytes)
    yield f"memory      {held} parameters, {made} outputs at batch 1"


def counted(count: Counted) -> str:
    """A count as a person reads it, `?` where it is unknown, nothing for 0."""
    if count is None:
        return "?"
    return (f"{count:,}" if count else "") if isinstance(count, int) else str(count)


def bytes_said(count: Counted) -> str:
    """Bytes as a person reads them."""
    if not isinstance(count, int):
        return "?" if count is None else f"{count} B"
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
