"""Attention and transformers, as torch.nn computes them, out of matrix products and softmaxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from netspec.dims import Size
from netspec.emit.onnx.parts import Made, Results, Wires, gelu, layer_norm, linear
from netspec.emit.onnx.writer import Unwritable, Wire, Writer


def scores_to_values(
    w: Writer, query: str, key: str, value: str, scale: float, mask: str, rank: int = 4, blind: bool = False
) -> tuple[str, str]:
    """softmax(q k^T scale + mask) v, and the weights of that (Vaswani et al., 2017).

    Keys have `rank` axes, of which the last two are places and width. Where a place may be `blind`, all that it could
    see being hidden, it gathers nothing, as in torch's function; the modules have nan there.
    """
    turned = w.node("Transpose", key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = w.node("MatMul", w.node("Mul", query, w.number(scale, "float32")), turned)
    seen = w.node("Add", scores, mask) if mask else scores
    weights = w.node("Softmax", seen, axis=-1)
    if blind:
        best, none = w.reduced("ReduceMax", seen, [-1], keep=True), w.number(float("-inf"), "float32")
        weights = w.node("Where", w.node("Equal", best, none), w.number(0.0, "float32"), weights)
    return w.node("MatMul", weights, value), weights


def added(w: Writer, mask: Wire, hides: bool) -> str:
    """A mask as something that is added to scores; booleans hide, or else show, where they are true."""
    if mask.dtype != "bool":
        return mask.name
    none, all_of_it = w.number(0.0, "float32"), w.number(float("-inf"), "float32")
    return w.node("Where", mask, all_of_it, none) if hides else w.node("Where", mask, none, all_of_it)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Sequences that attend to each other: how they lie, and how long they are."""

    batch: Size
    queries: Size
    keys: Size
    first: bool
    """Whether the batch comes first."""

    def front(self, w: Writer, x: Wire | str) -> str:
        """A sequence with the batch first."""
        return w.swapped(x, 0, 1, 2) if self.first else w.swapped(x, 1, 0, 2)

    def back(self, w: Writer, x: str) -> str:
        """A sequence that has the batch first, as it lies outside."""
        return x if self.first else w.swapped(x, 1, 0, 2)


def _sequences(query: Wire, key: Wire, first: bool) -> Sequences:
    """How queries and keys lie, from the sequences themselves."""
    batch, queries = query.shape[:2] if first else query.shape[1::-1]
    return Sequences(batch, queries, key.shape[1 if first else 0], first)


@dataclass(frozen=True, slots=True)
class Heads:
    """The settings of one multi-head attention: where its weights are, and what its scores are given."""

    path: str
    """Of its weights."""
    width: int
    heads: int
    mask: str = ""
    """What is added to the scores."""


def _mask(w: Writer, of: Sequences, heads: int, masks: Mapping[str, Wire], causal: bool) -> str:
    """All that is added to the scores: a mask of places, one of padding, and what follows each place."""
    parts = []
    if (places := masks.get("places")) is not None:
        found = added(w, places, hides=True)
        if places.rank == 3:
            found = w.shaped(found, (of.batch, heads, of.queries, of.keys), places.shape)
        parts.append(found)
    if (padding := masks.get("padding")) is not None:
        parts.append(w.node("Unsqueeze", added(w, padding, hides=True), w.ints(1, 2)))
    if causal:
        parts.append(w.hidden(of.queries))
    return parts[0] if len(parts) == 1 else w.node("Add", *parts) if parts else ""


def attended(w: Writer, how: Heads, of: Sequences, query: str, key: str, value: str) -> tuple[str, str]:
    """Multi-head attention of sequences, batch first: its output and its weights, one for each head.

    Each is batch x length x width; weights are batch x heads x queries x keys. The three projections lie in one matrix,
    or in three where keys and values have widths of their own. A sequence that attends to itself is projected at once.
    """
    path = f"{how.path}." if how.path else ""
    bias = w.weight(f"{path}in_proj_bias") if f"{path}in_proj_bias" in w.weights else ""
    parts: list[str] = []
    if f"{path}in_proj_weight" in w.weights:
        packed = w.weight(f"{path}in_proj_weight")
        if query == key == value:
            joined = linear(w, query, 3, packed, bias)
            parts = w.split(joined, 3, axis=2)
        else:
            matrices = w.split(packed, 3, axis=0)
    else:
        matrices = [w.weight(f"{path}{name}_proj_weight") for name in "qkv"]
    if not parts:
        shifts = w.split(bias, 3, axis=0) if bias else [""] * 3
        each = zip((query, key, value), matrices, shifts, strict=True)
        parts = [linear(w, x, 3, matrix, shift) for x, matrix, shift in each]
    split = [w.node("Transpose", w.node("Reshape", x, w.ints(0, 0, how.heads, -1)), perm=[0, 2, 1, 3]) for x in parts]
    found, weights = scores_to_values(w, split[0], split[1], split[2], (how.width / how.heads) ** -0.5, how.mask)
    merged = w.node("Reshape", w.node("Transpose", found, perm=[0, 2, 1, 3]), w.ints(0, 0, -1))
    shift = w.weight(f"{path}out_proj.bias") if f"{path}out_proj.bias" in w.weights else ""
    return linear(w, merged, 3, w.weight(f"{path}out_proj.weight"), shift), weights


