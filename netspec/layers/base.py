"""What every operation is: fields, a shape rule, parameters. How torch writes it, `emit.torch` knows.

`Op` is anything a row can name. `Layer` is an op that is a class of torch.nn; it may own parameters and buffers.
`Spatial` is a layer over axes of space. Shapes count the batch as axis 0, as torch does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar

from netspec.dims import Size
from netspec.layers.windows import AXES, spread
from netspec.records import Entry
from netspec.saved import Held, Tape
from netspec.tensors import SIZED, TOKENS, Misfit, Tensor, axis_size, need_float, need_known, need_rank, sample

X = TypeVar("X")


class Op(Entry):
    """One operation: what a row names."""

    extra = ("wrap", "between")

    rank: ClassVar[int | tuple[int, ...] | None] = None
    """The rank or ranks of input, batch and channels included, that a general word chooses this class for."""
    example_input: ClassVar[str] = ""
    """The input that the example is shown on, as a spec writes it: `3x32x32`."""
    inputs: ClassVar[tuple[int, int]] = (1, 1)
    """How few and how many inputs it takes."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Names of its inputs, by which a row may give them: `sdpa(query=q key=k value=v)`."""
    masks: ClassVar[tuple[str, ...]] = ()
    """Those of its inputs that may be given by name where others before them are left out."""
    named: tuple[str, ...] = ()
    """The names of the masks among its inputs that were given so; they come last."""
    results: ClassVar[tuple[Any, ...]] = ()
    """Names of the parts of a tuple result, nested as torch nests them: ("output", ("h", "c"))."""
    source: ClassVar[bool] = False
    """Whether it makes a value from nothing: a parameter, a constant, a range."""
    owned: ClassVar[bool] = False
    """Whether what it makes stays with its level: a parameter, a buffer."""
    needs_device: ClassVar[bool] = False
    """Whether it makes a tensor from nothing, which must lie on the device of the others."""
    takes_dtype: ClassVar[bool] = False
    """Whether it makes floats of the dtype that the network computes in."""
    only_in_training: ClassVar[bool] = False
    """Whether it leaves its input as it is outside training."""

    # Traits, by which checks and pictures know an operation without knowing its class.

    family: ClassVar[str] = ""
    """Its kind in the literature, as `convolution`, `pooling`, `normalisation`, `activation`; empty for any other."""
    normalises: ClassVar[Literal["", "batch", "instance", "group", "layer", "response"]] = ""
    """Which norm it is by its name in the literature; a batch or an instance norm takes each channel by itself."""
    makes: ClassVar[Literal["", "probabilities", "log probabilities"]] = ""
    """What an activation makes of scores, where that is something that a loss may want."""
    multiplies: ClassVar[Literal["", "last axis", "all axes"]] = ""
    """The axes whose numbers it multiplies by one matrix of weights."""
    drops: ClassVar[bool] = False
    """Whether it drops numbers in training, each with the probability `p`."""
    at_least_0: ClassVar[bool] = False
    """Whether it replaces negative numbers by 0, and with them their gradient."""
    keeps_numbers: ClassVar[bool] = False
    """Whether it only passes its numbers on in use, or puts them into another shape."""
    keeps_axes: ClassVar[bool] = False
    """Whether the axes of its result mean what those of its input do."""
    is_view: ClassVar[bool] = False
    """Whether its result lies in the memory of its input."""
    reads_channels: ClassVar[bool] = False
    """Whether it takes axis 1 for the channels, and those after it for the places."""
    gives_tokens: ClassVar[bool] = False
    """Whether it gives tokens x width, batch first where nothing else is said."""
    transposed: ClassVar[bool] = False
    """Whether its results lie along axis 1 of its weight, and not along axis 0."""
    joins: ClassVar[bool] = False
    """Whether it puts its inputs one after the other along the axis `dim`."""
    keeps: ClassVar[str | None] = None
    """Where it makes new tensors in one step: what of them backward reads, in the words of `Tape.plain`."""
    counts: ClassVar[bool] = False
    """Whether it gives the numbers from `start` to `end`."""

    @classmethod
    def takes_rank(cls, rank: int) -> bool:
        """Whether a general word means this class for an input of this rank."""
        return rank in cls.rank if isinstance(cls.rank, tuple) else rank == cls.rank

    @classmethod
    def instead_of(cls, argument: str) -> str:
        from netspec.vocabulary import OPERATIONS  # only a mistake pays for it

        if argument == "activation":
            return "Write the activation behind a comma: conv 8 k3, relu"
        if re.fullmatch(r"x([A-Z]\w*)?", argument):
            return "A repetition is an x and a number, or a parameter: x3, x$depth"
        known = OPERATIONS.find(argument)
        return f"Put a comma before {argument}, which is an operation of its own." if known else ""

    def fitted(self, *inputs: Tensor) -> Self:
        """This operation with every inferred size filled in; a written size that differs is a Misfit."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            if field.axis is not None:
                tokens = field.axis == 1 and len(inputs[0].shape) == 3
                size = need_known(axis_size(inputs[0], field.axis), field.axis, TOKENS if tokens else SIZED)
                found[name] = self.agreed(name, size, sample(inputs[0].shape))
        return self.replace(**found) if found else self

    def by_name(self, inputs: Sequence[X]) -> dict[str, X]:
        """The inputs by their names."""
        count = len(inputs) - len(self.named)
        return {
            **dict(zip(self.takes, inputs[:count], strict=False)),
            **dict(zip(self.named, inputs[count:], strict=True)),
        }

    def agreed(self, name: str, size: int, arithmetic: str) -> int:
        """`size`, unless the argument `name` was written and says another."""
        written = getattr(self, name)
        if written not in (None, size):
            noun = {"in_channels": "input channels", "in_features": "inputs"}.get(name, name)
            hint = f"{{source}} gives {arithmetic}. Drop the {written} (it is inferred) or change the layers before it."
            raise Misfit(f"declares {written} {noun}, its input has {size}", hint, field=name)
        return size

    def shape(self, *inputs: Tensor) -> Tensor | tuple[Any, ...]:
        """What comes out for these inputs, batch first; a tuple where torch gives a tuple. Raises Misfit."""
        raise NotImplementedError(type(self).__name__)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters by name, in torch's order. Sizes are inferred by then."""
        return {}

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the buffers in the state_dict, by name."""
        return {}

    def macs(self, inputs: Sequence[Tensor], output: Tensor) -> Size | None:
        """Multiply-accumulates of one call; None where they cannot be told. Elementwise work counts 0."""
        return 0

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """What comes out in training, nested as by `shape`, with all that backward will read kept on the tape.

        An operation that does not say it, by this or by `keeps`, is told as one of which that is not known.
        """
        return tape.unread(self, inputs) if self.keeps is None else tape.plain(self, inputs, self.keeps)

    def picks_along(self) -> int | None:
        """The axis along which it gives some of the values, with their places; None where it does no such thing."""
        return None

    def needs_module(self) -> bool:
        """Whether it is a module of its own, for no function computes the same."""
        return False


class Layer(Op):
    """A class of torch.nn, by torch's own name and with torch's own arguments."""

    functional: ClassVar[bool] = False
    """Whether a function of the same arguments may stand for the module."""

    def needs_module(self) -> bool:
        return bool(self.origin) or not self.functional


class Spatial(Layer):
    """A layer over a batch of channels and `dims` axes of space: batch x channels x places."""

    dims: ClassVar[int]

    def fitted(self, *inputs: Tensor) -> Self:
        need_rank(inputs[0], self.dims + 2, what=AXES[self.dims])
        need_float(inputs[0])
        return super().fitted(*inputs)

    def per_axis(self, *names: str) -> list[tuple[int, ...]]:
        """The named arguments, each with one number for each axis."""
        return [spread(getattr(self, name), self.dims) for name in names]
