"""Attention without weights of its own, and the masks that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netspec.dims import Size, product
from netspec.layers.base import Op
from netspec.ops.algebra import need_equal
from netspec.ops.axes import Number, differ
from netspec.ops.broadcasting import broadcast, fits
from netspec.ops.comparing import need_bools
from netspec.records import Bool, Checked, Float, Int, refuse
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Shape, Tensor, need_float, show


class SDPA(Op):
    """Mixes values by how well their keys match each query: softmax(q k^T / sqrt(width)) v.

    Inputs are queries, keys, values and perhaps a mask, which is true where a query may look, or is added.
    With `heads` the inputs are batch x length x width, and the width is shared between the heads.
    """

    rule = "The shape of the queries, with the width of the values."
    inputs = (3, 4)
    takes = ("query", "key", "value", "attn_mask")
    words = ("scaled_dot_product_attention",)
    example, example_input = "sdpa(q k v) heads=4 is_causal", "10x32"

    heads = Int("parallel parts that the width is split into", None, ge=1, torch=False)
    dropout_p = Float("probability of dropping an attention weight while training", 0.0, ge=0, le=1, keyword=True)
    is_causal = Bool("hide from each place what comes after it", False, keyword=True)
    scale = Number("what scores are multiplied by; without it 1 / sqrt(width)", None, keyword=True)
    enable_gqa = Bool("let several heads of queries share a head of keys and values", False, keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        for x in inputs[:3]:
            need_float(x)
        query, key, value = self._split(inputs[:3]) if self.heads else [x.shape for x in inputs[:3]]
        self._check(query, key, value)
        if len(inputs) > 3:
            self._check_mask(inputs[3], (*query[:-1], key[-2]))
        return Tensor((*inputs[0].shape[:-1], inputs[2].shape[-1]))

    def _split(self, inputs: Sequence[Tensor]) -> list[Shape]:
        """The shapes with an axis of heads, as the helper makes it."""
        found = []
        for x, noun in zip(inputs, ("queries", "keys", "values"), strict=True):
            if len(x.shape) < 2:
                raise Misfit(f"takes batch x length x width, its {noun} are {x}", code="rank")
            width = x.shape[-1]
            each = width // self.heads
            if each * self.heads != width:
                text = f"cannot split {noun} of width {width} into {self.heads} heads"
                raise Misfit(text, field="heads", code=differ(width, self.heads))
            found.append((*x.shape[:-2], self.heads, x.shape[-2], each))
        return found

    def _check(self, query: Shape, key: Shape, value: Shape) -> None:
        """Refuse shapes of query, key and value that do not go together. Raises Misfit."""
        doing = f"compares queries of {show(query)} with keys of {show(key)}"
        least = 3 if self.enable_gqa else 2
        if min(len(query), len(key), len(value)) < least:
            wanted = "heads x length x width" if self.enable_gqa else "length x width"
            raise Misfit(f"takes {wanted} at least, its queries are {show(query)}", code="rank")
        need_equal(query[-1], key[-1], f"{doing}, whose widths differ")
        if key[:-1] != value[:-1] or not self._same_batch(query, key):
            text = f"{doing} and values of {show(value)}: only the length of queries may differ"
            known = all(isinstance(size, int) for size in (*query, *key, *value))
            raise Misfit(text, code="batch" if known else "unknown-size")

    def _same_batch(self, query: Shape, key: Shape) -> bool:
        """Whether query and key agree in all axes but length and width; with grouped queries, whether heads divide."""
        if not self.enable_gqa:
            return query[:-2] == key[:-2]
        shared = isinstance(query[-3], int) and isinstance(key[-3], int) and query[-3] % key[-3] == 0
        return shared and query[:-3] == key[:-3]

    def _check_mask(self, mask: Tensor, scores: Shape) -> None:
        """Refuse a mask that does not broadcast to the scores, or is of whole numbers. Raises Misfit."""
        if self.is_causal:
            raise Misfit("has a mask and is_causal", "Keep one of them.", field="is_causal", code="contradiction")
        if mask.dtype == "int64":
            raise Misfit("takes a mask of booleans or floats, it is int64", "Compare, as in `ne(ids) 0`.", code="dtype")
        if not fits(mask.shape, scores):
            known = all(isinstance(size, int) for size in (*mask.shape, *scores))
            hint = "Insert axes of 1 with unsqueeze."
            text = f"has scores of {show(scores)}, its mask of {mask} does not stretch to them"
            raise Misfit(text, hint, code="mask" if known else "unknown-size")

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        query, key, value = (x.shape for x in inputs[:3])
        heads = self.heads or 1
        pairs = product(query[:-1]) * key[-2] * heads
        return pairs * (query[-1] // heads) + pairs * (value[-1] // heads)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What the kernel that torch chooses keeps of heads that are taken apart."""
        mask = inputs[3] if len(inputs) > 3 else None
        query, key, value = inputs[:3]
        if self.heads is None:
            return tape.attention(query, key, value, mask, self.dropout_p, self.enable_gqa)
        parts = [
            tape.reshape(x, (*x.shape[:-1], self.heads, x.shape[-1] // self.heads)).transpose(-3, -2)
            for x in (query, key, value)
        ]
        query, key, value = parts
        made = tape.attention(query, key, value, mask, self.dropout_p, self.enable_gqa)
        return tape.flatten(made.transpose(-3, -2), -2)


def _fill(value: Any) -> Any:
    """A number, or one of the two infinities as a word."""
    if value in ("inf", "-inf"):
        return float(value)
    if type(value) in (int, float) and value == value:
        return value
    raise refuse("a number or -inf")


class MaskedFill(Op):
    """Puts a number where the second input, a mask, is true; without another word minus infinity."""

    keeps = "second"
    rule = "The two inputs broadcast."
    inputs = (2, 2)
    takes = ("input", "mask")
    words = ("masked_fill",)
    example, example_input = "masked_fill(scores mask) -1e9", "{scores: 10x10, mask: bool 10x10}"

    value = Checked("the number; without it, minus infinity", _fill, {"type": ["number", "string"]}, None)

    def shape(self, *inputs: Tensor) -> Tensor:
        x, mask = inputs
        need_bools(mask)
        value = float("-inf") if self.value is None else self.value
        if x.dtype != "float32" and abs(value) == float("inf"):
            raise Misfit(f"puts {value} among values of {x.dtype}", "Give another number.", field="value", code="dtype")
        return x.with_shape(*broadcast("masks", x, mask))


class Triangle(Op):
    """What tril and triu share."""

    keeps = ""
    rule = "The shape of the input stays."
    example_input = "10x10"

    diagonal = Int("the last diagonal that is kept: 0 is the main one, 1 the one above", 0)

    def shape(self, *inputs: Tensor) -> Tensor:
        if len(inputs[0].shape) < 2:
            raise Misfit(f"takes matrices, its input is {inputs[0]}", code="rank")
        return inputs[0]


class TriL(Triangle):
    """Keeps the lower triangle of matrices and sets the rest to 0."""

    example = "tril"


class TriU(Triangle):
    """Keeps the upper triangle of matrices and sets the rest to 0."""

    example = "triu"
