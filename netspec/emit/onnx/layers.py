"""How ONNX computes each layer in use: outside training, with the weights that the file holds.

What only training does is left out: dropout passes its input on, and batch norms take their running statistics. The
default rule of torch's table, a class of the same name with the same arguments, has no like here: ONNX's operators have
names, attributes and meanings of their own, so that each class that is not written as one above it has an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    mish,
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
    reshaped,
    resized,
    rms_norm,
    same,
    scaled,
)
from netspec.emit.onnx.recurrent import gru, gru_cell, lstm, lstm_cell, rnn, rnn_cell
from netspec.emit.onnx.windows import (
    MODES,
    adaptive,
    avg_pool,
    convolution,
    fold,
    global_pool,
    lp_pool,
    max_pool,
    transposed,
    unfold,
    unpooled,
)
from netspec.emit.onnx.writer import Unwritable, Wire, Writer
from netspec.emit.table import Table


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
    mode = MODES[op.mode or "zeros"]
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
    "Mish": mish,
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
    "DirectConvolution": convolution,
    "TransposedConvolution": transposed,
    "MaxPool": max_pool,
    "AvgPool": avg_pool,
    "LPPool": lp_pool,
    "MaxUnpool": unpooled,
    "AdaptiveAvgPool": adaptive("avg"),
    "AdaptiveMaxPool": adaptive("max"),
    "GAP": global_pool,
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
    "Unfold": unfold,
    "Fold": fold,
    "Upsample": _upsample(),
    "UpsamplingNearest2d": _upsample(mode="nearest"),
    "UpsamplingBilinear2d": _upsample(mode="bilinear", align_corners=True),
})  # fmt: skip
"""The layers of torch.nn by their classes."""
