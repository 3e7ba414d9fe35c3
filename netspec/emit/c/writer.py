"""What collects the functions of a C file: each computes one step, or a part of one, from arrays into arrays.

Rules get a `Writer`, wires that are arrays, and give wires back. What C has no form for here is `Unwritable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from netspec.tensors import Dtype

if TYPE_CHECKING:
    from netspec.emit.c.code import Code

Array = np.ndarray[Any, Any]
NUMPY: Final[dict[str, Any]] = {"float32": np.float32, "int64": np.int32, "bool": np.uint8, "int8": np.int8}
"""How constants of each dtype are kept."""


class Unwritable(Exception):
    """What has no form in C, or none yet: the message goes on behind the name of the step."""


@dataclass(eq=False, slots=True)
class Storage:
    """An array of the C program: given by who calls it, a constant, or memory that it has for a while."""

    size: int
    dtype: Dtype | Literal["int8"]
    kind: Literal["memory", "input", "output", "constant"] = "memory"
    name: str = ""
    """Where it is in C."""
    values: Array | None = None
    """The numbers of a constant."""
    within: Storage | None = None
    """The array that it overwrites, place by place."""

    @property
    def actual(self) -> Storage:
        """Where its numbers really are."""
        return self.within.actual if self.within is not None else self


@dataclass(frozen=True, eq=False, slots=True)
class Wire:
    """A tensor: where it is, and its shape."""

    storage: Storage
    shape: tuple[int, ...]

    @property
    def dtype(self) -> Dtype:
        """By torch's name."""
        assert self.storage.dtype != "int8"
        return self.storage.dtype

    @property
    def rank(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    def axis(self, dim: int) -> int:
        """An axis counted from the front."""
        return dim % self.rank if self.rank else 0

    def viewed(self, *shape: int) -> Wire:
        """The same numbers in another shape."""
        return Wire(self.storage, shape)


@dataclass(frozen=True, slots=True)
class Names:
    """What the arrays of a function are called in it."""

    x: Sequence[str]
    y: Sequence[str]
    constants: Mapping[str, str]

    def __getitem__(self, constant: str) -> str:
        return self.constants[constant]


Body = Callable[["Code", Names], None]
"""Writes what a function does."""


@dataclass(eq=False, slots=True)
class Product:
    """What is known of a function that multiplies by weights: outputs x inputs of each, and places of a kernel."""

    weight: Array
    bias: Array
    packed: Callable[[Array], Array]
    """Lays the weights as the function reads them."""
    body: Callable[[str], Body]
    """What it does, for the dtype of its weights."""
    path: str
    """Of the module whose weights these are."""


@dataclass(eq=False, slots=True)
class Call:
    """A function, and the arrays that it is called with."""

    step: str
    """The path of the step in the network."""
    kind: str
    """What it does, in a word."""
    inputs: Sequence[Wire]
    outputs: Sequence[Wire]
    body: Body
    constants: dict[str, tuple[Array, str]] = field(default_factory=dict)
    """Arrays that only it reads, by their parts of its name, each with its dtype."""
    overwrites: Sequence[int] = ()
    """Those of its inputs in whose memory it may write each number where it has read it."""
    fails: bool = False
    """Whether it can refuse what it is given."""
    product: Product | None = None
    scales: tuple[Array, Array] | None = None
    """What each channel is multiplied by, and what is added then, where that is all that it does."""


class Writer:
    """Collects calls, in order.

    A rule writes for the step that `at` names, and `own` finds that step's weights by the names that they have in the
    state_dict.
    """

    def __init__(self, weights: Mapping[str, Array], ties: Mapping[str, str]) -> None:
        """`weights` are all tensors that the network owns, by their names in the state_dict."""
        self.weights = weights
        self.ties = ties
        self.calls: list[Call] = []
        self.scope = ""
        """The path of the weights of the step that is being written."""
        self.step = ""
        """The path of that step itself."""

    @contextmanager
    def at(self, path: str, step: str) -> Iterator[None]:
        """Write for the step whose weights lie at this path."""
        around = self.scope, self.step
        self.scope, self.step = path, step
        yield
        self.scope, self.step = around

    def has(self, part: str) -> bool:
        """Whether the step that is being written owns this weight."""
        return f"{self.scope}.{part}" in self.weights

    def own(self, part: str) -> Array:
        """A weight of the step that is being written."""
        path = f"{self.scope}.{part}" if part else self.scope
        path = self.ties.get(path, path)
        if path not in self.weights:
            raise Unwritable(f"has no weight {path} that could be written")
        return self.weights[path]

    def given(self, part: str) -> Array | None:
        """A weight of the step that is being written, None where it has none."""
        return self.own(part) if self.has(part) else None

    def constant(self, values: Any, dtype: Dtype) -> Wire:
        """A tensor of numbers that are the same in every run."""
        kept = np.ascontiguousarray(np.asarray(values), NUMPY[dtype])
        return Wire(Storage(kept.size, dtype, "constant", values=kept), tuple(np.shape(values)))

    def made(self, shape: Sequence[int], dtype: Dtype = "float32") -> Wire:
        """A tensor that a function is to write."""
        return Wire(Storage(prod(shape), dtype), tuple(shape))

    def call(self, kind: str, inputs: Sequence[Wire], shape: Sequence[int], body: Body, **more: Any) -> Wire:
        """Write a function with one result, of a shape; `more` is what a `Call` has besides."""
        result = self.made(shape, more.pop("dtype", "float32"))
        self.calls.append(Call(self.step, kind, inputs, [result], body, **more))
        return result
