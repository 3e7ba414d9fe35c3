"""Volumes: convolutions and pools along depth as well, by those over rows and columns.

A convolution takes the planes that lie in its reach below each other for channels of one plane. The largest number of a
box is that of its rows and columns, and then along depth; and so are means, whose divisors multiply.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netspec.emit.c.elements import copied
from netspec.emit.c.products import convolution
from netspec.emit.c.windows import Kind, adaptive, pooled
from netspec.emit.c.writer import Array, Wire, Writer


def convolved(
    w: Writer,
    x: Wire,
    weight: Array,
    bias: Array | None,
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    kind: str = "conv",
) -> Wire:
    """A convolution over maps, or over volumes, of what is padded already; `weight` is as torch keeps it."""
    if x.rank == 4:
        return convolution(w, x, weight, bias, stride, dilation, groups, kind)
    samples, channels, depth, height, width = x.shape
    outputs, inputs, reach, *kernel = weight.shape
    count = (depth - dilation[0] * (reach - 1) - 1) // stride[0] + 1

    def stacked(places: Array) -> Array:
        sample, channel, plane, row, column = places.strides
        strides = (sample, stride[0] * plane, channel, dilation[0] * plane, row, column)
        return np.lib.stride_tricks.as_strided(places, (samples, count, channels, reach, height, width), strides)

    planes = copied(w, "planes", x, stacked).viewed(samples * count, channels * reach, height, width)
    flat = weight.reshape(outputs, inputs * reach, *kernel)
    found = convolution(w, planes, flat, bias, stride[1:], dilation[1:], groups, kind)
    apart = found.viewed(samples, count, outputs, *found.shape[2:])
    return copied(w, "transpose", apart, lambda places: places.swapaxes(1, 2))


def boxed(
    w: Writer,
    x: Wire,
    size: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    kind: Kind,
    *,
    counts_padding: bool = True,
    divisor: int | None = None,
) -> Wire:
    """A pool over maps, or over volumes, `size` windows on each axis; the rest is as `windows.pooled` has it."""

    def pool(x: Wire, windows: Sequence[Sequence[int]], divisor: int | None) -> Wire:
        many, each, step, around, apart = map(tuple, windows)
        return pooled(w, x, many, each, step, around, apart, kind, counts_padding=counts_padding, divisor=divisor)

    windows = (size, kernel, stride, padding, dilation)
    if x.rank == 4:
        return pool(x, windows, divisor)
    flat = pool(x, [each[1:] for each in windows], 1 if divisor is not None else None)
    places = flat.shape[3] * flat.shape[4]
    deep = [(each[0], other) for each, other in zip(windows, (places, 1, 1, 0, 1), strict=True)]
    return pool(flat.viewed(*flat.shape[:3], places), deep, divisor).viewed(*x.shape[:2], *size)


def adapted(w: Writer, x: Wire, size: Sequence[int], kind: Kind) -> Wire:
    """A pool of maps, or of volumes, to so many windows on each axis."""
    if x.rank == 4:
        return adaptive(w, x, tuple(size), kind)
    flat = adaptive(w, x, tuple(size[1:]), kind)
    places = flat.shape[3] * flat.shape[4]
    found = adaptive(w, flat.viewed(*flat.shape[:3], places), (size[0], places), kind)
    return found.viewed(*x.shape[:2], *size)
