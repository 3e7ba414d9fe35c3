"""Attention and encoders, as torch.nn computes them, out of matrix products and softmaxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from netspec.emit.c.activations import ACTIVATIONS, gelu
from netspec.emit.c.code import number
from netspec.emit.c.elements import copied, elementwise, picked
from netspec.emit.c.parts import Made, Results, Wires
from netspec.emit.c.products import linear, multiplied
from netspec.emit.c.rows import mean, normalised, softmax
from netspec.emit.c.writer import Array, Unwritable, Wire, Writer

HIDDEN: Final = float("-inf")


def scores_to_values(w: Writer, q: Wire, k: Wire, v: Wire, scale: float, masks: Sequence[Wire], blind: bool) -> Any:
    """softmax(q k^T scale + mask) v, and the weights of that (Vaswani et al., 2017).

    Where a place may be `blind`, all that it could see being hidden, it gathers nothing, as in torch's function.
    """
    turned = copied(w, "turn", k, lambda p: p.swapaxes(-1, -2))
    seen = multiplied(w, elementwise(w, "scale", [q], f"v * {number(scale)}"), turned, "scores")
    for mask in masks:
        seen = elementwise(w, "mask", [seen, mask], "a + b")
    weights = softmax(w, seen, seen.rank - 1)
    if blind:
        weights = elementwise(w, "blind", [weights], "v != v ? 0.0f : v")
    return multiplied(w, weights, v, "values"), weights


def added(w: Writer, mask: Wire, hides: bool) -> Wire:
    """A mask as something that is added to scores; booleans hide, or else show, where they are true."""
    if mask.dtype != "bool":
        return mask
    return elementwise(w, "mask", [mask], "v ? -INFINITY : 0.0f" if hides else "v ? 0.0f : -INFINITY")


def causal(w: Writer, size: int) -> Wire:
    """A square that is minus infinity above its diagonal and 0 elsewhere."""
    return w.constant(np.triu(np.full((size, size), HIDDEN, np.float32), 1), "float32")


def _heads(w: Writer, x: Wire, heads: int) -> Wire:
    """A sequence with its width taken apart into heads, which come before the length."""
    split = x.viewed(*x.shape[:-1], heads, x.shape[-1] // heads)
    return copied(w, "heads", split, lambda p: p.swapaxes(-2, -3))


def _merged(w: Writer, x: Wire) -> Wire:
    """Heads put together again."""
    found = copied(w, "merge", x, lambda p: p.swapaxes(-2, -3))
    return found.viewed(*found.shape[:-2], found.shape[-2] * found.shape[-1])


def _weight(w: Writer, path: str) -> Array | None:
    """A weight by its whole name; None where there is none."""
    path = w.ties.get(path, path)
    return w.weights.get(path)


def _linear(w: Writer, x: Wire, path: str, kind: str = "linear") -> Wire:
    """A linear map whose weights lie at a path."""
    weight = _weight(w, f"{path}.weight")
    assert weight is not None
    return linear(w, x, weight, _weight(w, f"{path}.bias"), path, kind)


def _attended(
    w: Writer, path: str, heads: int, query: Wire, key: Wire, value: Wire, masks: Sequence[Wire]
) -> tuple[Wire, Wire]:
    """Multi-head attention of sequences of one sample, length x width: its output, and weights for each head."""
    packed, bias = _weight(w, f"{path}.in_proj_weight"), _weight(w, f"{path}.in_proj_bias")
    if packed is not None:
        matrices = np.split(packed, 3)
    else:
        matrices = [w.weights[f"{path}.{name}_proj_weight"] for name in "qkv"]
    shifts: list[Array | None] = [None] * 3 if bias is None else [*np.split(bias, 3)]
    width = matrices[0].shape[0]
    each = zip((query, key, value), matrices, shifts, ("queries", "keys", "values"), strict=True)
    parts = [_heads(w, linear(w, x, matrix, shift, kind=name), heads) for x, matrix, shift, name in each]
    found, weights = scores_to_values(w, parts[0], parts[1], parts[2], (width / heads) ** -0.5, masks, blind=False)
    return _linear(w, _merged(w, found), f"{path}.out_proj", "out_proj"), weights


def _sequence(x: Wire, batch_first: bool) -> Wire:
    """One sequence, length x width."""
    if x.rank == 2:
        return x
    if x.shape[0 if batch_first else 1] != 1:
        raise Unwritable("attends over several sequences at once")
    return x.viewed(x.size // x.shape[-1], x.shape[-1])


def _masks(w: Writer, given: dict[str, Wire], names: tuple[str, str], size: int | None) -> list[Wire]:
    """All that is added to scores: a mask of places, one of padding, and what follows each place."""
    places, padding = names
    found = [added(w, given[places], hides=True)] if places in given else []
    if padding in given:
        mask = added(w, given[padding], hides=True)
        found.append(mask.viewed(mask.size))
    return [*found, *([causal(w, size)] if size is not None else [])]


def multihead(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`MultiheadAttention`."""
    if op.add_bias_kv or op.add_zero_attn:
        raise Unwritable("adds places to its keys and values (add_bias_kv, add_zero_attn)")
    query, key, value, given = op.spelled_out(x)
    parts = [_sequence(each, op.batch_first) for each in (query, key, value)]
    size = parts[0].shape[0] if op.is_causal else None
    masks = _masks(w, given, ("attn_mask", "key_padding_mask"), size)
    found, weights = _attended(w, w.scope, op.num_heads, parts[0], parts[1], parts[2], masks)
    made = found.viewed(*(int(str(n)) for n in out[0].shape))
    if not op.need_weights:
        return [made]
    if op.average_attn_weights:
        weights = mean(w, weights, [0])
    return [made, weights.viewed(*(int(str(n)) for n in out[1].shape))]


