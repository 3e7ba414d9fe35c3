"""Multi-head attention, as torch's module and as a word with defaults for batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from netspec.dims import Size
from netspec.layers.base import Layer, X
from netspec.records import Bool, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, axis_size, need_float, need_known, show


def attention_parameters(width: int, key: int, value: int, bias: bool, extra: bool = False) -> dict[str, Any]:
    """The parameters of nn.MultiheadAttention, whose three projections are one matrix where their widths agree."""
    each = {"q_proj_weight": (width, width), "k_proj_weight": (width, key), "v_proj_weight": (width, value)}
    found: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * width, width)} if key == value == width else {**each}
    found |= {"in_proj_bias": (3 * width,)} if bias else {}
    found |= {"bias_k": (1, 1, width), "bias_v": (1, 1, width)} if extra else {}
    return found | {"out_proj.weight": (width, width)} | ({"out_proj.bias": (width,)} if bias else {})


def attention_macs(batch: Size, queries: Size, keys: Size, widths: tuple[int, int, int], seen: Size) -> Size:
    """Multiply-accumulates of the four projections and of both products; `seen` is how many keys a query meets."""
    width, key, value = widths
    projections = 2 * queries * width * width + keys * (key + value) * width
    return batch * (projections + 2 * queries * seen * width)


def need_sequence(x: Tensor, batch_first: bool) -> tuple[Size, Size, Size]:
    """Batch, length and width of a sequence. Raises Misfit where it is none."""
    need_float(x)
    if len(x.shape) != 3:
        order = "batch x length" if batch_first else "length x batch"
        raise Misfit(f"takes {order} x features, its input is {x}, batch included", code="rank")
    first, second, width = x.shape
    return (first, second, width) if batch_first else (second, first, width)


def need_heads(width: int, heads: int, field: str) -> None:
    """Refuse a width that the heads do not divide. Raises Misfit."""
    if width % heads:
        text = f"cannot split a width of {width} into {heads} heads"
        raise Misfit(text, "Use a number of heads that divides the width.", field=field)


def check_mask(mask: Tensor, batch: Size, heads: int, queries: Size, keys: Size) -> None:
    """Refuse an attention mask of another shape than queries x keys, or one for each batch and head."""
    if mask.dtype == "int64":
        raise Misfit("takes a mask of booleans or floats, it is int64", code="dtype")
    allowed = ((queries, keys), (batch * heads, queries, keys))
    if mask.shape not in allowed:
        raise Misfit(f"takes a mask of {show(allowed[0])}, or {show(allowed[1])}, it is {mask}")


def check_padding(mask: Tensor, batch: Size, length: Size) -> None:
    """Refuse a mask of another shape than batch x length, which hides the places that only fill up."""
    if mask.dtype == "int64":
        raise Misfit("takes a mask of booleans or floats, it is int64", code="dtype")
    if mask.shape != (batch, length):
        raise Misfit(f"takes a padding mask of {show((batch, length))}, batch included, it is {mask}")


class MultiheadAttention(Layer):
    """Lets each place of a sequence gather from all places of another, in several heads.

    One input attends to itself; two are queries and what they look at; three are queries, keys and
    values. Masks follow, or are given by name: `attn_mask` of queries x keys, `key_padding_mask` of
    batch x keys; where they are true (or minus infinity) they hide.
    """

    family = "attention"
    rule = "output has the shape of the queries; weights are batch x queries x keys."
    words: ClassVar[tuple[str, ...]] = ("multihead_attention",)
    flags = {"nobias": ("bias", False)}
    inputs = (1, 5)
    takes = ("query", "key", "value", "attn_mask", "key_padding_mask")
    masks = ("attn_mask", "key_padding_mask")
    results = ("output", "weights")
    example, example_input = "multihead_attention 4", "TxBx32"

    embed_dim = Int("width of the queries and of the output", None, ge=1, axis=-1)
    num_heads = Int("heads, which share the width between them", ge=1)
    dropout = Float("probability of dropping an attention weight", 0.0, ge=0, le=1)
    bias = Bool("whether the projections add learned numbers", True)
    add_bias_kv = Bool("add a learned place to keys and values", False)
    add_zero_attn = Bool("add a place of zeros to keys and values", False)
    kdim = Int("width of the keys; found from them", None, ge=1)
    vdim = Int("width of the values; found from them", None, ge=1)
    batch_first = Bool("batch x length x width, not length x batch x width", False)
    need_weights = Bool("also give the weights of the attention", True, torch=False, keyword=True)
    average_attn_weights = Bool("average those weights over the heads", True, torch=False, keyword=True)
    is_causal = Bool("hide what follows each place", False, torch=False, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        query, key, value, masks = self.spelled_out(inputs)
        batch, queries, _ = need_sequence(query, self.batch_first)
        batches, keys, kdim = need_sequence(key, self.batch_first)
        if value.shape[:-1] != key.shape[:-1] or batches != batch:
            text = f"takes keys and values for the same places and batch, its inputs are {', '.join(map(str, inputs))}"
            raise Misfit(text)
        need_sequence(value, self.batch_first)
        fitted = super().fitted(query)
        need_heads(fitted.embed_dim, self.num_heads, "num_heads")
        widths = {"kdim": need_known(kdim, -1), "vdim": need_known(axis_size(value, -1), -1)}
        agreed = {name: self.agreed(name, size, str(size)) for name, size in widths.items()}
        if "attn_mask" in masks:
            check_mask(masks["attn_mask"], batch, self.num_heads, queries, keys)
        if "key_padding_mask" in masks:
            check_padding(masks["key_padding_mask"], batch, keys)
        self._check_causal(queries, keys, "attn_mask" in masks)
        shown = {name: size for name, size in agreed.items() if size != fitted.embed_dim or self.given.get(name)}
        return fitted.replace(**shown)

    def _check_causal(self, queries: Size, keys: Size, masked: bool) -> None:
        """Refuse `is_causal` beside what it excludes, and over sequences of two lengths. Raises Misfit."""
        if not self.is_causal:
            return
        if masked or self.add_bias_kv or self.add_zero_attn:
            other = "a mask" if masked else "add_bias_kv" if self.add_bias_kv else "add_zero_attn"
            raise Misfit(f"has is_causal next to {other}", "Keep one of them.", field="is_causal", code="contradiction")
        if queries != keys:
            text = f"is causal, which takes as many keys as queries, it has {keys} and {queries}"
            raise Misfit(text, field="is_causal")

    def spelled_out(self, inputs: Sequence[X]) -> tuple[X, X, X, dict[str, X]]:
        """Queries, keys, values, and the masks by name: `x` is x, x, x and `x m` is x, m, m."""
        given = self.by_name(inputs)
        query = given["query"]
        key = given.get("key", query)
        return query, key, given.get("value", key), {name: given[name] for name in self.masks if name in given}

    def _seen(self, keys: Size) -> Size:
        """How many keys each query sees, added ones among them."""
        return keys + self.add_bias_kv + self.add_zero_attn

    def shape(self, *inputs: Tensor) -> tuple[Any, ...]:
        query, key, *_ = self.spelled_out(inputs)
        if not self.need_weights:
            return query, None
        batch, queries, _ = need_sequence(query, self.batch_first)
        seen = self._seen(need_sequence(key, self.batch_first)[1])
        heads = () if self.average_attn_weights else (self.num_heads,)
        return query, Tensor((batch, *heads, queries, seen))

    def _widths(self) -> tuple[int, int, int]:
        """The widths of query, key and value."""
        return self.embed_dim, self.kdim or self.embed_dim, self.vdim or self.embed_dim

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return attention_parameters(*self._widths(), self.bias, self.add_bias_kv)

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        query, key, *_ = self.spelled_out(inputs)
        batch, queries, _ = need_sequence(query, self.batch_first)
        keys = need_sequence(key, self.batch_first)[1]
        return attention_macs(batch, queries, keys, self._widths(), self._seen(keys))

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its projections and the kernel between them keep."""
        query, key, value, masks = self.spelled_out(inputs)
        made, weights = attended(tape, self, self.num_heads, "", (query, key, value), masks, self.need_weights)
        return made, weights


