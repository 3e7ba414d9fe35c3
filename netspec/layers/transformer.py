"""Transformer layers and stacks of them, as torch.nn makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Self

from netspec.dims import Size
from netspec.layers.attention import (
    attended,
    attention_macs,
    attention_parameters,
    check_mask,
    check_padding,
    need_heads,
    need_sequence,
)
from netspec.layers.base import Layer
from netspec.records import Bool, Choice, Field, Float, Int
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor

Shapes = dict[str, tuple[int, ...]]


class Transforming(Layer):
    """What all transformers share: the arguments of one layer."""

    family = "attention"
    flags = {"nobias": ("bias", False)}
    add_bias_kv: ClassVar[bool] = False
    add_zero_attn: ClassVar[bool] = False
    """Its attentions add no place to keys and values, as MultiheadAttention may."""

    d_model = Int("width of the sequence", None, ge=1, axis=-1)
    nhead = Int("heads of the attention, which share the width between them", ge=1)
    dim_feedforward = Int("width between the two linear maps", 2048, ge=1)
    dropout = Float("probability of dropping a number", 0.1, ge=0, le=1)
    activation = Choice("function between the two linear maps: relu or gelu", ("relu", "gelu"), "relu")
    layer_norm_eps = Float("added to the variance in layer norms", 1e-5, gt=0)
    batch_first = Bool("batch x length x width, not length x batch x width", False)
    norm_first = Bool("normalise before attention and linear maps, not after", False)
    bias = Bool("whether linear maps and norms add learned numbers", True)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        batch, _, width = need_sequence(inputs[0], self.batch_first)
        need_heads(fitted.d_model, self.nhead, "nhead")
        for other in inputs[1 : self.inputs[0]]:
            if need_sequence(other, self.batch_first)[::2] != (batch, width):
                text = f"takes sequences of one batch and width, its inputs are {inputs[0]} and {other}"
                raise Misfit(text)
        return fitted

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def lengths(self, inputs: Sequence[Tensor]) -> tuple[Size, ...]:
        """The batch, and the length of each sequence."""
        sequences = [need_sequence(x, self.batch_first) for x in inputs[: self.inputs[0]]]
        return (sequences[0][0], *(length for _, length, _ in sequences))

    def check_masks(self, inputs: Sequence[Tensor], batch: Size, sizes: dict[str, tuple[Size, ...]]) -> None:
        """Refuse masks of other sizes: queries and keys, or the length of what a padding mask stands for."""
        for name, mask in self.by_name(inputs).items():
            match sizes.get(name):
                case (queries, keys):
                    check_mask(mask, batch, self.nhead, queries, keys)
                case (length,):
                    check_padding(mask, batch, length)

    def linear(self, name: str, out: int, width: int) -> Shapes:
        """The parameters of a linear map from `width` to `out` numbers, under a name."""
        return {f"{name}.weight": (out, width)} | ({f"{name}.bias": (out,)} if self.bias else {})

    def norm_parameters(self, name: str) -> Shapes:
        """The parameters of a layer norm under a name."""
        names = ("weight", "bias") if self.bias else ("weight",)
        return {f"{name}.{each}": (self.d_model,) for each in names}

    def layer_parameters(self, *attentions: str) -> Shapes:
        """The parameters of one layer with these attentions."""
        found: Shapes = {}
        for name in attentions:
            each = attention_parameters(self.d_model, self.d_model, self.d_model, self.bias)
            found |= {f"{name}.{key}": shape for key, shape in each.items()}
        found |= self.linear("linear1", self.dim_feedforward, self.d_model)
        found |= self.linear("linear2", self.d_model, self.dim_feedforward)
        for number in range(len(attentions) + 1):
            found |= self.norm_parameters(f"norm{number + 1}")
        return found

    def layer_macs(self, batch: Size, queries: Size, *keys: Size) -> Size:
        """Multiply-accumulates of one layer that attends to sequences of these lengths."""
        widths = (self.d_model, self.d_model, self.d_model)
        total: Size = batch * queries * (2 * self.d_model * self.dim_feedforward)
        for length in keys:
            total = total + attention_macs(batch, queries, length, widths, length)
        return total

    def need_no_mask(self, name: str, masked: bool) -> None:
        """Refuse a flag such as is_causal beside a mask. Raises Misfit."""
        if getattr(self, name) and masked:
            raise Misfit(f"has {name} next to a mask", "Keep one of them.", field=name, code="contradiction")

    def normed(self, tape: Tape, x: Held, name: str) -> Held:
        """A layer norm, whose parameters have this name before theirs."""
        weights = (tape.own(each) for each in self.norm_parameters(name))
        return tape.norm(x, *weights, groups=x.shape[:-1])

    def fed(self, tape: Tape, x: Held, *, prefix: str) -> Held:
        """The two linear maps with what lies between them and behind."""
        bias = (lambda name: tape.own(f"{prefix}{name}.bias")) if self.bias else (lambda name: None)
        wide = tape.linear(x, tape.own(f"{prefix}linear1.weight"), bias("linear1"))
        wide = tape.dropout(tape.each(wide, "result" if self.activation == "relu" else "input"), self.dropout)
        return tape.dropout(tape.linear(wide, tape.own(f"{prefix}linear2.weight"), bias("linear2")), self.dropout)

    def looked(self, tape: Tape, x: Held, *, memory: Held | None, prefix: str, masks: dict[str, Held]) -> Held:
        """An attention to the sequence itself or to a memory, and the dropout behind it."""
        given = (x, x, x) if memory is None else (x, memory, memory)
        return tape.dropout(attended(tape, self, self.nhead, prefix, given, masks)[0], self.dropout)

    def encoded(self, tape: Tape, x: Held, masks: dict[str, Held], prefix: str) -> Held:
        """What one layer keeps, and what it gives."""
        attention = partial(self.looked, tape, memory=None, prefix=f"{prefix}self_attn.", masks=masks)
        return self.passed(tape, x, [attention, partial(self.fed, tape, prefix=prefix)], prefix)

    def decoded(self, tape: Tape, x: Held, memory: Held, masks: dict[str, Held], prefix: str) -> Held:
        """What one layer that looks at a memory keeps, and what it gives."""
        own, others = ({n: m for n, m in masks.items() if n.startswith(word)} for word in ("tgt", "memory"))
        first = partial(self.looked, tape, memory=None, prefix=f"{prefix}self_attn.", masks=own)
        second = partial(self.looked, tape, memory=memory, prefix=f"{prefix}multihead_attn.", masks=others)
        return self.passed(tape, x, [first, second, partial(self.fed, tape, prefix=prefix)], prefix)

    def passed(self, tape: Tape, x: Held, parts: Sequence[Callable[[Held], Held]], prefix: str) -> Held:
        """The parts of a layer one after the other, each with its sum and its norm."""
        for number, part in enumerate(parts, 1):
            norm = f"{prefix}norm{number}"
            if self.norm_first:
                x = tape.add(x, part(self.normed(tape, x, norm)))
            else:
                x = self.normed(tape, tape.add(x, part(x)), norm)
        return x


class Encoding(Transforming):
    """What the encoder and its layer share: one sequence, and perhaps masks of length x length and batch x length."""

    gives_tokens = True
    rule = "The shape of the input stays."
    inputs = (1, 3)
    is_causal = Bool("hide what follows each place", False, torch=False, keyword=True)
    mask_name: ClassVar[str]

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        batch, length = self.lengths(inputs)
        self.check_masks(inputs, batch, {self.mask_name: (length, length), "src_key_padding_mask": (length,)})
        self.need_no_mask("is_causal", self.mask_name in self.by_name(inputs))
        return fitted


class Decoding(Transforming):
    """What the decoder and its layer share: a sequence, the memory it looks at, and perhaps masks for each."""

    rule = "The shape of the first input stays."
    inputs = (2, 6)
    takes = ("tgt", "memory", "tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
    masks = takes[2:]
    tgt_is_causal = Bool("hide what follows each place of the first input", False, torch=False, keyword=True)

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        batch, queries, keys = self.lengths(inputs)
        sizes = {"tgt_mask": (queries, queries), "memory_mask": (queries, keys)}
        paddings = {"tgt_key_padding_mask": (queries,), "memory_key_padding_mask": (keys,)}
        self.check_masks(inputs, batch, {**sizes, **paddings})
        self.need_no_mask("tgt_is_causal", "tgt_mask" in self.by_name(inputs))
        return fitted


class TransformerEncoderLayer(Encoding):
    """Attends to the sequence itself, then applies two linear maps, each with a sum and a norm."""

    mask_name = "src_mask"
    takes = ("src", "src_mask", "src_key_padding_mask")
    masks = takes[1:]
    words = ("transformer_encoder_layer",)
    example, example_input = "transformer_encoder_layer 4 batch_first", "10x32"

    def parameters(self) -> Shapes:
        return self.layer_parameters("self_attn")

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        batch, length = self.lengths(inputs)
        return self.layer_macs(batch, length, length)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its attention, norms and linear maps keep."""
        x, masks = inputs[0], dict(list(self.by_name(inputs).items())[1:])
        return self.encoded(tape, x, masks, "")