def _normed(w: Writer, op: Any, x: Wire, path: str) -> Wire:
    """A layer norm over the width, whose weights lie at a path."""
    scale, shift = _weight(w, f"{path}.weight"), _weight(w, f"{path}.bias")
    return normalised(w, "layernorm", x, x.shape[-1], op.layer_norm_eps, scale, shift)


def _layer(w: Writer, op: Any, x: Wire, path: str, masks: Sequence[Wire], activation: str) -> Wire:
    """One layer of an encoder."""

    def attend(y: Wire) -> Wire:
        return _attended(w, f"{path}.self_attn", op.nhead, y, y, y, masks)[0]

    def feed(y: Wire) -> Wire:
        inner = elementwise(w, op.activation, [_linear(w, y, f"{path}.linear1")], activation)
        return _linear(w, inner, f"{path}.linear2")

    for number_, part in enumerate((attend, feed), 1):
        norm = f"{path}.norm{number_}"
        if op.norm_first:
            x = elementwise(w, "add", [x, part(_normed(w, op, x, norm))], "a + b")
        else:
            x = _normed(w, op, elementwise(w, "add", [x, part(x)], "a + b"), norm)
    return x


def _encoding(w: Writer, op: Any, x: Wires, paths: list[str]) -> Made:
    """The layers of an encoder at these paths, and the norm behind them."""
    activation = gelu("none") if op.activation == "gelu" else str(ACTIVATIONS["ReLU"])
    found = _sequence(x[0], op.batch_first)
    size = found.shape[0] if op.is_causal else None
    masks = _masks(w, op.by_name(x), (op.mask_name, "src_key_padding_mask"), size)
    for path in paths:
        found = _layer(w, op, found, path, masks, activation)
    if getattr(op, "norm", False):
        found = _normed(w, op, found, f"{w.scope}.norm")
    return found.viewed(*x[0].shape)


def encoder_layer(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerEncoderLayer`."""
    return _encoding(w, op, x, [w.scope])


def encoder(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerEncoder`."""
    return _encoding(w, op, x, [f"{w.scope}.layers.{i}" for i in range(op.num_layers)])


def sdpa(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Scaled dot product attention, with heads taken apart and put together where there are several."""
    query, key, value = x[:3]
    masks = [added(w, x[3], hides=False)] if len(x) > 3 else []
    if op.is_causal:
        if query.shape[-2] != key.shape[-2]:
            raise Unwritable("is causal between sequences of two lengths")
        masks = [causal(w, query.shape[-2])]
    heads = op.heads or 1
    scale = op.scale if op.scale is not None else (query.shape[-1] / heads) ** -0.5
    parts = [_heads(w, each, op.heads) if op.heads is not None else each for each in (query, key, value)]
    if op.enable_gqa and op.heads is None and max(each.rank for each in parts) >= 4:
        for i in (1, 2):
            own, wanted = parts[i].shape[-3], query.shape[-3]
            rows = [int(n) for n in np.repeat(np.arange(own), wanted // own)]
            places = [[*range(n)] for n in parts[i].shape]
            places[-3] = rows
            parts[i] = picked(w, "share", parts[i], places)
    found, _ = scores_to_values(w, parts[0], parts[1], parts[2], scale, masks, blind=len(x) > 3)
    made: Wire = _merged(w, found) if op.heads is not None else found
    return made