class Attention(MultiheadAttention):
    """Multi-head attention for batch x length x width, which gives the output alone."""

    rule = "The shape of the queries stays."
    words = ()
    example, example_input = "attention 4", "10x32"

    batch_first = Bool("batch x length x width, not length x batch x width", True, torch_default=False)
    need_weights = Bool("also give the weights of the attention", False, torch=False, keyword=True)


def attended(
    tape: Tape,
    op: Any,
    heads: int,
    prefix: str,
    given: tuple[Held, Held, Held],
    masks: dict[str, Held],
    weighted: bool = False,
) -> tuple[Held, Held | None]:
    """What F.multi_head_attention_forward keeps of queries, keys and values, and what it gives: output and weights.

    `prefix` is before the names of its parameters.
    """
    query, key, value = (x.transpose(0, 1) if op.batch_first else x for x in given)
    width, of_keys, of_values = (need_known(x.shape[-1], -1) for x in (query, key, value))
    more = bool(op.add_bias_kv)
    names = attention_parameters(width, of_keys, of_values, op.bias, more)
    own = {name: tape.own(f"{prefix}{name}") for name in names}
    parts = _projected(tape, own, (query, key, value), given)
    length, batch = query.shape[:2]
    each = width // heads
    if more:
        longer = (parts[1].shape[0] + 1, batch, width)
        parts[1:] = (tape.new(longer, [x, own[name]]) for x, name in zip(parts[1:], ("bias_k", "bias_v"), strict=True))

    def split(x: Held) -> Held:
        """One head of one sample after the other."""
        return tape.reshape(x, (x.shape[0], batch * heads, each)).transpose(0, 1)

    q, k, v = map(split, parts)
    if op.add_zero_attn:
        k, v = (tape.new((batch * heads, x.shape[1] + 1, each), [x]) for x in (k, v))
    mask = _masked(tape, masks, (batch, heads, length, k.shape[1]))
    if weighted:
        scores = tape.matmul(tape.each(q), k.transpose(-2, -1))
        scores = tape.dropout(tape.softmax(scores), op.dropout)
        mixed = tape.flatten(tape.contiguous(tape.matmul(scores, v).transpose(0, 1)), 0, 1)
        mixed = tape.reshape(mixed, (length * batch, width))
    else:
        q, k, v = (tape.reshape(x, (batch, heads, x.shape[1], each)) for x in (q, k, v))
        mixed = tape.contiguous(tape.attention(q, k, v, mask, op.dropout).permute((2, 0, 1, 3)))
        mixed = tape.reshape(mixed, (length * batch, width))
    out = tape.linear(mixed, own["out_proj.weight"], own.get("out_proj.bias"))
    found = tape.reshape(out, (length, batch, width))
    shares = None
    if weighted:
        keys = k.shape[1]
        each_head = () if op.average_attn_weights else (heads,)
        shares = tape.new((batch, *each_head, length, keys), [out])
    return (found.transpose(0, 1) if op.batch_first else found), shares


