"""How ONNX computes each layer in use: outside training, with the weights that the file holds.

What only training does is left out: dropout passes its input on, and batch norms take their running statistics. The
default rule of torch's table, a class of the same name with the same arguments, has no like here: ONNX's operators have
names, attributes and meanings of their own, so that each class that is not written as one above it has an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np

from netspec.dims import Size, product
from netspec.emit.onnx.activations import (
    along,
    clipped,
    gelu_of,
    glu,
    hardsigmoid,
    log_sigmoid,
    prelu,
    rrelu,
    shrunk,
    silu,
    softplus,
    tanhshrink,
    threshold,
)
from netspec.emit.onnx.attention import decoder, decoder_layer, encoder, encoder_layer, multihead, transformer
from netspec.emit.onnx.parts import (
    Made,
    Results,
    Rule,
    Wires,
    at_the_end,
    group_norm,
    layer_norm,
    linear,
    norm,
    padded,
    pooled,
    reshaped,
    resized,
    rms_norm,
    same,
    scaled,
)
from netspec.emit.onnx.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from netspec.emit.onnx.writer import AXES_READ, Unwritable, Wire, Writer
from netspec.emit.table import Table
from netspec.layers.windows import spread
from netspec.tensors import Tensor


def plain(kind: str, **fields: str) -> Rule:
    """An operator of one input, with attributes that are fields of the layer."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        return w.node(kind, x[0], **{name: float(getattr(op, field)) for name, field in fields.items()})

    return write


def refused(reason: str) -> Rule:
    """What has no form."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        raise Unwritable(reason)

    return write


# Linear maps, embeddings, distances.


def _linear(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Gemm` over batch and features, `MatMul` where there are more axes."""
    flat = getattr(op, "flattens", False)
    source = w.node("Flatten", x[0], axis=1) if flat else x[0]
    return linear(w, source, 2 if flat else x[0].rank, w.own("weight"), w.given("bias"))


