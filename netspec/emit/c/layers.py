"""How C computes each layer in use: outside training, one sample at a time, with weights that are constants.

What only training does is left out: dropout passes its input on, and batch norms take their running statistics. A class
that is not in the table is written as the nearest above it, and one without any is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from netspec.emit.c.activations import ACTIVATIONS, sigmoid
from netspec.emit.c.attention import encoder, encoder_layer, multihead
from netspec.emit.c.code import number
from netspec.emit.c.elements import copied, elementwise, mirrored, padded
from netspec.emit.c.parts import Made, Results, Rule, Wires, at_the_end, reshaped, resized, same
from netspec.emit.c.products import linear
from netspec.emit.c.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from netspec.emit.c.rows import by_channel, mean, normalised, rows_of, softmax
from netspec.emit.c.volumes import adapted, boxed, convolved
from netspec.emit.c.windows import Kind, pooled
from netspec.emit.c.writer import Array, Unwritable, Wire, Writer
from netspec.emit.table import Table
from netspec.layers.windows import spread


def each(expression: str | Callable[[Any], str]) -> Rule:
    """A function of each number, which the expression calls `v`; it may ask the layer for its arguments."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        text = expression if isinstance(expression, str) else expression(op)
        return elementwise(w, type(op).__name__.lower(), x, text)

    return write


def _prelu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A slope for all numbers below 0, or one for each channel."""
    slope = w.own("weight")
    column = (-1, *[1] * (x[0].rank - 2)) if op.num_parameters > 1 and x[0].rank > 2 else (-1,)
    return elementwise(w, "prelu", [x[0], w.constant(slope.reshape(column), "float32")], "a < 0.0f ? a * b : a")


def _along(*, log: bool = False, negative: bool = False) -> Rule:
    """A softmax, or one of what is negated."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        dim = getattr(op, "dim", 1)
        at = x[0].axis((0 if x[0].rank in (0, 1, 3) else 1) if dim is None else dim)
        return softmax(w, elementwise(w, "neg", x, "-v") if negative else x[0], at, log)

    return write


