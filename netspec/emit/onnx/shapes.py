"""How ONNX brings the same numbers into another shape, or into another order of places."""

from __future__ import annotations

from typing import Any, Final

from netspec.dims import Dim
from netspec.emit.onnx.parts import (
    Made,
    Results,
    Wires,
)
from netspec.emit.onnx.writer import Unwritable, Writer

BACKWARDS: Final = -(2**63) + 1
"""The end of a slice that goes backwards to the beginning of its axis."""


def permute(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose`."""
    return w.swapped(x[0], *(x[0].axis(dim) for dim in op.dims))


def transpose(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose` of two axes."""
    order = list(range(x[0].rank))
    a, b = x[0].axis(op.dim0), x[0].axis(op.dim1)
    order[a], order[b] = order[b], order[a]
    return w.swapped(x[0], *order)


def movedim(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transpose` that moves one axis."""
    order = list(range(x[0].rank))
    order.insert(x[0].axis(op.destination), order.pop(x[0].axis(op.source_dim)))
    return w.swapped(x[0], *order)


def squeeze(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Squeeze` of the axes that have a size of 1."""
    dims = op.dim if isinstance(op.dim, tuple) else (op.dim,)
    gone = [at for at in map(x[0].axis, dims) if x[0].shape[at] == 1]
    return w.node("Squeeze", x[0], w.ints(*gone)) if gone else x[0].name


def unsqueeze(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Unsqueeze`."""
    return w.node("Unsqueeze", x[0], w.ints(op.dim % (x[0].rank + 1)))


def expand(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Expand`."""
    return w.node("Expand", x[0], w.sizes(out[0].shape))


def tiled(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Tile`, with axes put before where more are named."""
    more = len(op.dims) - x[0].rank
    source = w.node("Unsqueeze", x[0], w.ints(*range(more))) if more > 0 else x[0].name
    return w.node("Tile", source, w.sizes([*[1] * -more, *op.dims]))


def repeat_interleave(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place several times, by a new axis behind it."""
    at = x[0].axis(op.dim)
    shape = (*x[0].shape[: at + 1], op.repeats, *x[0].shape[at + 1 :])
    wide = w.node("Expand", w.node("Unsqueeze", x[0], w.ints(at + 1)), w.sizes(shape))
    return w.shaped(wide, out[0].shape, shape)


def roll(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The end of an axis put before its beginning."""
    found = x[0].name
    shifts = op.shifts if isinstance(op.shifts, tuple) else (op.shifts,)
    dims = op.dims if isinstance(op.dims, tuple) else (op.dims,)
    for shift, dim in zip(shifts, dims, strict=True):
        at = x[0].axis(dim)
        size = x[0].shape[at]
        if isinstance(shift, Dim) or not isinstance(size, int):
            raise Unwritable("rolls along an axis whose size only the run knows")
        if begin := -shift % size:
            parts = (w.sliced(found, at, begin, None), w.sliced(found, at, 0, begin))
            found = w.node("Concat", *parts, axis=at)
    return found


def flip(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Slice` backwards."""
    axes = [x[0].axis(dim) for dim in op.dims]
    ones = [-1] * len(axes)
    return w.node("Slice", x[0], w.ints(*ones), w.ints(*[BACKWARDS] * len(axes)), w.ints(*axes), w.ints(*ones))