def _projected(
    tape: Tape, own: dict[str, Held], turned: tuple[Held, Held, Held], given: tuple[Held, Held, Held]
) -> list[Held]:
    """Queries, keys and values as their linear maps make them: those of one input by one product, of which parts are
    copied apart.
    """
    bias = own.get("in_proj_bias")
    if "in_proj_weight" not in own:
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        return [tape.linear(x, own[name], bias) for x, name in zip(turned, names, strict=True)]
    width = turned[0].shape[-1]
    one, two = given[0] is given[1] is given[2], given[1] is given[2]
    parts: list[Held] = []
    for x, count in zip(turned, [3] if one else [1, 2] if two else [1, 1, 1], strict=False):
        made = tape.linear(x, replace(own["in_proj_weight"], shape=(count * width, width)), bias)
        if count > 1:
            made = tape.new((count, *x.shape[:-1], width), [made]).without(0)
        parts += [made] * count
    return parts


def _masked(tape: Tape, masks: dict[str, Held], scores: tuple[Size, ...]) -> Held | None:
    """The mask of scores: where one of queries and keys meets one of keys, their sum for each head of each sample."""
    batch, heads, queries, keys = scores
    found = list(masks.values())
    if len(found) < 2:
        return found[0] if found else None
    return tape.new((batch, heads, queries, keys), found, "float32")