def _glu(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """One half of an axis times the sigmoid of the other."""
    at = x[0].axis(op.dim)
    value, gate = (
        copied(w, "half", x[0], lambda places, part=part: np.split(places, 2, at)[part])  # type: ignore[misc]
        for part in (0, 1)
    )
    return elementwise(w, "glu", [value, gate], f"a * ({sigmoid('b')})")


# Linear maps and embeddings.


def _linear(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A linear map over the last axis, or over all axes but the batch."""
    source = x[0].viewed(x[0].shape[0], -1 if not x[0].size else x[0].size // x[0].shape[0])
    return linear(w, source if getattr(op, "flattens", False) else x[0], w.own("weight"), w.given("bias"))


def _embedding(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows of a table."""
    if op.max_norm is not None:
        raise Unwritable("rescales its rows where it reads them (max_norm)")
    return rows_of(w, "embedding", w.constant(w.own("weight"), "float32"), x[0])


# Convolutions.


def flat_space(x: Wire) -> Wire:
    """Volumes, or maps of rows and columns, a sequence as maps of one row."""
    return x if x.rank >= 4 else x.viewed(*x.shape[:2], 1, x.shape[2])


def along(values: Any, dims: int, row: int = 1) -> tuple[int, ...]:
    """A number for each axis, rows and columns at least; `row` is that of a sequence, which has one row."""
    found = tuple(spread(values, dims))
    return (row, *found) if dims == 1 else found


def _map_weight(weight: Array) -> Array:
    """A kernel over rows and columns at least; that of a sequence has one row."""
    return weight if weight.ndim >= 4 else weight[:, :, None, :]


def _convolution(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A convolution, of what is padded before it."""
    source = flat_space(x[0])
    kernel, stride, dilation = (along(getattr(op, name), op.dims) for name in ("kernel_size", "stride", "dilation"))
    if op.padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        before, after = [n // 2 for n in total], [n - n // 2 for n in total]
    else:
        before = after = [0] * len(kernel) if op.padding == "valid" else list(along(op.padding, op.dims, 0))
    sides = (0, 0, *before), (0, 0, *after)
    around = padded(w, source, *sides) if op.padding_mode == "zeros" else mirrored(w, source, *sides, op.padding_mode)
    found = convolved(w, around, _map_weight(w.own("weight")), w.given("bias"), stride, dilation, op.groups)
    return found.viewed(*_shape(out[0]))


def _transposed(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A transposed convolution: one of the turned kernel, over an input whose places are spread apart."""
    source = flat_space(x[0])
    names = ("kernel_size", "stride", "padding", "output_padding", "dilation")
    rows = (1, 1, 0, 0, 1)
    kernel, stride, padding, extra, dilation = (
        along(getattr(op, n), op.dims, row) for n, row in zip(names, rows, strict=True)
    )
    reach = [d * (k - 1) - p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if min(reach) < 0:
        raise Unwritable("pads by more than its kernel reaches")
    before, after = (0, 0, *reach), (0, 0, *(r + e for r, e in zip(reach, extra, strict=True)))
    spaced = padded(w, source, before, after, apart=(1, 1, *stride))
    weight = _map_weight(w.own("weight"))
    inputs, each_out, *sizes = weight.shape
    grouped = weight.reshape(op.groups, inputs // op.groups, each_out, *sizes).swapaxes(1, 2)
    turned = grouped.reshape(op.groups * each_out, inputs // op.groups, *sizes)
    turned = np.flip(turned, tuple(range(2, turned.ndim)))
    found = convolved(w, spaced, turned, w.given("bias"), [1] * len(kernel), dilation, op.groups, "conv_transpose")
    return found.viewed(*_shape(out[0]))


def _shape(x: Any) -> tuple[int, ...]:
    """The sizes of a result, which are all known here."""
    shape: tuple[int, ...] = x.shape
    return shape


def _sizes(x: Any) -> tuple[int, ...]:
    """Those of the axes of its maps, rows and columns at least."""
    sizes = _shape(x)[2:]
    return sizes if len(sizes) > 1 else (1, *sizes)


# Pooling.


def _pool(kind: Kind) -> Rule:
    """The largest number of each window, or the mean."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        if getattr(op, "return_indices", False):
            raise Unwritable("gives the places of its largest values")
        stride = op.kernel_size if op.stride is None else op.stride
        values = ((op.kernel_size, 1), (stride, 1), (op.padding, 0), (getattr(op, "dilation", 1), 1))
        windows = [along(value, op.dims, row) for value, row in values]
        size = _sizes(out[0])
        counts, divisor = getattr(op, "count_include_pad", True), getattr(op, "divisor_override", None)
        found = boxed(
            w,
            flat_space(x[0]),
            size,
            windows[0],
            windows[1],
            windows[2],
            windows[3],
            kind,
            counts_padding=counts,
            divisor=divisor,
        )
        return found.viewed(*_shape(out[0]))

    return write


def _adaptive(kind: Kind) -> Rule:
    """A pool to a wanted size."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        if getattr(op, "return_indices", False):
            raise Unwritable("gives the places of its largest values")
        return adapted(w, flat_space(x[0]), _sizes(out[0]), kind).viewed(*_shape(out[0]))

    return write


def _global(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The mean of each map."""
    return mean(w, x[0], range(2, x[0].rank), keep=True).viewed(*_shape(out[0]))


# Norms.


def _batch_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each channel by its running statistics."""
    if not op.track_running_stats:
        raise Unwritable("takes its statistics from the batch (track_running_stats)")
    scale = 1 / np.sqrt(w.own("running_var").astype(np.float64) + op.eps)
    if (weight := w.given("weight")) is not None:
        scale = scale * weight
    shift = -w.own("running_mean").astype(np.float64) * scale
    if (bias := w.given("bias")) is not None:
        shift = shift + bias
    return by_channel(w, "batchnorm", x[0], scale, shift)


def _instance_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Each channel of each sample, or by the running statistics where they are kept."""
    if op.track_running_stats:
        return _batch_norm(w, op, x, out)
    places = x[0].size // (x[0].shape[0] * x[0].shape[1])
    return normalised(w, "instancenorm", x[0], places, op.eps, w.given("weight"), w.given("bias"), each=places)


def _group_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Groups of channels of each sample."""
    batch, channels = x[0].shape[:2]
    places = x[0].size // (batch * channels)
    count = x[0].size // (batch * op.num_groups)
    return normalised(w, "groupnorm", x[0], count, op.eps, w.given("weight"), w.given("bias"), each=places)


def _trailing(centred: bool) -> Rule:
    """A norm over the last axes."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        sizes = op.normalized_shape if isinstance(op.normalized_shape, tuple) else (op.normalized_shape,)
        eps = float(np.finfo(np.float32).eps) if op.eps is None else op.eps
        scale, shift = (None if (a := w.given(name)) is None else a.ravel() for name in ("weight", "bias"))
        count = int(np.prod(sizes))
        return normalised(w, type(op).__name__.lower(), x[0], count, eps, scale, shift, centred=centred)

    return write


def _response_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x / (k + alpha mean of x^2 over neighbouring channels)^beta."""
    square = elementwise(w, "square", [x[0]], "v * v")
    before, after = op.size // 2, (op.size - 1) // 2
    sides = [(0, n, *[0] * (x[0].rank - 2)) for n in (before, after)]
    wide = padded(w, square, sides[0], sides[1])
    channels = x[0].shape[1]
    places = x[0].size // (x[0].shape[0] * channels)
    rows = wide.viewed(x[0].shape[0], 1, channels + op.size - 1, places)
    sums = pooled(w, rows, (channels, places), (op.size, 1), (1, 1), (0, 0), (1, 1), "avg")
    text = f"a / powf({number(op.k)} + {number(op.alpha)} * b, {number(op.beta)})"
    return elementwise(w, "lrn", [x[0], sums.viewed(*x[0].shape)], text)


# Padding and shapes.


def _padding(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Numbers added at the sides that the layer names."""
    sides = op.padding if isinstance(op.padding, tuple) else (op.padding,) * (2 * op.dims)
    mode = op.mode or "zeros"
    return at_the_end(w, x[0], sides, "constant" if mode == "zeros" else mode, getattr(op, "value", 0))


def _channel_shuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Channels in rows of groups, read by columns."""
    batch, channels, *space = x[0].shape
    grouped = x[0].viewed(batch, op.groups, channels // op.groups, *space)
    return copied(w, "shuffle", grouped, lambda p: p.swapaxes(1, 2)).viewed(*x[0].shape)


def _pixel_shuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Channels as blocks of a map."""
    *front, channels, height, width = x[0].shape
    r, n = op.upscale_factor, len(front)
    blocks = x[0].viewed(*front, channels // (r * r), r, r, height, width)
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return copied(w, "pixel_shuffle", blocks, lambda p: p.transpose(order)).viewed(*_shape(out[0]))


def _pixel_unshuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Blocks of a map as channels."""
    *front, channels, height, width = x[0].shape
    r, n = op.downscale_factor, len(front)
    blocks = x[0].viewed(*front, channels, height // r, r, width // r, r)
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return copied(w, "pixel_unshuffle", blocks, lambda p: p.transpose(order)).viewed(*_shape(out[0]))


def _upsample(**fixed: Any) -> Rule:
    """A resize, with some of its arguments as they always are."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        how = {"mode": "nearest", "align_corners": None, **fixed}
        how |= {name: getattr(op, name) for name in how if hasattr(op, name)}
        factors = None if op.size is not None or getattr(op, "recompute_scale_factor", None) else op.scale_factor
        return resized(w, x[0], _shape(out[0]), factors=factors, **how)

    return write


LAYERS: Final = Table[Rule]({
    **{name: each(text) for name, text in ACTIVATIONS.items()},
    "PReLU": _prelu,
    "Softmax": _along(),
    "Softmin": _along(negative=True),
    "LogSoftmax": _along(log=True),
    "Softmax2d": _along(),
    "GLU": _glu,
    # linear, embedding, dropout
    "Linear": _linear,
    "Identity": same,
    "Embedding": _embedding,
    "Dropping": same,
    # convolution, pooling
    "DirectConvolution": _convolution,
    "TransposedConvolution": _transposed,
    "MaxPool": _pool("max"),
    "AvgPool": _pool("avg"),
    "AdaptiveAvgPool": _adaptive("avg"),
    "AdaptiveMaxPool": _adaptive("max"),
    "GAP": _global,
    # norms
    "ChannelNorm": _batch_norm,
    "InstanceNorm": _instance_norm,
    "GroupNorm": _group_norm,
    "LayerNorm": _trailing(centred=True),
    "RMSNorm": _trailing(centred=False),
    "LocalResponseNorm": _response_norm,
    # attention, recurrent
    "MultiheadAttention": multihead,
    "TransformerEncoderLayer": encoder_layer,
    "TransformerEncoder": encoder,
    "RNN": rnn,
    "GRU": gru,
    "LSTM": lstm,
    "RNNCell": rnn_cell,
    "GRUCell": gru_cell,
    "LSTMCell": lstm_cell,
    # shapes
    "Padding": _padding,
    "Flatten": reshaped,
    "Unflatten": reshaped,
    "ChannelShuffle": _channel_shuffle,
    "PixelShuffle": _pixel_shuffle,
    "PixelUnshuffle": _pixel_unshuffle,
    "Upsample": _upsample(),
    "UpsamplingNearest2d": _upsample(mode="nearest"),
    "UpsamplingBilinear2d": _upsample(mode="bilinear", align_corners=True),
})  # fmt: skip
"""The layers of torch.nn by their classes."""
