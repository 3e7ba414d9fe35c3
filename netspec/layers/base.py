"""What every operation is: fields, a shape rule, parameters. How torch writes it, `emit.torch` knows.

`Op` is anything a row can name. `Layer` is an op that is a class of torch.nn; it may own
parameters and buffers. Shapes count the batch as axis 0, as torch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal, Self, TypeVar

from netspec.catalogue import Entry
from netspec.dims import BATCH, Dim, Size

Shape = tuple[Size, ...]
Dtype = Literal["float32", "int64", "bool"]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is known of a tensor before anything runs: its shape, batch first, and its dtype."""

    shape: Shape
    dtype: Dtype = "float32"

    def __str__(self) -> str:
        return show(self.shape)

    def with_shape(self, *shape: Size) -> Tensor:
        return replace(self, shape=shape)


def show(shape: Sequence[Size]) -> str:
    """A shape as people write it: `16 x 5 x 5`."""
    return " x ".join(f"({s})" if " " in str(s) else str(s) for s in shape) or "a single number"


def sample(shape: Sequence[Size]) -> str:
    """A shape without the batch, as a spec and its summary have it; whole where the batch does not come first."""
    return show(shape[1:] if len(shape) and shape[0] == BATCH else shape)


class Misfit(Exception):
    """An operation that does not fit its inputs or its own arguments.

    The message goes on where the operation's name leaves off: "declares 256 inputs, its
    input has 400". In the hint, `{source}` stands for the step that gave the input.
    `field` names the argument to point at; without it the whole call is meant.
    """

    def __init__(self, message: str, hint: str = "", *, field: str | None = None, code: str = "shape-mismatch") -> None:
        super().__init__(message)
        self.message, self.hint, self.field, self.code = message, hint, field, code


X = TypeVar("X")


class Op(Entry):
    """One operation: what a row names."""

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

    @classmethod
    def takes_rank(cls, rank: int) -> bool:
        """Whether a general word means this class for an input of this rank."""
        return rank in cls.rank if isinstance(cls.rank, tuple) else rank == cls.rank

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

    def needs_module(self) -> bool:
        """Whether it is a module of its own, for no function computes the same."""
        return False


class Layer(Op):
    """A class of torch.nn, by torch's own name and with torch's own arguments."""

    origin: ClassVar[str] = ""
    """The module of a plugin that has the class; empty for torch.nn."""
    functional: ClassVar[bool] = False
    """Whether a function of the same arguments may stand for the module."""

    def needs_module(self) -> bool:
        return bool(self.origin) or not self.functional


def axis_size(x: Tensor, axis: int) -> Size:
    """The size of one axis. Raises Misfit where the input has too few axes."""
    if not -len(x.shape) <= axis < len(x.shape):
        raise Misfit(f"needs an axis {axis}, its input is {x}, batch first", code="rank")
    return x.shape[axis]


def need_rank(x: Tensor, *ranks: int, what: str) -> None:
    """Refuse an input of another rank, batch included; `what` says what is taken: `channels x length`."""
    if len(x.shape) not in ranks:
        raise Misfit(f"takes {what}, its input is {sample(x.shape)}", code="rank")


def need_float(x: Tensor) -> None:
    """Refuse an input of whole numbers or booleans."""
    if x.dtype != "float32":
        raise Misfit(
            f"takes floats, its input is {x.dtype}",
            "Write `to float32` before it, or look whole numbers up in an embedding.",
            code="dtype",
        )


SIZED: Final = "Give that axis a number in `input`."
TOKENS: Final = f"If it counts tokens, write transpose 1 2 before: axis 1 holds the channels. Else g{SIZED[1:]}"


def need_known(size: Size, axis: int, hint: str = SIZED) -> int:
    """Refuse a size that only the run decides."""
    if isinstance(size, Dim):
        raise Misfit(f"must know the size of axis {axis}, which is {size}", hint, code="unknown-size")
    return size
