"""How ONNX joins and cuts, takes what stands at places, puts it there, and sorts."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
)
from netspec.emit.onnx.writer import Wire, Writer
from netspec.tensors import Dtype


def concat(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Concat`."""
    return w.node("Concat", *(w.cast(each, out[0].dtype) for each in x), axis=x[0].axis(op.dim))


def stack(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Concat` along a new axis."""
    at = op.dim % (x[0].rank + 1)
    return w.node("Concat", *(w.node("Unsqueeze", w.cast(each, out[0].dtype), w.ints(at)) for each in x), axis=at)


def cut(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Split` into parts of the sizes that the results have."""
    at = x[0].axis(op.dim)
    if len(out) == 1:
        return [x[0].name]
    return w.nodes_of("Split", x[0], w.sizes([part.shape[at] for part in out]), outputs=len(out), axis=at)


def unbind(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each place of an axis by itself."""
    at = x[0].axis(op.dim)
    return [w.node("Gather", x[0], w.constant(np.array(i, np.int64)), axis=at) for i in range(len(out))]


# Places.


def select(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One place of an axis."""
    return w.node("Gather", x[0], w.scalar(op.index), axis=x[0].axis(op.dim))


def slicing(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A stretch of an axis."""
    return w.sliced(x[0], x[0].axis(op.dim), op.start, op.stop, op.step)


def narrow(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A stretch of a length."""
    at = x[0].axis(op.dim)
    start = op.start + x[0].shape[at] if isinstance(op.start, int) and op.start < 0 else op.start
    return w.sliced(x[0], at, start, start + op.length)


def index_select(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Places of an axis in the order of an index."""
    index = x[1].name if x[1].rank else w.node("Reshape", x[1], w.ints(1))
    return w.node("Gather", x[0], index, axis=x[0].axis(op.dim))


def gather(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GatherElements`."""
    at = x[0].axis(op.dim)
    return w.node("GatherElements", _cropped(w, x[0], x[1], at), x[1], axis=at)


def _cropped(w: Writer, x: Wire, index: Wire, axis: int) -> str:
    """An input as large as the index that picks from it, but for the axis that it picks along."""
    found = x.name
    for at, (size, wanted) in enumerate(zip(x.shape, index.shape, strict=True)):
        if at != axis and size != wanted:
            found = w.sliced(found, at, 0, wanted)
    return found


def scattered(reduction: str) -> Rule:
    """`ScatterElements`, which puts or adds."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        table, index, rows = x
        source = rows.name
        for at, (size, wanted) in enumerate(zip(rows.shape, index.shape, strict=True)):
            if size != wanted:
                source = w.sliced(source, at, 0, wanted)
        return w.node("ScatterElements", table, index, source, axis=table.axis(op.dim), reduction=reduction)

    return write


def index_add(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows added at the places of an index, which is spread over them."""
    table, index, rows = x
    at = table.axis(op.dim)
    column = w.node("Reshape", index, w.ints(*[-1 if i == at else 1 for i in range(rows.rank)]))
    places = w.node("Expand", column, w.sizes(rows.shape))
    return w.node("ScatterElements", table, places, rows, axis=at, reduction="add")


# Order.


def topk(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TopK`."""
    at = x[0].axis(op.dim)
    dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
    how = {"axis": at, "largest": int(op.largest), "sorted": int(op.sorted)}
    values, places = w.nodes_of("TopK", w.cast(x[0], dtype), w.size(op.k), outputs=2, **how)
    return [w.cast(values, x[0].dtype, dtype), places]


def ordered(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TopK` of all, its places alone for argsort."""
    at = x[0].axis(op.dim)
    dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
    how = {"axis": at, "largest": int(op.descending), "sorted": 1}
    values, places = w.nodes_of("TopK", w.cast(x[0], dtype), w.size(x[0].shape[at]), outputs=2, **how)
    return [w.cast(values, x[0].dtype, dtype), places] if len(out) == 2 else places
