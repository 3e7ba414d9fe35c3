"""What every operation is: fields, a shape rule, and the torch call it stands for.

`Op` is anything a row can name. `Layer` is an op that is a class of torch.nn; it may own
parameters and buffers. Shapes count the batch as axis 0, as torch does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar, Self, TypeVar

from netspec.catalogue import Entry
from netspec.dims import Size
from netspec.python.literals import Code as Code
from netspec.python.literals import literal as literal
from netspec.tensors import SIZED, TOKENS, Misfit, Tensor, axis_size, need_known, sample

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
    needs_device: ClassVar[bool] = False
    """Whether `call` wants the text of some tensor first, for the device of what it makes, then that of a dtype."""
    takes_dtype: ClassVar[bool] = False
    """Whether `call` wants the text of the network's dtype last, if there is one, for floats that it makes."""
    only_in_training: ClassVar[bool] = False
    """Whether it leaves its input as it is outside training."""
    helper: ClassVar[str] = ""
    """Source of a function that the printed module needs once, above its classes."""
    calls: ClassVar[tuple[str, ...]] = ()
    """What of torch its text may name: `torch.cat`, `.split` for a method; `{}` stands for the class's own name.

    Those of the classes above are added to them.
    """

    @classmethod
    def torch_names(cls) -> set[str]:
        """All of torch that its text may name, which is all that printed source may name of it."""
        written = (name for base in cls.__mro__ for name in vars(base).get("calls", ()))
        return {name.format(cls.__name__.lower()) for name in written}

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

    def spelled(self, inputs: Sequence[str]) -> list[str]:
        """The expressions of the inputs as a call has them: `name=` before those that were given by name."""
        count = len(inputs) - len(self.named)
        return [*inputs[:count], *(f"{name}={text}" for name, text in zip(self.named, inputs[count:], strict=True))]

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

    def call(self, inputs: Sequence[str]) -> str | None:
        """The stateless torch expression for this operation, or None where only a module will do."""
        return None

    def adapt(self, inputs: Sequence[str]) -> Sequence[str]:
        """The expressions that a module is called with, where they are not just its inputs."""
        return inputs


class Layer(Op):
    """A class of torch.nn, by torch's own name and with torch's own arguments."""

    torch_name: ClassVar[str] = ""
    """The class in torch.nn, where it is not this class's own name."""
    origin: ClassVar[str] = ""
    """The module of a plugin that has the class; empty for torch.nn."""
    function: ClassVar[str | None] = None
    """The function of the same arguments that may stand for the module: `F.max_pool2d`."""

    def construct(self) -> str:
        """The torch expression that makes the module: `nn.Conv2d(1, 6, 5)`."""
        return f"{self.torch_class()}({self.arguments()})"

    @classmethod
    def torch_class(cls) -> str:
        """The class as the printed source names it: `nn.Conv2d`."""
        return f"{cls.origin or 'nn'}.{cls.torch_name or cls.__name__}"

    @classmethod
    def torch_names(cls) -> set[str]:
        return super().torch_names() | {cls.torch_class()} | ({cls.function} if cls.function else set())

    def call(self, inputs: Sequence[str]) -> str | None:
        if self.function is None:
            return None
        arguments = self.arguments()
        return f"{self.function}({', '.join([*inputs, *([arguments] if arguments else [])])})"

    def arguments(self) -> str:
        """The arguments as a person would write them: required ones by position, others by name if not the default."""
        shown = []
        for name, field in self.fields.items():
            value = getattr(self, name)
            leading = field.required or field.axis is not None
            if not field.torch or (not leading and _is_default(value, field.torch_default)):
                continue
            shown.append(literal(value) if leading and not field.keyword else f"{name}={literal(value)}")
        return ", ".join(shown)


def _is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
