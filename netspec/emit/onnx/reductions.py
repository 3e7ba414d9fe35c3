"""How ONNX makes one number of many: sums, means, norms, extremes and their places."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.dims import product
from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
    norm,
)
from netspec.emit.onnx.writer import KINDS, Wire, Writer
from netspec.tensors import Dtype


def _axes(op: Any, x: Wire) -> list[int]:
    """The axes of a reduction from the front; all where none is named."""
    dims = op.dim if isinstance(op.dim, tuple) else (op.dim,)
    return [x.axis(dim) for dim in dims] or list(range(x.rank))


def reduction(kind: str) -> Rule:
    """A reduction over axes, in the dtype of its result."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dtype: Dtype = "int64" if out[0].dtype == "bool" else out[0].dtype
        if not x[0].rank:
            return w.cast(x[0], out[0].dtype)
        found = w.reduced(kind, w.cast(x[0], dtype), _axes(op, x[0]), op.keepdim)
        return w.cast(found, out[0].dtype, dtype)

    return write


def variance(w: Writer, op: Any, x: Wires, out: Results) -> str:
    """The sum of squares around the mean, over the count less the correction."""
    axes = _axes(op, x[0])
    centred = w.node("Sub", x[0], w.reduced("ReduceMean", x[0], axes, keep=True))
    total = w.reduced("ReduceSum", w.node("Mul", centred, centred), axes, op.keepdim)
    count = product(x[0].shape[at] for at in axes) - op.correction
    if isinstance(count, int):
        return w.node("Div", total, w.number(float(count), "float32"))
    return w.node("Div", total, w.node("Cast", w.scalar(count), to=KINDS["float32"]))


def std(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The root of the variance."""
    return w.node("Sqrt", variance(w, op, x, out))


def vector_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The p-norm."""
    return norm(w, x[0], op.ord, _axes(op, x[0]), op.keepdim)


def extreme(kind: str) -> Rule:
    """The largest or smallest on an axis, and its place."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        at = x[0].axis(op.dim)
        dtype: Dtype = "int64" if x[0].dtype == "bool" else x[0].dtype
        source = w.cast(x[0], dtype)
        values = w.cast(w.reduced(f"Reduce{kind}", source, [at], op.keepdim), x[0].dtype, dtype)
        return [values, w.node(f"Arg{kind}", source, axis=at, keepdims=int(op.keepdim))]

    return write


def place(kind: str) -> Rule:
    """`ArgMax` or `ArgMin`."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, x[0], axis=x[0].axis(op.dim), keepdims=int(op.keepdim))

    return write


def cumsum(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`CumSum`."""
    return w.node("CumSum", w.cast(x[0], out[0].dtype), w.constant(np.array(x[0].axis(op.dim), np.int64)))
