"""What wraps a layer: its weight computed of other tensors, or changed by a product of two small ones beside it."""

from __future__ import annotations

from functools import partial
from math import prod, sqrt
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from netspec.dims import Size
from netspec.layers.base import Layer
from netspec.records import Bool, Entry, Float, Int
from netspec.saved import Held, Tape

if TYPE_CHECKING:
    from netspec.layers.convolution import Convolution

Shapes = dict[str, tuple[int, ...]]


class Wrap(Entry):
    """How the weight of a layer comes about, and the names that this gives to tensors."""

    beside: ClassVar[bool] = False
    """Whether the layer keeps all that it has, and has more beside it."""

    @property
    def word(self) -> str:
        """What it is called in a spec."""
        return self.called()

    @property
    def told(self) -> str:
        """All of it as a text, which equal ones have alike."""
        return " ".join([self.word, *(f"{name}={getattr(self, name):g}" for name in self.fields)])

    def parameters(self, op: Layer) -> Shapes:
        """The parameters of a wrapped layer, in torch's order."""
        shapes = op.parameters()
        weight = shapes.pop("weight")
        return shapes | self.parts(weight)

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        """The tensors that the weight is made of. They come last, as torch has them."""
        raise NotImplementedError(type(self).__name__)

    def buffers(self, op: Layer) -> Shapes:
        """What it keeps between steps, besides the layer's own buffers."""
        return {}

    def macs(self, op: Layer, own: Size) -> Size:
        """Multiply-accumulates of one call of a layer that has so many of its `own`."""
        return own

    def takes(self, op: Layer) -> bool:
        """Whether it is for layers of this kind."""
        return "weight" in op.parameters()

    def refusal(self, op: Layer) -> tuple[str, str] | None:
        """Why it cannot wrap a layer, and what to do; None where it can."""
        return None

    def kept(self, tape: Tape, op: Layer, *inputs: Held) -> Any:
        """What comes out of the wrapped layer in training, with all that backward will read kept on the tape."""
        return tape.unread(self, inputs, op)


