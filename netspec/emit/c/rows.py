"""What takes many numbers together: reductions, softmaxes, norms, rows of tables.

Sums are taken in the order of the axes, in float32, as a plain loop has them; the proof says whether that is near
enough to torch, which adds in blocks. A softmax takes the largest number away before any exponential, so that none
overflows, and a norm takes the mean before the variance, which loses fewer digits than the mean of squares would.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

import numpy as np

from netspec.emit.c.code import TYPES, Code, contiguous, number
from netspec.emit.c.elements import elementwise
from netspec.emit.c.writer import Array, Names, Wire, Writer
from netspec.tensors import Dtype


def reduced(
    w: Writer,
    kind: str,
    x: Wire,
    axes: Sequence[int],
    keep: bool,
    begin: str,
    step: str,
    end: str = "found",
    dtype: Dtype = "float32",
) -> Wire:
    """One number for all along the axes: `found` begins as `begin`, becomes `step` for each `value`, and is `end`."""
    kept = [at for at in range(x.rank) if at not in axes]
    strides = contiguous(x.shape)
    outer, inner = [x.shape[at] for at in kept], [x.shape[at] for at in axes]
    type_ = TYPES[dtype]
    step = step if x.dtype == "float32" else step.replace(f" {NEVER}", "")

    def body(code: Code, names: Names) -> None:
        with code.nest(outer, contiguous(outer), [strides[at] for at in kept]) as (to, base):
            code.add(f"{type_} found = {begin};")
            with code.nest(inner, [strides[at] for at in axes], names="uvwxz") as (place,):
                code.add(f"const {TYPES[x.dtype]} value = {names.x[0]}[{_sum(base, place)}];")
                code.add(f"found = {step};")
            code.add(f"{names.y[0]}[{to}] = {end};")

    shape = [1 if at in axes else n for at, n in enumerate(x.shape) if keep or at not in axes]
    return w.call(kind, [x], shape, body, dtype=dtype)


def mean(w: Writer, x: Wire, axes: Sequence[int], keep: bool = False) -> Wire:
    """The mean along axes."""
    count = prod(x.shape[at] for at in axes)
    return reduced(w, "mean", x, axes, keep, "0.0f", "found + value", f"found / {number(count)}")


LARGER: Final = "value > found || value != value ? value : found"
SMALLER: Final = "value < found || value != value ? value : found"
NEVER: Final = "|| value != value"
"""What lets nan through, which whole numbers do not have."""


def place(w: Writer, kind: str, x: Wire, axis: int | None, keep: bool, sign: str) -> Wire:
    """Where the largest number of an axis is, or the smallest: the first of several; nan is before all."""
    shape, at = ((x.size,), 0) if axis is None else (x.shape, axis)
    strides = contiguous(shape)
    outer = [n for i, n in enumerate(shape) if i != at]
    type_ = TYPES[x.dtype]

    def body(code: Code, names: Names) -> None:
        steps = [s for i, s in enumerate(strides) if i != at]
        with code.nest(outer, contiguous(outer), steps) as (to, base):
            code.add("int32_t best = 0;")
            code.add(f"{type_} found = {names.x[0]}[{base}];")
            with code.loop("u", shape[at], start=1):
                code.add(f"const {type_} value = {names.x[0]}[{_sum(base, f'u * {strides[at]}')}];")
                nan = " || (value != value && found == found)" if x.dtype == "float32" else ""
                with code.block(f"if (value {sign} found{nan})"):
                    code.add("found = value;")
                    code.add("best = u;")
            code.add(f"{names.y[0]}[{to}] = best;")

    if axis is None:
        left = [1] * x.rank if keep else []
    else:
        left = [1 if i == at else n for i, n in enumerate(shape) if keep or i != at]
    return w.call(kind, [x], left, body, dtype="int64")


def softmax(w: Writer, x: Wire, axis: int, log: bool = False) -> Wire:
    """exp(x) over the sum of that along an axis, or the logarithm of it."""
    inner, count = prod(x.shape[axis + 1 :]), x.shape[axis]
    outer = x.size // (inner * count)

    def body(code: Code, names: Names) -> None:
        step = "k" if inner == 1 else f"k * {inner}"
        with code.nest([outer, inner], [count * inner, 1], names="ij") as (base,):
            code.add(f"const float *in = {names.x[0]} + {base};")
            code.add(f"float *out = {names.y[0]} + {base};")
            code.add("float largest = in[0], total = 0.0f;")
            with code.loop("k", count, start=1):
                code.add(f"largest = in[{step}] > largest ? in[{step}] : largest;")
            with code.loop("k", count):
                if log:
                    code.add(f"total += expf(in[{step}] - largest);")
                else:
                    code.add(f"out[{step}] = expf(in[{step}] - largest);")
                    code.add(f"total += out[{step}];")
            if log:
                code.add("total = largest + logf(total);")
            with code.loop("k", count):
                code.add(f"out[{step}] = {f'in[{step}] - total' if log else f'out[{step}] / total'};")

    return w.call("log_softmax" if log else "softmax", [x], x.shape, body)


def normalised(
    w: Writer,
    kind: str,
    x: Wire,
    count: int,
    eps: float,
    scale: Array | None,
    shift: Array | None,
    *,
    each: int = 0,
    centred: bool = True,
) -> Wire:
    """Stretches of `count` numbers behind each other, without their mean and over their deviation.

    Then scaled and shifted: by a number for each place of a stretch, or, with `each`, by one for each channel of so
    many numbers. Without `centred` the mean stays, and they are over their root mean square.
    """
    stretches = x.size // count
    constants = {name: (a, "float32") for name, a in (("scale", scale), ("shift", shift)) if a is not None}
    channels = max(count // each, 1) if each else 0
    groups = (len(scale) if scale is not None else len(shift) if shift is not None else channels) if each else 0

    def body(code: Code, names: Names) -> None:
        with code.loop("i", stretches):
            code.add(f"const float *in = {names.x[0]} + i * {count};")
            code.add(f"float *out = {names.y[0]} + i * {count};")
            code.add("float mean = 0.0f, square = 0.0f;")
            if centred:
                with code.loop("k", count):
                    code.add("mean += in[k];")
                code.add(f"mean /= {number(count)};")
            with code.loop("k", count):
                code.add("const float v = in[k] - mean;")
                code.add("square += v * v;")
            code.add(f"const float by = 1.0f / sqrtf(square / {number(count)} + {number(eps)});")
            with code.loop("k", count):
                at = "k"
                if each and constants:
                    channel = f"i * {channels} + k / {each}" if channels > 1 else "i"
                    at = channel if stretches * channels <= groups else f"({channel}) % {groups}"
                found = "(in[k] - mean) * by"
                found += f" * {names['scale']}[{at}]" if scale is not None else ""
                found += f" + {names['shift']}[{at}]" if shift is not None else ""
                code.add(f"out[k] = {found};")

    return w.call(kind, [x], x.shape, body, constants=constants)


def by_channel(w: Writer, kind: str, x: Wire, scale: Array, shift: Array) -> Wire:
    """Each channel, on axis 1, multiplied by a number, and another added."""
    scale, shift = scale.astype(np.float32), shift.astype(np.float32)
    column = [-1, *[1] * (x.rank - 2)]
    wires = [w.constant(each.reshape(column), "float32") for each in (scale, shift)]
    found = elementwise(w, kind, [x, *wires], "a * b + c")
    w.calls[-1].scales = scale, shift
    return found


def rows_of(w: Writer, kind: str, table: Wire, numbers: Wire) -> Wire:
    """Rows of a table, by their numbers. What is outside of it is refused."""
    rows, *rest = table.shape
    width = prod(rest)

    def body(code: Code, names: Names) -> None:
        x, wanted = names.x
        with code.loop("i", numbers.size):
            code.add(f"const int32_t row = {wanted}[i];")
            code.add(f"if (row < 0 || row >= {rows}) return 1;")
            with code.loop("k", width):
                code.add(f"{names.y[0]}[{_sum(f'i * {width}', 'k')}] = {x}[row * {width} + k];")

    shape = (*numbers.shape, *rest)
    return w.call(kind, [table, numbers], shape, body, dtype=table.dtype, fails=True)


def _sum(*parts: str) -> str:
    """What is not 0, added up."""
    return " + ".join(part for part in parts if part and part != "0") or "0"
