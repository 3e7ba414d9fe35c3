"""How C makes one number of many: sums, means, norms, extremes and their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netspec.emit.c.code import number
from netspec.emit.c.elements import elementwise
from netspec.emit.c.parts import Made, Results, Rule, Wires
from netspec.emit.c.rows import LARGER, SMALLER, mean, place, reduced
from netspec.emit.c.writer import Unwritable, Wire, Writer


def _axes(op: Any, x: Wire) -> list[int]:
    """The axes of a reduction from the front; all where none is named."""
    dims = op.dim if isinstance(op.dim, tuple) else (op.dim,)
    return [x.axis(dim) for dim in dims] or list(range(x.rank))


def reduction(begin: str, step: str, whole: str = "") -> Rule:
    """A reduction over axes, in the dtype of its result; `whole` is what it begins with for whole numbers."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dtype = out[0].dtype
        start = begin if dtype == "float32" else whole or begin
        start = {"INT32_MIN": "0", "INT32_MAX": "1"}.get(start, start) if x[0].dtype == "bool" else start
        return reduced(w, type(op).__name__.lower(), x[0], _axes(op, x[0]), op.keepdim, start, step, dtype=dtype)

    return write


def mean_of(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The mean along axes."""
    return mean(w, x[0], _axes(op, x[0]), op.keepdim)


def variance(w: Writer, op: Any, x: Wires, out: Results) -> Wire:
    """The sum of squares around the mean, over the count less the correction."""
    axes = _axes(op, x[0])
    centred = elementwise(w, "centre", [x[0], mean(w, x[0], axes, keep=True)], "a - b")
    count = int(np.prod([x[0].shape[at] for at in axes])) - op.correction
    step = "found + value * value"
    return reduced(w, "var", centred, axes, op.keepdim, "0.0f", step, f"found / {number(count)}")


def std(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The root of the variance."""
    return elementwise(w, "sqrt", [variance(w, op, x, out)], "sqrtf(v)")


def log_sum_exp(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The logarithm of the sum of exponentials, which are taken of what is below the largest."""
    axes = _axes(op, x[0])
    most = reduced(w, "amax", x[0], axes, True, "-INFINITY", LARGER)
    firm = elementwise(w, "finite", [most], "isinf(v) ? 0.0f : v")
    below = elementwise(w, "exp", [x[0], firm], "expf(a - b)")
    total = reduced(w, "sum", below, axes, op.keepdim, "0.0f", "found + value")
    return elementwise(w, "log", [total, firm.viewed(*total.shape)], "logf(a) + b")


def _norm(w: Writer, x: Wire, p: float, axes: Sequence[int], keep: bool) -> Wire:
    """The p-norm along axes."""
    if p == 2:
        return reduced(w, "norm", x, axes, keep, "0.0f", "found + value * value", "sqrtf(found)")
    if p == 1:
        return reduced(w, "norm", x, axes, keep, "0.0f", "found + fabsf(value)")
    if p in (0, float("inf"), float("-inf")):
        raise Unwritable(f"takes the norm of {p}")
    step = f"found + powf(fabsf(value), {number(p)})"
    return reduced(w, "norm", x, axes, keep, "0.0f", step, f"powf(found, {number(1 / p)})")


def vector_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The p-norm."""
    return _norm(w, x[0], op.ord, _axes(op, x[0]), op.keepdim)


def normalize(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x over its length, which is not below eps."""
    length = _norm(w, x[0], op.p, [x[0].axis(op.dim)], keep=True)
    return elementwise(w, "normalize", [x[0], length], f"a / (b > {number(op.eps)} ? b : {number(op.eps)})")


def extreme(sign: str) -> Rule:
    """The largest or smallest on an axis, and its place."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        at = x[0].axis(op.dim)
        floats = x[0].dtype == "float32"
        begin = ("-INFINITY" if floats else "INT32_MIN") if sign == ">" else ("INFINITY" if floats else "INT32_MAX")
        if x[0].dtype == "bool":
            begin = "0" if sign == ">" else "1"
        kind, step = type(op).__name__.lower(), LARGER if sign == ">" else SMALLER
        values = reduced(w, kind, x[0], [at], op.keepdim, begin, step, dtype=x[0].dtype)
        return [values, place(w, f"arg{kind}", x[0], at, op.keepdim, sign)]

    return write


def place_of(sign: str) -> Rule:
    """Where the largest or the smallest is."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return place(w, type(op).__name__.lower(), x[0], x[0].axis(op.dim), op.keepdim, sign)

    return write