class WeightNorm(Wrap):
    """Learns the length and the direction of each output's weights apart."""

    example, words = "weight_norm", ("weight_norm",)

    dim = Int("the axis of the weight of which each place has a length of its own", 0, ge=0)

    @property
    def told(self) -> str:
        return f"{self.word} dim={self.dim}" if self.dim else self.word

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        return {
            "parametrizations.weight.original0": self.lengths(weight),
            "parametrizations.weight.original1": weight,
        }

    def lengths(self, weight: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the lengths: as many axes as the weight has, of size 1 all but one."""
        return tuple(size if axis == self.dim else 1 for axis, size in enumerate(weight))

    def refusal(self, op: Layer) -> tuple[str, str] | None:
        axes = len(op.parameters()["weight"])
        if self.dim >= axes:
            return f"the weight of {type(op).called()} has {axes} axes, and none with the number {self.dim}", (
                f"Axes count from 0, so the last one is dim={axes - 1}."
            )
        return _no_zero_row(f"{self.word} divides by the length of each row", op)

    def kept(self, tape: Tape, op: Layer, *inputs: Held) -> Any:
        """The lengths of the directions, and what the layer keeps, the weight that is made of them too."""
        own = tape.own
        length, direction = (own(name) for name in self.parts(op.parameters()["weight"]))
        weight = tape.new(direction.shape, [length, direction], like=direction)
        if weight.grad:
            tape.keep(tape.new(length.shape))  # the lengths of the directions
        tape.own = lambda name: weight if name == "weight" else own(name)
        return op.kept(tape, *inputs)


class WeightNormHook(WeightNorm):
    """The same by torch's older function, whose tensors are weight_g and weight_v."""

    example, words = "weight_norm_hook", ("weight_norm_hook",)

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        return {"weight_g": self.lengths(weight), "weight_v": weight}


class SpectralNorm(Wrap):
    """Divides the weight by its largest singular value."""

    example, words = "spectral_norm", ("spectral_norm",)

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        return {"parametrizations.weight.original": weight}

    def buffers(self, op: Layer) -> Shapes:
        rows, columns = _matrix(op)
        return {"parametrizations.weight.0._u": (rows,), "parametrizations.weight.0._v": (columns,)}

    def kept(self, tape: Tape, op: Layer, *inputs: Held) -> Any:
        """Both vectors of the largest singular value, that value, and what the layer keeps, its weight too."""
        own = tape.own
        (name,) = self.parts(op.parameters()["weight"])
        given, value = own(name), tape.new(())
        weight = tape.new(given.shape, [given, value], like=given)
        if weight.grad:
            tape.keep(value, *(tape.new((count,)) for count in _matrix(op)))
        tape.own = lambda name: weight if name == "weight" else own(name)
        return op.kept(tape, *inputs)


class SpectralNormHook(SpectralNorm):
    """The same by torch's older function, whose tensor is weight_orig."""

    example, words = "spectral_norm_hook", ("spectral_norm_hook",)

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        return {"weight_orig": weight}

    def buffers(self, op: Layer) -> Shapes:
        rows, columns = _matrix(op)
        return {"weight_u": (rows,), "weight_v": (columns,)}


class Orthogonal(Wrap):
    """Keeps the weight an orthogonal matrix."""

    example, words = "orthogonal", ("orthogonal",)

    def parts(self, weight: tuple[int, ...]) -> Shapes:
        return {"parametrizations.weight.original": weight}

    def buffers(self, op: Layer) -> Shapes:
        weight = op.parameters()["weight"]
        side = max(weight[-2:])
        return {"parametrizations.weight.0.base": (*weight[:-2], side, side)}

    def refusal(self, op: Layer) -> tuple[str, str] | None:
        return _no_zero_row(f"{self.word} keeps no row at zero", op)


class Lora(Wrap):
    """Trains a change of low rank beside the weight, which stays as it is (Hu et al. 2021).

    What the layer gives is added to by `alpha / rank` times what the product of two small matrices gives. At first the
    second of them is zero. All else in the network is frozen, but what `weights: {train: ...}` names. The tensors are
    called as in the adapter files of peft: `fc.lora_A.weight` and `fc.lora_B.weight`, of an embedding
    `lora_embedding_A` and `lora_embedding_B`. Linear layers, convolutions, embeddings and the projections of an
    attention have it.
    """

    example, words = "lora rank=8 alpha=16", ("lora",)
    beside = True

    rank = Int("columns of the first small matrix, which are the rows of the second", 8, ge=1)
    alpha = Float("the change counts alpha / rank times", 16, gt=0)
    dropout = Float(
        "how likely an input of the small matrices of a linear layer or convolution is dropped", 0.0, ge=0, lt=1
    )
    rslora = Bool("whether it counts alpha / sqrt(rank) times, which keeps large ranks stable", False)

    @property
    def scaling(self) -> float:
        """What the product of the small matrices is multiplied by."""
        return float(self.alpha / (sqrt(self.rank) if self.rslora else self.rank))

    def parameters(self, op: Layer) -> Shapes:
        own = op.parameters()
        if _is(op, "MultiheadAttention"):
            inner = {name: own.pop(name) for name in list(own) if name.startswith("out_proj.")}
            width = inner["out_proj.weight"][0]
            out = _pair("out_proj.lora_", self.rank, (width, width))
            return own | inner | out | _pair("lora_", self.rank, own["in_proj_weight"])
        weight = own["weight"]
        if _is(op, "Embedding"):
            return own | {"lora_embedding_A": (self.rank, weight[0]), "lora_embedding_B": (weight[1], self.rank)}
        return own | _pair("lora_", self.rank, weight)

    def macs(self, op: Layer, own: Size) -> Size:
        more = sum(prod(shape) for name, shape in self.parameters(op).items() if is_adapter(name))
        if _is(op, "MultiheadAttention"):  # which multiplies the small matrices, and adds them to the weights
            width = op.parameters()["out_proj.weight"][0]
            return own + more * width
        weight = op.parameters()["weight"]
        return own if _is(op, "Embedding") else own + own * more // prod(weight)

    def takes(self, op: Layer) -> bool:
        return any(_is(op, name) for name in ADAPTED)

    def refusal(self, op: Layer) -> tuple[str, str] | None:
        word, given = type(op).called(), partial(getattr, op)
        if op.transposed:
            text = f"lora has no form beside a transposed convolution, as in peft, and {word} is one"
            return text, "Leave it out there; a line of wrap with none, above the other, does so by name."
        if not self.takes(op):
            text = f"lora is for linear layers, convolutions, embeddings and attention, {word} is none of them"
            return text, "Leave it out there; a line of wrap with none, above the other, does so by name."
        without = f"Leave it out there, as a line of wrap with none does, or change the {word}."
        if given("groups", 1) > 1:
            text = f"{word} has {given('groups')} groups, and no product of two small matrices is a grouped convolution"
            return text, without
        if given("max_norm", None) is not None or given("sparse", False):
            return (
                f"an embedding with {'sparse' if given('sparse') else 'max_norm'} cannot be changed beside it",
                without,
            )
        widths = {given(name, None) for name in ("embed_dim", "kdim", "vdim")} - {None}
        if _is(op, "MultiheadAttention") and len(widths) > 1:
            return "lora takes an attention whose queries, keys and values are equally wide", without
        if self.dropout and not any(_is(op, name) for name in DROPPING):
            return f"dropout of lora is for linear layers and convolutions, and not for {word}", "Leave out dropout."
        return None

    def kept(self, tape: Tape, op: Layer, *inputs: Held) -> Any:
        """What the layer keeps, and the small matrices beside it."""
        if _is(op, "MultiheadAttention") or _is(op, "Embedding"):
            return tape.unread(self, inputs, op)
        whole = op.kept(tape, *inputs)
        if not _is(op, "Linear"):
            few = (whole.shape[0], self.rank, *whole.shape[2:])
            x = cast("Convolution", op).padded(tape, tape.dropout(inputs[0], self.dropout))
            small = tape.conv(x, tape.own("lora_A.weight"), None, few)
            return tape.add(whole, tape.each(tape.conv(small, tape.own("lora_B.weight"), None, whole.shape)))
        x = tape.flatten(inputs[0], 1) if getattr(op, "flattens", False) else inputs[0]
        small = tape.linear(tape.dropout(x, self.dropout), tape.own("lora_A.weight"))
        return tape.add(whole, tape.each(tape.linear(small, tape.own("lora_B.weight"))))


OPTIONS: Final = frozenset((*Lora.fields, *WeightNorm.fields))
"""What may stand beside `wrap=` in a row, where the layer has no argument of that name itself."""
ADAPTED: Final = ("Linear", "Conv1d", "Conv2d", "Conv3d", "Embedding", "MultiheadAttention")
"""The layers of torch that a change of low rank stands beside."""
DROPPING: Final = ("Linear", "Conv1d", "Conv2d", "Conv3d")
"""Those of them whose small matrices may drop some of their inputs."""
SMALL: Final = ("lora_A.weight", "lora_B.weight", "lora_embedding_A", "lora_embedding_B")
"""How the names of small matrices end."""


def is_adapter(name: str) -> bool:
    """Whether a tensor of this name in a layer is a small matrix beside its weight."""
    return name.endswith(SMALL)


def _is(op: Layer, name: str) -> bool:
    """Whether a layer is of the class of this name, or of one that is derived from it."""
    return not op.origin and any(cls.__name__ == name for cls in type(op).__mro__)


def _pair(prefix: str, rank: int, weight: tuple[int, ...]) -> Shapes:
    """The two matrices whose product is of the shape of a weight; of a convolution the first has its window."""
    ones = (1,) * len(weight[2:])
    return {f"{prefix}A.weight": (rank, *weight[1:]), f"{prefix}B.weight": (weight[0], rank, *ones)}


def _matrix(op: Layer) -> tuple[int, int]:
    """The weight as a matrix. A transposed convolution has its outputs on axis 1, and its spectrum is taken there."""
    weight = op.parameters()["weight"]
    rows = weight[1] if op.transposed else weight[0]
    return rows, prod(weight) // rows


def _no_zero_row(why: str, op: Layer) -> tuple[str, str] | None:
    """Why a wrap cannot keep the row of `padding_idx` at zero."""
    if getattr(op, "padding_idx", None) is None:
        return None
    hint = "Leave out padding_idx, or the wrap; spectral_norm goes with it."
    return f"{why}, and the row of padding_idx is zero", hint