class TransformerDecoderLayer(Decoding):
    """Attends to the sequence itself, then to a memory, then applies two linear maps."""

    words = ("transformer_decoder_layer",)
    example = "transformer_decoder_layer(x memory) 4 batch_first"
    example_input = "{x: 10x32, memory: 12x32}"

    def parameters(self) -> Shapes:
        return self.layer_parameters("self_attn", "multihead_attn")

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        batch, queries, keys = self.lengths(inputs)
        return self.layer_macs(batch, queries, queries, keys)

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its attentions, norms and linear maps keep."""
        masks = dict(list(self.by_name(inputs).items())[2:])
        return self.decoded(tape, inputs[0], inputs[1], masks, "")


class Layers(Transforming):
    """Several layers of one kind, and perhaps a norm at the end."""

    attentions: ClassVar[tuple[str, ...]]

    num_layers = Int("how many layers", ge=1, torch=False, keyword=True)
    norm = Bool("end with a layer norm", False, torch=False, keyword=True)

    def parameters(self) -> Shapes:
        found = dict(stacked("layers", self.layer_parameters(*self.attentions), self.num_layers))
        return found | (self.norm_parameters("norm") if self.norm else {})


def stacked(name: str, layer: Shapes, count: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The parameters of `count` layers that are alike."""
    return ((f"{name}.{i}.{key}", shape) for i in range(count) for key, shape in layer.items())


