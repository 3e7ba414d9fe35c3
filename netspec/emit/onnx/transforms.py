"""What is done to samples on their way to the network, as nodes: a rule for each transform that has a form.

They stand before the network in the order of the spec, with what was learnt of the training data as constants, and
compute what training computed: a file is held against torch from the raw samples on. Resizing is a product with a
matrix for each axis, for ONNX's own operator weighs the points at edges otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from netspec.emit.onnx.cells import Cells, filled
from netspec.emit.onnx.resizing import matrix, nearest
from netspec.emit.onnx.writer import Unwritable, Wire, Writer
from netspec.tensors import Tensor
from netspec.transforms.base import Transform, pair
from netspec.transforms.geometry import ChannelsFirst, ChannelsLast, Crop, Pad, Reshape, Resize
from netspec.transforms.values import Normalize, Scale

Rule = Callable[[Writer, Any, Wire], str]


def taken(
    w: Writer,
    x: Wire,
    steps: Sequence[Transform],
    peak: int,
    cells: Cells | None = None,
    fills: tuple[float | None, ...] = (),
) -> str:
    """What the network takes of an input: the numbers of `cells`, or bytes as floats of 0.0 to 1.0, then each step.

    `fills` stand in for empty cells of numbers, by column. Raises Unwritable.
    """
    name, tensor = x.name, x.tensor
    if cells is not None:
        name, tensor = cells.write(w, x), replace(tensor, dtype="int64")
    elif str(x.dtype) == "uint8":
        name = w.node("Div", w.node("Cast", x, to=1), w.number(peak, "float32"))
        tensor = replace(tensor, dtype="float32")
    elif any(fill is not None for fill in fills):
        name = filled(w, name, fills, x.rank)
    for step in steps:
        rule = RULES.get(type(step))
        if rule is None:
            raise Unwritable(f"{step.said} has no form in ONNX")
        name = rule(w, step, Wire(name, tensor))
        tensor = step.shape(tensor)
    return name


def _per_channel(w: Writer, numbers: float | tuple[float, ...], x: Wire) -> str:
    """One number, or one for each channel in the shape that meets it."""
    if isinstance(numbers, tuple):
        return w.constant(np.array(numbers, np.float32).reshape(-1, *[1] * (x.rank - 2)))
    return w.number(numbers, "float32")


def _normalize(w: Writer, step: Normalize, x: Wire) -> str:
    """The mean taken away, and divided by the deviation."""
    centred = w.node("Sub", x, _per_channel(w, step.mean, x))
    return w.node("Div", centred, _per_channel(w, step.std, x))


def _scale(w: Writer, step: Scale, x: Wire) -> str:
    """A multiple, and something added."""
    name = w.node("Mul", w.cast(x, "float32"), w.number(step.factor, "float32"))
    return w.node("Add", name, w.number(step.offset, "float32"))


def _pad(w: Writer, step: Pad, x: Wire) -> str:
    """Zeros around each image."""
    top, left = pair(step.padding)
    return w.node("Pad", x, w.ints(0, 0, top, left, 0, 0, top, left))


def _crop(w: Writer, step: Crop, x: Wire) -> str:
    """The middle of each image."""
    sizes = [int(str(size)) for size in x.shape[-2:]]
    wanted = pair(step.size)
    begin = [(size - want) // 2 for size, want in zip(sizes, wanted, strict=True)]
    end = [at + want for at, want in zip(begin, wanted, strict=True)]
    return w.node("Slice", x, w.ints(*begin), w.ints(*end), w.ints(x.rank - 2, x.rank - 1))


def _reshape(w: Writer, step: Reshape, x: Wire) -> str:
    """The same values in another shape."""
    return w.node("Reshape", x, w.ints(0, *step.sizes))


def _first(w: Writer, step: ChannelsFirst, x: Wire) -> str:
    """The channels brought to the front."""
    return w.node("Transpose", x, perm=[0, x.rank - 1, *range(1, x.rank - 1)])


def _last(w: Writer, step: ChannelsLast, x: Wire) -> str:
    """The channels brought to the end."""
    return w.node("Transpose", x, perm=[0, *range(2, x.rank), 1])


def _resize(w: Writer, step: Resize, x: Wire) -> str:
    """The points wanted, as shares of those that are there, first down and then across."""
    sizes, wanted = [int(str(size)) for size in x.shape[-2:]], pair(step.size)
    if step.mode == "nearest":
        down, across = (w.constant(nearest(*both)) for both in zip(sizes, wanted, strict=True))
        return w.node("Gather", w.node("Gather", x, down, axis=2), across, axis=3)
    down, across = (w.constant(matrix(*both, step.mode, step.antialias)) for both in zip(sizes, wanted, strict=True))
    return w.node("MatMul", w.node("MatMul", down, x), w.turned(across))


RULES: Final[Mapping[type[Transform], Rule]] = MappingProxyType(
    {
        Normalize: _normalize,
        Scale: _scale,
        Pad: _pad,
        Crop: _crop,
        Reshape: _reshape,
        ChannelsFirst: _first,
        ChannelsLast: _last,
        Resize: _resize,
    }
)


def bare(shape: Sequence[Any], dtype: str) -> Tensor:
    """A tensor that the file takes or gives, of a dtype that no network has inside."""
    return Tensor(tuple(shape), dtype)  # type: ignore[arg-type]
