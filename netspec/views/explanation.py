"""Explanations of a step: how its sizes, its parameters and its cost come about, with the numbers put in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from netspec.dims import Size, product, substitute
from netspec.graph.model import Graph, Step, flat
from netspec.graph.size import ITEM_BYTES
from netspec.lint.flow import Flow
from netspec.tensors import Tensor, sample
from netspec.text.source import Source
from netspec.views.table import operation, title
from netspec.words import offered, printable

RULE: Final = re.compile(r"\(size[^,.]*")
"""The arithmetic of a size in the rule of an operation."""
WORD: Final = re.compile(r"[a-z_]+")
BESIDE: Final = re.compile(r"(?<=[\w)]) (?=[\w(])")
"""The blank between what is multiplied."""
WINDOW: Final = ("kernel_size", "stride", "padding", "dilation", "output_padding")


@dataclass(frozen=True, slots=True)
class Field:
    """What of the input one number of an output depends on, along each axis of a map."""

    sizes: tuple[int, ...]
    """How many points of the input, padding among them."""
    steps: tuple[int, ...]
    """How far apart in the input two neighbours see."""


def steps(graph: Graph) -> dict[str, Step]:
    """The steps that can be explained, by their paths."""
    return {step.path: step for step in graph.root.walk() if step.op is not None or step.body is not None}


def explained(graph: Graph, source: Source, name: str) -> str | None:
    """How a step comes to its size and its cost, line by line; None where the network has no such step."""
    found = steps(graph)
    step = found.get(name)
    if step is None:
        ends = [each for path, each in found.items() if path.rpartition(".")[2] == name]
        step = ends[0] if len(ends) == 1 else None
    if step is None:
        return None
    return "\n".join(_lines(graph, source, step))


def near(graph: Graph, name: str) -> str:
    """A hint for a name that no step has."""
    return offered(name, steps(graph))


def _lines(graph: Graph, source: Source, step: Step) -> Iterator[str]:
    """The lines of an explanation."""
    place = source.place(step.at)
    line = place.file.lines[place.line - 1].strip() if place.line <= len(place.file.lines) else ""
    made = operation(step) if step.op is not None else title(step.body) if step.body is not None else ""
    yield f"{step.path}: {made or 'a level'}"
    yield f"{printable(place.file.name)}:{place.line}  {printable(line)}"
    if step.op is not None:
        yield ""
        yield (step.op.__doc__ or "").partition("\n")[0]
    yield ""
    yield from (f"{head:11} {text}" for head, text in _facts(graph, step))


def _facts(graph: Graph, step: Step) -> Iterator[tuple[str, str]]:
    """What there is to say of a step, each under its head."""
    inputs = [value.tensor for value in step.inputs if value.tensor is not None]
    outputs = [value.tensor for value in flat(step.results) if value.tensor is not None]
    if inputs:
        yield "input", ", ".join(sample(x.shape) for x in inputs)
    if outputs:
        yield "output", ", ".join(sample(x.shape) for x in outputs)
    if step.op is not None and step.op.rule:
        yield "rule", step.op.rule
        for text in _with_numbers(step, inputs, outputs):
            yield "", text
    shapes = step.parameters() if step.op is not None else {}
    counts = {name: prod(shape) for name, shape in shapes.items()}
    if step.op is None and step.body is not None:
        inner = {path: shape for path, shape in graph.parameters().items() if path.startswith(f"{step.path}.")}
        if inner:
            yield "parameters", f"{sum(map(prod, inner.values())):,} in {len(inner)} tensors of its members"
    elif counts:
        parts = [f"{name or 'itself'} {_product(shape)}" for name, shape in shapes.items()]
        total = f"; {sum(counts.values()):,} in all" if len(counts) > 1 else ""
        yield "parameters", "; ".join(parts) + total
    if step.op is not None and (macs := step.macs()):
        yield "MACs", _cost(macs, counts if step.wrap is None else {})
    held = [(once(product(x.shape)), ITEM_BYTES[x.dtype]) for x in outputs]
    if sizes := [count * each for count, each in held if isinstance(count, int)]:
        yield "memory", f"{sum(sizes):,} bytes of output for a sample{_bytes(counts)}"
    if step.op is None:
        return
    field = receptive_field(graph, step)
    if field is not None:
        sees = " x ".join(f"{size:,}" for size in field.sizes)
        apart = " x ".join(f"{step:,}" for step in field.steps)
        yield "sees", f"{sees} points of the input for each of its own, neighbours {apart} apart"


def _bytes(counts: Mapping[str, int]) -> str:
    """What the parameters take beside the output."""
    return f", {4 * sum(counts.values()):,} of parameters in float32" if counts else ""


def _product(shape: tuple[int, ...]) -> str:
    """The sizes of a tensor and how many numbers that makes."""
    return f"{' x '.join(f'{size:,}' for size in shape) or '1'}{f' = {prod(shape):,}' if len(shape) > 1 else ''}"


def _cost(macs: Size, counts: Mapping[str, int]) -> str:
    """Multiply-accumulates for a sample; where every weight works at each of so many places, as that product."""
    one = once(macs)
    if not isinstance(one, int):
        return str(one)
    weights = counts.get("weight", 0)
    if weights and one % weights == 0 and one > weights:
        return f"{one // weights:,} places x {weights:,} weights = {one:,}"
    return f"{one:,}"


def once(size: Size) -> Size:
    """A size for a batch of one; sizes that only the run knows stay in it."""
    return substitute(size, {"B": 1})


def _with_numbers(step: Step, inputs: list[Tensor], outputs: list[Tensor]) -> Iterator[str]:
    """The arithmetic of a rule for each axis that slides, with the numbers of the step."""
    op = step.op
    rule = RULE.search(op.rule) if op is not None else None
    if op is None or rule is None or not inputs or not outputs or not hasattr(op, "per_axis"):
        return
    names = [name for name in WINDOW if name in op.fields and not isinstance(getattr(op, name), str)]
    by_axis = dict(zip(names, op.per_axis(*names), strict=True))
    lines = []
    for axis, (before, after) in enumerate(zip(inputs[0].shape[2:], outputs[0].shape[2:], strict=True)):
        known = {"size": before, **{name: values[axis] for name, values in by_axis.items()}}
        text = WORD.sub(lambda match: str(known.get(match[0], match[0])), rule[0].strip())  # noqa: B023
        lines.append(f"{BESIDE.sub(' * ', text)} = {after}")
    yield from dict.fromkeys(lines)


# --- what of the input is seen --------------------------------------------------------------------


def receptive_field(graph: Graph, step: Step) -> Field | None:
    """What of the network's input a number of a step depends on, by the arithmetic of Araujo, Norris and Sim 2019.

    A window of k points, d apart, over neighbours that see r points j apart sees r + (k - 1) d j; its stride multiplies
    j. Where branches meet, the largest holds. None where no window slides, or something mixes all places.
    """
    flow, found = Flow(graph), dict[Step, Field | None]()
    for each in flow.steps:
        before = [found.get(maker) for value in each.inputs for maker in flow.makers(value)]
        found[each] = _field(each, before)
        if each is step:
            return found[each]
    return None


def _field(step: Step, before: list[Field | None]) -> Field | None:
    """What a step sees, by what those before it see; none before it is an input."""
    op = step.op
    assert op is not None
    value = flat(step.results)[0]
    shape = value.tensor.shape if value.tensor is not None else ()
    dims = len(shape) - 2
    if dims < 1 or dims > 3 or any(field is None for field in before):
        return None
    fields = [field for field in before if field is not None and len(field.sizes) == dims] or [
        Field((1,) * dims, (1,) * dims)
    ]
    if before and len([field for field in before if field is not None]) != len(before):
        return None
    sizes = tuple(max(field.sizes[i] for field in fields) for i in range(dims))
    steps = tuple(max(field.steps[i] for field in fields) for i in range(dims))
    if op.family in ("convolution", "pooling") and hasattr(op, "kernel_size"):
        if getattr(op, "transposed", False) or not hasattr(op, "stride"):
            return None
        k = _each(op.kernel_size, dims)
        s = _each(op.kernel_size if op.stride is None else op.stride, dims)
        d = _each(getattr(op, "dilation", 1), dims)
        if k is None or s is None or d is None:
            return None
        grown = tuple(size + (k[i] - 1) * d[i] * steps[i] for i, size in enumerate(sizes))
        return Field(grown, tuple(step * s[i] for i, step in enumerate(steps)))
    pointwise = op.keeps_axes and op.family not in ("linear", "normalisation")
    alike = pointwise or op.keeps_numbers or op.joins or op.normalises == "batch"
    return Field(sizes, steps) if alike else None


def _each(value: Any, dims: int) -> tuple[int, ...] | None:
    """A number for each axis; None where it is none."""
    if isinstance(value, int):
        return (value,) * dims
    if isinstance(value, tuple | list) and len(value) == dims and all(isinstance(each, int) for each in value):
        return tuple(value)
    return None
