"""How ONNX writes what goes over a map in windows: convolutions, pools, and windows cut out and laid down."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np

from netspec.dims import product
from netspec.emit.onnx.parts import Made, Results, Rule, Wires, padded, pooled
from netspec.emit.onnx.writer import Unwritable, Wire, Writer
from netspec.layers.windows import spread
from netspec.tensors import Tensor

MODES: Final = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""torch's words for what padding is made of by ONNX's."""
_PATCHES: Final = ("kernel_size", "stride", "padding", "dilation")


def convolution(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Conv`; padding of anything but zeros comes before it."""
    kernel, stride, dilation = op.per_axis("kernel_size", "stride", "dilation")
    if op.padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        # Of an odd number torch puts the one more behind.
        before, after = [n // 2 for n in total], [n - n // 2 for n in total]
    else:
        before = after = [0] * op.dims if op.padding == "valid" else list(spread(op.padding, op.dims))
    source: Wire | str = x[0]
    if op.padding_mode != "zeros" and any(before + after):
        source = padded(w, x[0], [0, 0, *before], [0, 0, *after], MODES[op.padding_mode])
        before = after = [0] * op.dims
    bias = w.given("bias")
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": op.groups}
    return w.node("Conv", source, w.own("weight"), bias, pads=[*before, *after], **how)


def transposed(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`ConvTranspose`. What is added at the end is cut off less there, as far as something is cut off."""
    names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
    kernel, stride, padding, extra, dilation = op.per_axis(*names)
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": op.groups}
    how["pads"] = [*padding, *(max(p - e, 0) for p, e in zip(padding, extra, strict=True))]
    how["output_padding"] = more = [max(e - p, 0) for p, e in zip(padding, extra, strict=True)]
    if any(e >= s for e, s in zip(more, stride, strict=True)):
        raise Unwritable("adds as much as a stride at its end (output_padding)")
    return w.node("ConvTranspose", x[0], w.own("weight"), w.given("bias"), **how)


# Pooling.


def _overhang(op: Any, x: Wire, out: Tensor, windows: Sequence[tuple[int, ...]]) -> list[int]:
    """How far the last windows reach beyond the padded axes where sizes are rounded up."""
    reach = []
    for size, count, k, s, p, d in zip(x.shape[2:], out.shape[2:], *windows, strict=True):
        if not isinstance(size, int) or not isinstance(count, int):
            raise Unwritable("rounds up a size that only the run knows (ceil_mode)")
        reach.append(max((count - 1) * s + d * (k - 1) + 1 - (size + 2 * p), 0))
    return reach


def _windows(op: Any) -> list[tuple[int, ...]]:
    """Kernel, stride, padding and dilation, each with one number for each axis."""
    stride = op.kernel_size if op.stride is None else op.stride
    values = (op.kernel_size, stride, getattr(op, "padding", 0), getattr(op, "dilation", 1))
    return [spread(value, op.dims) for value in values]


def max_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`MaxPool`; places count within each map, as torch's do."""
    kernel, stride, padding, dilation = windows = _windows(op)
    if any(isinstance(size, int) and p and d > size for size, _, _, p, d in zip(x[0].shape[2:], *windows, strict=True)):
        raise Unwritable("has windows of padding alone, of which no number is the largest")
    more = _overhang(op, x[0], out[0], windows) if op.ceil_mode else [0] * op.dims
    pads = [*padding, *(p + m for p, m in zip(padding, more, strict=True))]
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": pads, "dilations": dilation}
    if not op.return_indices:
        return w.node("MaxPool", x[0], **how)
    values, places = w.nodes_of("MaxPool", x[0], outputs=2, **how)
    # ONNX counts places through the whole tensor, from map to map and from sample to sample.
    return [values, w.node("Mod", places, w.size(product(x[0].shape[2:])))]


def avg_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`AveragePool`; what hangs over the padding by rounding up does not count."""
    kernel, stride, padding, _ = windows = _windows(op)
    source: Wire | str = x[0]
    more = _overhang(op, x[0], out[0], windows) if op.ceil_mode else [0] * op.dims
    divisor = getattr(op, "divisor_override", None)
    counted = op.count_include_pad or divisor is not None
    before = after = list(padding)
    if any(more):
        # What hangs over is padding to ONNX as well, and would count with it: what counts is laid on before.
        if counted and any(padding):
            source = padded(w, x[0], [0, 0, *padding], [0, 0, *padding])
            before = after = [0] * op.dims
        after = [p + m for p, m in zip(after, more, strict=True)]
        counted = divisor is not None
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*before, *after]}
    mean = w.node("AveragePool", source, count_include_pad=int(counted), **how)
    if divisor is None:
        return mean
    return w.node("Mul", mean, w.number(float(prod(kernel)) / divisor, "float32"))


def lp_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The p-th root of the windows' sums of p-th powers."""
    kernel, stride, *_ = _windows(op)
    if op.ceil_mode:
        raise Unwritable("rounds up the number of its windows (ceil_mode)")
    # ONNX's LpPool takes absolute values first, which torch does not.
    power = w.node("Pow", x[0], w.number(op.norm_type, "float32"))
    mean = w.node("AveragePool", power, kernel_shape=kernel, strides=stride)
    total = w.node("Mul", mean, w.number(float(prod(kernel)), "float32"))
    return w.node("Pow", total, w.number(1 / op.norm_type, "float32"))


def unpooled(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Values laid at their places on zeros."""
    values, places = x
    batch, channels, *space = values.shape
    flat = (batch, channels, product(space))
    rows = [w.shaped(each, flat) for each in (values, places)]
    zeros = w.filled((batch, channels, product(out[0].shape[2:])), 0.0, "float32")
    laid = w.node("ScatterElements", zeros, rows[1], rows[0], axis=2)
    return w.shaped(laid, out[0].shape, (batch, channels, product(out[0].shape[2:])))


def adaptive(kind: str) -> Rule:
    """A pool to a wanted size: of equal windows where these divide the axis, else axis by axis."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        if getattr(op, "return_indices", False):
            raise Unwritable("gives the places of its largest values")
        return pooled(w, x[0], out[0], kind)

    return write


def global_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GlobalAveragePool`."""
    return w.node("GlobalAveragePool", x[0])


# Windows cut out and laid down.


def _hot(channels: int, kernel: Sequence[int]) -> np.ndarray[Any, Any]:
    """For each channel and each place of a window a filter that takes just that."""
    points = prod(kernel)
    return np.tile(np.eye(points, dtype=np.float32).reshape(points, 1, *kernel), (channels, *[1] * (len(kernel) + 1)))


def unfold(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Windows cut by a convolution with filters that take one place each."""
    channels = x[0].shape[1]
    assert isinstance(channels, int)
    kernel, stride, padding, dilation = (spread(getattr(op, n), 2) for n in _PATCHES)
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": channels}
    cut = w.node("Conv", x[0], w.constant(_hot(channels, kernel)), pads=[*padding, *padding], **how)
    return w.node("Reshape", cut, w.ints(0, 0, -1))  # to which 0 is the axis as it is


def fold(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Windows laid down by the transpose of that convolution, which sums where they overlap."""
    channels = out[0].shape[1]
    assert isinstance(channels, int)
    kernel, stride, padding, dilation = (spread(getattr(op, n), 2) for n in _PATCHES)
    size = spread(op.output_size, 2)
    sides = zip(size, kernel, stride, padding, dilation, strict=True)
    counts = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    windows = w.shaped(x[0], (*x[0].shape[:2], *counts))
    spans = zip(size, counts, kernel, stride, padding, dilation, strict=True)
    extra = [n - ((c - 1) * s - 2 * p + d * (k - 1) + 1) for n, c, k, s, p, d in spans]
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": channels}
    hot = w.constant(_hot(channels, kernel))
    return w.node("ConvTranspose", windows, hot, pads=[*padding, *padding], output_padding=extra, **how)