def _bilinear(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x1 A x2 + b for each output."""
    found = w.node("Einsum", x[0], w.own("weight"), x[1], equation="...i,oij,...j->...o")
    return w.node("Add", found, w.own("bias")) if w.has("bias") else found


def _embedding(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows of a table."""
    if op.max_norm is not None:
        raise Unwritable("rescales its rows where it reads them (max_norm)")
    return w.node("Gather", w.own("weight"), x[0])


def _embedding_bag(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Rows of a table, and one number for each column of them."""
    if op.max_norm is not None or op.padding_idx is not None or len(x) > 1 or x[0].rank != 2:
        raise Unwritable("has bags of several lengths, or rows that do not count")
    kind = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}[op.mode]
    return w.reduced(kind, w.node("Gather", w.own("weight"), x[0]), [1])


def _mish(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Mish`, x tanh(softplus(x)), which old opsets lack."""
    if w.opset >= AXES_READ:
        return w.node("Mish", x[0])
    return w.node("Mul", x[0], w.node("Tanh", w.node("Softplus", x[0])))


def _cosine(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """x1 x2 / (|x1| |x2|), neither length being below eps."""
    rank = max(each.rank for each in x)
    at, eps = op.dim % rank, w.number(op.eps, "float32")
    whole = next((n for each in x for n in [each.shape[at - rank] if each.rank >= rank - at else 1] if n != 1), 1)
    alike = [_spread_out(w, each, at, rank, whole) for each in x]
    lengths = [w.node("Max", w.reduced("ReduceL2", each, [at]), eps) for each in alike]
    return w.node("Div", w.reduced("ReduceSum", w.node("Mul", *alike), [at]), w.node("Mul", *lengths))


def _spread_out(w: Writer, x: Wire, at: int, rank: int, size: Size) -> str:
    """A tensor with as many axes, and the same numbers all along one of them, where it has no more than one there."""
    name = w.node("Unsqueeze", x, w.ints(*range(rank - x.rank))) if x.rank < rank else x.name
    own = x.shape[at - rank] if x.rank >= rank - at else 1
    return name if own == size else w.node("Expand", name, w.sizes([*[1] * at, size, *[1] * (rank - at - 1)]))


def _pairwise(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """|x1 - x2 + eps|."""
    apart = w.node("Add", w.node("Sub", *x), w.number(op.eps, "float32"))
    return norm(w, apart, op.p, [x[0].rank - 1], op.keepdim)


# Convolutions.


def _convolution(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Conv`; padding of anything but zeros comes before it."""
    kernel, stride, dilation = op.per_axis("kernel_size", "stride", "dilation")
    if op.padding == "same":
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        before, after = [n // 2 for n in total], [n - n // 2 for n in total]
    else:
        before = after = [0] * op.dims if op.padding == "valid" else list(spread(op.padding, op.dims))
    source: Wire | str = x[0]
    if op.padding_mode != "zeros" and any(before + after):
        source = padded(w, x[0], [0, 0, *before], [0, 0, *after], _MODES[op.padding_mode])
        before = after = [0] * op.dims
    bias = w.given("bias")
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": op.groups}
    return w.node("Conv", source, w.own("weight"), bias, pads=[*before, *after], **how)


_MODES: Final = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""torch's words for what padding is made of by ONNX's."""


def _transposed(w: Writer, op: Any, x: Wires, out: Results) -> Made:
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


def _max_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
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
    return [values, w.node("Mod", places, w.size(product(x[0].shape[2:])))]


def _avg_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`AveragePool`; what hangs over the padding by rounding up does not count."""
    kernel, stride, padding, _ = windows = _windows(op)
    source: Wire | str = x[0]
    more = _overhang(op, x[0], out[0], windows) if op.ceil_mode else [0] * op.dims
    divisor = getattr(op, "divisor_override", None)
    counted = op.count_include_pad or divisor is not None
    before = after = list(padding)
    if any(more):
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


def _lp_pool(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """The p-th root of the windows' sums of p-th powers."""
    kernel, stride, *_ = _windows(op)
    if op.ceil_mode:
        raise Unwritable("rounds up the number of its windows (ceil_mode)")
    power = w.node("Pow", x[0], w.number(op.norm_type, "float32"))
    mean = w.node("AveragePool", power, kernel_shape=kernel, strides=stride)
    total = w.node("Mul", mean, w.number(float(prod(kernel)), "float32"))
    return w.node("Pow", total, w.number(1 / op.norm_type, "float32"))


def _unpooled(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Values laid at their places on zeros."""
    values, places = x
    batch, channels, *space = values.shape
    flat = (batch, channels, product(space))
    rows = [w.shaped(each, flat) for each in (values, places)]
    zeros = w.filled((batch, channels, product(out[0].shape[2:])), 0.0, "float32")
    laid = w.node("ScatterElements", zeros, rows[1], rows[0], axis=2)
    return w.shaped(laid, out[0].shape, (batch, channels, product(out[0].shape[2:])))


def _adaptive(kind: str) -> Rule:
    """A pool to a wanted size: of equal windows where these divide the axis, else axis by axis."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        if getattr(op, "return_indices", False):
            raise Unwritable("gives the places of its largest values")
        return pooled(w, x[0], out[0], kind)

    return write


def _global(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`GlobalAveragePool`."""
    return w.node("GlobalAveragePool", x[0])


# Norms.


def _batch_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`BatchNormalization` with the running statistics; without these, by those of the batch."""
    if not op.track_running_stats:
        return _by_axes(w, op, x[0], [at for at in range(x[0].rank) if at != 1])
    known = [w.own("running_mean"), w.own("running_var")]
    return w.node("BatchNormalization", x[0], *_affine(w, op), *known, epsilon=op.eps)


def _affine(w: Writer, op: Any) -> tuple[str, str]:
    """The scale and the shift of each channel, which ONNX wants where they change nothing too."""
    scale = w.given("weight") or w.constant(np.ones(op.num_features, np.float32))
    shift = w.given("bias") or w.constant(np.zeros(op.num_features, np.float32))
    return scale, shift


def _instance_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`InstanceNormalization`, or the running statistics where they are kept."""
    if op.track_running_stats:
        return _batch_norm(w, op, x, out)
    return w.node("InstanceNormalization", x[0], *_affine(w, op), epsilon=op.eps)


def _by_axes(w: Writer, op: Any, x: Wire, axes: Sequence[int]) -> str:
    """A norm over axes of what it is given, with a scale and a shift for each channel."""
    centred = w.node("Sub", x, w.reduced("ReduceMean", x, axes, keep=True))
    variance = w.reduced("ReduceMean", w.node("Mul", centred, centred), axes, keep=True)
    root = w.node("Sqrt", w.node("Add", variance, w.number(op.eps, "float32")))
    return scaled(w, w.node("Div", centred, root), x.rank, w.given("weight"), w.given("bias"))


def _group_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A group norm with weights of its own."""
    return group_norm(w, x[0], op.num_groups, op.eps, w.given("weight"), w.given("bias"))


def _layer_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LayerNormalization` with weights of its own."""
    sizes = op.normalized_shape if isinstance(op.normalized_shape, tuple) else (op.normalized_shape,)
    scale = w.given("weight") or w.constant(np.ones(sizes, np.float32))
    return layer_norm(w, x[0], len(sizes), op.eps, scale, w.given("bias"))


def _rms_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """A root mean square norm with a weight of its own."""
    axes = len(op.normalized_shape) if isinstance(op.normalized_shape, tuple) else 1
    return rms_norm(w, x[0], axes, op.eps, w.given("weight"))


def _response_norm(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`LRN`."""
    if op.size % 2 == 0 or x[0].rank != 4:
        raise Unwritable("has a window of an even size, or no map to work on")
    if op.alpha <= 0 or op.beta <= 0:
        raise Unwritable("has an alpha or a beta that is not above 0")
    return w.node("LRN", x[0], size=op.size, alpha=op.alpha, beta=op.beta, bias=float(op.k))


# Padding and shapes.


def _padding(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Pad` by the sides that the layer names."""
    sides = op.padding if isinstance(op.padding, tuple) else (op.padding,) * (2 * op.dims)
    mode = _MODES[op.mode or "zeros"]
    if x[0].dtype == "bool":
        raise Unwritable("pads booleans")
    return at_the_end(w, x[0], sides, mode, getattr(op, "value", 0), x[0].dtype)


def _flatten(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Flatten` where that is all axes but the batch."""
    if x[0].rank > 1 and x[0].axis(op.start_dim) == 1 and x[0].axis(op.end_dim) == x[0].rank - 1:
        return w.node("Flatten", x[0], axis=1)
    return reshaped(w, op, x, out)


def _channel_shuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Channels in rows of groups, read by columns."""
    batch, channels, *space = x[0].shape
    assert isinstance(channels, int)
    grouped = (batch, op.groups, channels // op.groups, product(space))
    turned = w.swapped(w.shaped(x[0], grouped), 0, 2, 1, 3)
    return w.shaped(turned, x[0].shape, (batch, channels // op.groups, op.groups, product(space)))


def _pixel_shuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`DepthToSpace`."""
    if x[0].rank != 4:
        raise Unwritable("shuffles something else than a batch of maps")
    return w.node("DepthToSpace", x[0], blocksize=op.upscale_factor, mode="CRD")


def _pixel_unshuffle(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Blocks of a map as channels."""
    if x[0].rank != 4:
        raise Unwritable("shuffles something else than a batch of maps")
    (batch, channels, *_), r = x[0].shape, op.downscale_factor
    height, width = out[0].shape[2:]
    blocks = w.shaped(x[0], (batch, channels, height, r, width, r))
    turned = w.swapped(blocks, 0, 1, 3, 5, 2, 4)
    return w.shaped(turned, out[0].shape, (batch, channels, r, r, height, width))


def _hot(channels: int, kernel: Sequence[int]) -> np.ndarray[Any, Any]:
    """For each channel and each place of a window a filter that takes just that."""
    points = prod(kernel)
    return np.tile(np.eye(points, dtype=np.float32).reshape(points, 1, *kernel), (channels, *[1] * (len(kernel) + 1)))


def _unfold(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Windows cut by a convolution with filters that take one place each."""
    channels = x[0].shape[1]
    assert isinstance(channels, int)
    kernel, stride, padding, dilation = (spread(getattr(op, n), 2) for n in _PATCHES)
    how: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": channels}
    cut = w.node("Conv", x[0], w.constant(_hot(channels, kernel)), pads=[*padding, *padding], **how)
    return w.node("Reshape", cut, w.ints(0, 0, -1))


_PATCHES: Final = ("kernel_size", "stride", "padding", "dilation")


def _fold(w: Writer, op: Any, x: Wires, out: Results) -> Made:
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


def _upsample(**fixed: Any) -> Rule:
    """A resize, with some of its arguments as they always are."""

    def write(w: Writer, op: Any, x: Wires, out: Results) -> Made:
        how = {"mode": "nearest", "align_corners": None, **fixed}
        how |= {name: getattr(op, name) for name in how if hasattr(op, name)}
        factors = None if op.size is not None or getattr(op, "recompute_scale_factor", None) else op.scale_factor
        return resized(w, x[0], out[0], factors=factors, **how)

    return write


LAYERS: Final = Table[Rule]({
    # activations
    "ReLU": plain("Relu"),
    "ReLU6": clipped(0.0, 6.0),
    "LeakyReLU": plain("LeakyRelu", alpha="negative_slope"),
    "PReLU": prelu,
    "RReLU": rrelu,
    "ELU": plain("Elu", alpha="alpha"),
    "CELU": plain("Celu", alpha="alpha"),
    "SELU": plain("Selu"),
    "GELU": gelu_of,
    "SiLU": silu,
    "Mish": _mish,
    "Hardswish": plain("HardSwish"),
    "Sigmoid": plain("Sigmoid"),
    "LogSigmoid": log_sigmoid,
    "Hardsigmoid": hardsigmoid,
    "Tanh": plain("Tanh"),
    "Hardtanh": clipped("min_val", "max_val"),
    "Tanhshrink": tanhshrink,
    "Softplus": softplus,
    "Softsign": plain("Softsign"),
    "Softshrink": shrunk(bias=True),
    "Hardshrink": shrunk(bias=False),
    "Threshold": threshold,
    "Softmax": along("Softmax"),
    "Softmin": along("Softmax", negative=True),
    "LogSoftmax": along("LogSoftmax"),
    "Softmax2d": along("Softmax"),
    "GLU": glu,
    # linear, embedding, distance, dropout
    "Linear": _linear,
    "Bilinear": _bilinear,
    "Identity": same,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding_bag,
    "CosineSimilarity": _cosine,
    "PairwiseDistance": _pairwise,
    "Dropping": same,
    # convolution, pooling
    "DirectConvolution": _convolution,
    "TransposedConvolution": _transposed,
    "MaxPool": _max_pool,
    "AvgPool": _avg_pool,
    "LPPool": _lp_pool,
    "MaxUnpool": _unpooled,
    "AdaptiveAvgPool": _adaptive("avg"),
    "AdaptiveMaxPool": _adaptive("max"),
    "GAP": _global,
    "FractionalMaxPool": refused("takes its windows at random"),
    # norms
    "ChannelNorm": _batch_norm,
    "InstanceNorm": _instance_norm,
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "LocalResponseNorm": _response_norm,
    # attention, recurrent
    "MultiheadAttention": multihead,
    "TransformerEncoderLayer": encoder_layer,
    "TransformerDecoderLayer": decoder_layer,
    "TransformerEncoder": encoder,
    "TransformerDecoder": decoder,
    "Transformer": transformer,
    "RNN": rnn,
    "GRU": gru,
    "LSTM": lstm,
    "RNNCell": rnn_cell,
    "GRUCell": gru_cell,
    "LSTMCell": lstm_cell,
    # shapes
    "Padding": _padding,
    "Flatten": _flatten,
    "Unflatten": reshaped,
    "ChannelShuffle": _channel_shuffle,
    "PixelShuffle": _pixel_shuffle,
    "PixelUnshuffle": _pixel_unshuffle,
    "Unfold": _unfold,
    "Fold": _fold,
    "Upsample": _upsample(),
    "UpsamplingNearest2d": _upsample(mode="nearest"),
    "UpsamplingBilinear2d": _upsample(mode="bilinear", align_corners=True),
})  # fmt: skip
"""The layers of torch.nn by their classes."""