class TransformerEncoder(Encoding, Layers):
    """Reads a sequence with several encoder layers, whose arguments it takes itself."""

    attentions = ("self_attn",)
    mask_name = "mask"
    takes = ("src", "mask", "src_key_padding_mask")
    masks = takes[1:]
    words = ("transformer_encoder",)
    example, example_input = "transformer_encoder 4 num_layers=2 batch_first", "10x32"

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        batch, length = self.lengths(inputs)
        return self.layer_macs(batch, length, length) * self.num_layers

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its layers keep, one after the other."""
        x, masks = inputs[0], dict(list(self.by_name(inputs).items())[1:])
        for number in range(self.num_layers):
            x = self.encoded(tape, x, masks, f"layers.{number}.")
        return self.normed(tape, x, "norm") if self.norm else x


class TransformerDecoder(Decoding, Layers):
    """Reads a sequence and a memory with several decoder layers, whose arguments it takes itself."""

    attentions = ("self_attn", "multihead_attn")
    words = ("transformer_decoder",)
    example = "transformer_decoder(x memory) 4 num_layers=2 batch_first"
    example_input = "{x: 10x32, memory: 12x32}"

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        batch, queries, keys = self.lengths(inputs)
        return self.layer_macs(batch, queries, queries, keys) * self.num_layers

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What its layers keep, one after the other."""
        x, masks = inputs[0], dict(list(self.by_name(inputs).items())[2:])
        for number in range(self.num_layers):
            x = self.decoded(tape, x, inputs[1], masks, f"layers.{number}.")
        return self.normed(tape, x, "norm") if self.norm else x


class Transformer(Transforming):
    """Encodes one sequence and decodes another: two stacks, each with a norm at the end."""

    rule = "The shape of the second input, the target, stays."
    inputs = (2, 8)
    takes = (
        *("src", "tgt", "src_mask", "tgt_mask", "memory_mask"),
        *("src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask"),
    )
    masks = takes[2:]
    example, example_input = "transformer(src tgt) batch_first nhead=4", "{src: 12x32, tgt: 10x32}"

    nhead = Int("heads of the attention, which share the width between them", 8, ge=1)
    num_encoder_layers = Int("layers that read the first input", 6, ge=1)
    num_decoder_layers = Int("layers that read the second", 6, ge=1)
    tgt_is_causal = Bool("hide what follows each place of the second input", False, torch=False, keyword=True)

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        first = ("d_model", "nhead", "num_encoder_layers", "num_decoder_layers")
        return {**{name: fields[name] for name in first}, **fields}

    def fitted(self, *inputs: Tensor) -> Self:
        fitted = super().fitted(*inputs)
        batch, keys, queries = self.lengths(inputs)
        sizes = {"src_mask": (keys, keys), "tgt_mask": (queries, queries), "memory_mask": (queries, keys)}
        paddings = {"src": keys, "tgt": queries, "memory": keys}
        self.check_masks(inputs, batch, {**sizes, **{f"{n}_key_padding_mask": (size,) for n, size in paddings.items()}})
        self.need_no_mask("tgt_is_causal", "tgt_mask" in self.by_name(inputs))
        return fitted

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[1]

    def parameters(self) -> Shapes:
        encoder = stacked("encoder.layers", self.layer_parameters("self_attn"), self.num_encoder_layers)
        decoder = self.layer_parameters("self_attn", "multihead_attn")
        found = dict(encoder) | self.norm_parameters("encoder.norm")
        found |= dict(stacked("decoder.layers", decoder, self.num_decoder_layers))
        return found | self.norm_parameters("decoder.norm")

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size:
        batch, keys, queries = self.lengths(inputs)
        encoder = self.layer_macs(batch, keys, keys) * self.num_encoder_layers
        return encoder + self.layer_macs(batch, queries, queries, keys) * self.num_decoder_layers

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What both stacks keep, the encoder first."""
        memory, x = inputs[:2]
        masks = dict(list(self.by_name(inputs).items())[2:])
        own = {name: mask for name, mask in masks.items() if name.startswith("src")}
        for number in range(self.num_encoder_layers):
            memory = self.encoded(tape, memory, own, f"encoder.layers.{number}.")
        memory = self.normed(tape, memory, "encoder.norm")
        for number in range(self.num_decoder_layers):
            x = self.decoded(tape, x, memory, masks, f"decoder.layers.{number}.")
        return self.normed(tape, x, "decoder.norm")