def multihead(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`MultiheadAttention`."""
    if op.add_bias_kv or op.add_zero_attn:
        raise Unwritable("adds places to its keys and values (add_bias_kv, add_zero_attn)")
    query, key, value, given = op.spelled_out(x)
    of = _sequences(query, key, op.batch_first)
    masks = {name: given[long] for name, long in _MASKS.items() if long in given}
    how = Heads(w.scope, op.embed_dim, op.num_heads, _mask(w, of, op.num_heads, masks, op.is_causal))
    fronts = {wire.name: of.front(w, wire) for wire in (query, key, value)}
    found, weights = attended(w, how, of, *(fronts[wire.name] for wire in (query, key, value)))
    made = of.back(w, found)
    if not op.need_weights:
        return [made]
    return [made, w.reduced("ReduceMean", weights, [1]) if op.average_attn_weights else weights]


_MASKS: Final = {"places": "attn_mask", "padding": "key_padding_mask"}


# Layers of transformers.


@dataclass(frozen=True, slots=True)
class Layer:
    """Writes one layer of a transformer, whose weights lie at a path."""

    w: Writer
    op: Any
    path: str

    def normed(self, x: str, number: int) -> str:
        """The layer's norm of this number."""
        return normed(self.w, self.op, x, f"{self.path}.norm{number}")

    def linear(self, x: str, name: str) -> str:
        """One of the two linear maps."""
        bias = f"{self.path}.{name}.bias"
        known = self.w.weight(bias) if bias in self.w.weights else ""
        return linear(self.w, x, 3, self.w.weight(f"{self.path}.{name}.weight"), known)

    def feed(self, x: str) -> str:
        """The two linear maps with an activation between."""
        inner = self.linear(x, "linear1")
        active = self.w.node("Relu", inner) if self.op.activation == "relu" else gelu(self.w, inner)
        return self.linear(active, "linear2")

    def attend(self, x: str, memory: str, name: str, of: Sequences, mask: str) -> str:
        """An attention of this layer, to the sequence itself or to a memory."""
        how = Heads(f"{self.path}.{name}", self.op.d_model, self.op.nhead, mask)
        return attended(self.w, how, of, x, memory, memory)[0]

    def run(self, x: str, parts: list[Any]) -> str:
        """The parts of a layer, each with a sum and a norm before it or behind it."""
        for number, part in enumerate(parts, 1):
            if self.op.norm_first:
                x = self.w.node("Add", x, part(self.normed(x, number)))
            else:
                x = self.normed(self.w.node("Add", x, part(x)), number)
        return x


def normed(w: Writer, op: Any, x: str, path: str) -> str:
    """A layer norm over the width of a transformer, whose weights lie at a path."""
    shift = w.weight(f"{path}.bias") if f"{path}.bias" in w.weights else ""
    return layer_norm(w, x, 1, op.layer_norm_eps, w.weight(f"{path}.weight"), shift)


def _encoded(w: Writer, op: Any, x: str, path: str, of: Sequences, mask: str) -> str:
    """One layer of an encoder."""
    layer = Layer(w, op, path)
    return layer.run(x, [lambda y: layer.attend(y, y, "self_attn", of, mask), layer.feed])


def _decoded(
    w: Writer, op: Any, x: str, memory: str, path: str, of: tuple[Sequences, Sequences], masks: tuple[str, str]
) -> str:
    """One layer of a decoder."""
    layer = Layer(w, op, path)
    parts = [
        lambda y: layer.attend(y, y, "self_attn", of[0], masks[0]),
        lambda y: layer.attend(y, memory, "multihead_attn", of[1], masks[1]),
        layer.feed,
    ]
    return layer.run(x, parts)


def _read(w: Writer, op: Any, source: Wire, given: Mapping[str, Wire], names: tuple[str, str], causal: bool) -> Any:
    """How a sequence attends to itself, and what is added to its scores."""
    of = _sequences(source, source, op.batch_first)
    masks = {kind: given[name] for kind, name in zip(("places", "padding"), names, strict=True) if name in given}
    return of, _mask(w, of, op.nhead, masks, causal)


def _encoding(w: Writer, op: Any, x: Wires, paths: list[str]) -> Made:
    """The layers of an encoder at these paths, and the norm behind them."""
    given = op.by_name(x)
    of, mask = _read(w, op, x[0], given, (op.mask_name, "src_key_padding_mask"), op.is_causal)
    found = of.front(w, x[0])
    for path in paths:
        found = _encoded(w, op, found, path, of, mask)
    if getattr(op, "norm", False):
        found = normed(w, op, found, f"{w.scope}.norm")
    return str(of.back(w, found))


def encoder_layer(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerEncoderLayer`."""
    return _encoding(w, op, x, [w.scope])


def encoder(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerEncoder`."""
    return _encoding(w, op, x, [f"{w.scope}.layers.{i}" for i in range(op.num_layers)])


def _decoding(w: Writer, op: Any, tgt: Wire, memory: Wire, given: Mapping[str, Wire], paths: list[str]) -> Any:
    """The layers of a decoder at these paths, batch first, and how the target lies."""
    own, mask = _read(w, op, tgt, given, ("tgt_mask", "tgt_key_padding_mask"), op.tgt_is_causal)
    across = _sequences(tgt, memory, op.batch_first)
    names = {"places": "memory_mask", "padding": "memory_key_padding_mask"}
    masks = {kind: given[name] for kind, name in names.items() if name in given}
    both = (mask, _mask(w, across, op.nhead, masks, causal=False))
    found, remembered = own.front(w, tgt), own.front(w, memory)
    for path in paths:
        found = _decoded(w, op, found, remembered, path, (own, across), both)
    return own, found


def decoder_layer(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerDecoderLayer`."""
    of, found = _decoding(w, op, x[0], x[1], op.by_name(x), [w.scope])
    return str(of.back(w, found))


def decoder(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`TransformerDecoder`."""
    paths = [f"{w.scope}.layers.{i}" for i in range(op.num_layers)]
    of, found = _decoding(w, op, x[0], x[1], op.by_name(x), paths)
    return str(of.back(w, normed(w, op, found, f"{w.scope}.norm") if op.norm else found))


def transformer(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """`Transformer`: an encoder and a decoder, each with a norm at its end."""
    given = op.by_name(x)
    source, target = x[0], x[1]
    of, mask = _read(w, op, source, given, ("src_mask", "src_key_padding_mask"), causal=False)
    found = of.front(w, source)
    for i in range(op.num_encoder_layers):
        found = _encoded(w, op, found, f"{w.scope}.encoder.layers.{i}", of, mask)
    found = of.back(w, normed(w, op, found, f"{w.scope}.encoder.norm"))
    paths = [f"{w.scope}.decoder.layers.{i}" for i in range(op.num_decoder_layers)]
    own, decoded = _decoding(w, op, target, Wire(found, source.tensor), given, paths)
    return str(own.back(w, normed(w, op, decoded, f"{w.scope}.decoder.norm")))


def sdpa(w: Writer, op: Any, x: Wires, out: Results) -> Made:
    """Scaled dot product attention, with heads taken apart and put together where there are several."""
    query, key, value = x[:3]
    widths = query.shape[-1]
    if not isinstance(widths, int):
        raise Unwritable("has queries of an open width")
    mask = added(w, x[3], hides=False) if len(x) > 3 else ""
    if op.is_causal:
        if query.shape[-2] != key.shape[-2]:
            raise Unwritable("is causal between sequences of two lengths")
        mask = w.hidden(query.shape[-2])
    heads = op.heads or 1
    scale = op.scale if op.scale is not None else (widths / heads) ** -0.5
    parts = [_apart(w, each, op.heads) for each in (query, key, value)]
    ranks = [each.rank + (op.heads is not None) for each in (query, key, value)]
    rank = max(ranks)
    if op.enable_gqa and op.heads is None and rank >= 4:
        for i in (1, 2):
            parts[i] = _repeated(w, parts[i], (key, value)[i - 1].shape, query.shape[-3])
    found, _ = scores_to_values(w, parts[0], parts[1], parts[2], scale, mask, ranks[1], blind=len(x) > 3)
    if op.heads is None:
        return found
    order = [*range(rank - 3), rank - 2, rank - 3, rank - 1]
    return w.shaped(w.node("Transpose", found, perm=order), out[0].shape, (*out[0].shape[:-1], heads, -1))


def _apart(w: Writer, x: Wire, heads: int | None) -> str:
    """A sequence with its width taken apart into heads, which come before the length."""
    if heads is None:
        return x.name
    split = w.shaped(x, (*x.shape[:-1], heads, -1))
    rank = x.rank + 1
    return w.node("Transpose", split, perm=[*range(rank - 3), rank - 2, rank - 3, rank - 1])


def _repeated(w: Writer, x: str, shape: tuple[Size, ...], heads: Size) -> str:
    """Keys or values of few heads, each for as many heads of the queries as share it."""
    own = shape[-3]
    if not isinstance(own, int) or not isinstance(heads, int):
        raise Unwritable("shares open numbers of heads")
    if own == heads:
        return x
    places = np.repeat(np.arange(own), heads // own)
    return w.node("Gather", x, w.constant(places), axis=len(shape) - 3)
