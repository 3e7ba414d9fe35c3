"""Pools: one number for each window of a map.

Bounds of a window are cut to the map before the loops over it, so padding costs nothing and is never read. Means
divide by the whole window, by what of it lies on the map, or by a number that is given, as `count_include_pad` and
`divisor_override` say. Adaptive pools have windows of unlike sizes, from floor(i * in / out) to ceil((i + 1) * in /
out).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Literal

import numpy as np

from netspec.emit.c.code import Code, index
from netspec.emit.c.writer import Array, Names, Wire, Writer

Kind = Literal["max", "avg"]


def pooled(
    w: Writer,
    x: Wire,
    size: tuple[int, ...],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    kind: Kind,
    *,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Wire:
    """A pool over maps of rows and columns, `size` windows on each axis.

    What is outside of the map counts for nothing in a largest number. Of a mean the divisor is `divisor`, else the
    places of the window, those in the padding among them or not; what hangs over the padding never counts.
    """
    *front, height, width = x.shape
    planes = x.size // (height * width)
    rows, columns = size
    inside = not any(padding) and all(
        (n - 1) * s + d * (k - 1) < whole
        for n, s, d, k, whole in zip(size, stride, dilation, kernel, (height, width), strict=True)
    )
    ends = [whole + p for whole, p in zip((height, width), padding, strict=True)]

    def body(code: Code, names: Names) -> None:
        with code.nested([("p", planes), ("r", rows), ("c", columns)]):
            code.add(f"const float *in = {names.x[0]} + p * {height * width};")
            code.add(f"float found = {'-INFINITY' if kind == 'max' else '0.0f'};")
            if not inside and kind == "avg" and not counts_padding:
                code.add("int count = 0;")
            with code.loop("u", kernel[0]):
                _row(code, "h", "r", "u", stride[0], padding[0], dilation[0], 0 if inside else height)
                with code.loop("v", kernel[1]):
                    _row(code, "w", "c", "v", stride[1], padding[1], dilation[1], 0 if inside else width)
                    code.add(f"const float value = in[h * {width} + w];")
                    if kind == "max":
                        code.add("found = value > found || value != value ? value : found;")
                    else:
                        code.add("found += value;")
                        if not inside and not counts_padding:
                            code.add("count++;")
            result = "found"
            if kind == "avg":
                result = f"found / {_divisor(code, kernel, stride, padding, ends, divisor, inside, counts_padding)}"
            code.add(f"{names.y[0]}[(p * {rows} + r) * {columns} + c] = {result};")

    return w.call(f"{kind}pool", [x], (*front, rows, columns), body)


def _row(code: Code, name: str, at: str, within: str, stride: int, padding: int, dilation: int, whole: int) -> None:
    """The place in the map, and nothing more where there is none."""
    code.add(f"const int {name} = {index([(at, stride), (within, dilation)], -padding)};")
    if whole:
        code.add(f"if ({name} < 0 || {name} >= {whole}) continue;")


def _divisor(
    code: Code,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ends: Sequence[int],
    divisor: int | None,
    inside: bool,
    counts_padding: bool,
) -> str:
    """What the sum of a window is divided by."""
    if divisor is not None:
        return f"{float(divisor)}f"
    if inside:
        return f"{float(kernel[0] * kernel[1])}f"
    if not counts_padding:
        return "(float)count"
    for name, at, axis in (("down", "r", 0), ("across", "c", 1)):
        begin = index([(at, stride[axis])], -padding[axis])
        code.add(f"const int {name}_end = {begin} + {kernel[axis]};")
        whole = f"{name}_end < {ends[axis]} ? {name}_end : {ends[axis]}"
        code.add(f"const int {name} = ({whole}) - ({begin});")
    return "(float)(down * across)"


def adaptive(w: Writer, x: Wire, size: tuple[int, ...], kind: Kind) -> Wire:
    """A pool to so many rows and columns: window i of n goes from floor(i size / n) to ceil((i + 1) size / n)."""
    *front, height, width = x.shape
    planes = x.size // (height * width)
    rows, columns = size
    if height % rows == 0 and width % columns == 0:
        kernel = (height // rows, width // columns)
        return pooled(w, x, size, kernel, kernel, (0, 0), (1, 1), kind)
    constants: dict[str, tuple[Array, str]] = {}
    for name, whole, count in (("row", height, rows), ("column", width, columns)):
        begins = np.array([floor(i * whole / count) for i in range(count)])
        ends = np.array([ceil((i + 1) * whole / count) for i in range(count)])
        constants |= {f"{name}_begin": (begins, "int64"), f"{name}_end": (ends, "int64")}

    def body(code: Code, names: Names) -> None:
        with code.nested([("p", planes), ("r", rows), ("c", columns)]):
            code.add(f"float found = {'-INFINITY' if kind == 'max' else '0.0f'};")
            begins = [f"{names[f'{axis}_begin']}[{at}]" for axis, at in (("row", "r"), ("column", "c"))]
            ends = [f"{names[f'{axis}_end']}[{at}]" for axis, at in (("row", "r"), ("column", "c"))]
            with code.loop("u", ends[0], start=begins[0]), code.loop("v", ends[1], start=begins[1]):
                code.add(f"const float value = {names.x[0]}[(p * {height} + u) * {width} + v];")
                more = "found + value" if kind == "avg" else "value > found || value != value ? value : found"
                code.add(f"found = {more};")
            count = f"(float)(({ends[0]} - {begins[0]}) * ({ends[1]} - {begins[1]}))"
            result = f"found / {count}" if kind == "avg" else "found"
            code.add(f"{names.y[0]}[(p * {rows} + r) * {columns} + c] = {result};")

    return w.call(f"{kind}pool", [x], (*front, rows, columns), body, constants=constants)
