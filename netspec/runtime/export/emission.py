"""What a file is written of where torch is not imported: the graph, its weights as arrays, what is put behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from netspec.runtime.export.tolerance import Difference, difference
from netspec.tensors import Tensor

if TYPE_CHECKING:
    from netspec.emit.onnx.cells import Cells
    from netspec.graph.model import Graph
    from netspec.losses.base import Activation
    from netspec.transforms.base import Transform

Array = np.ndarray[Any, Any]
Operator = tuple[str, Sequence[Array | None], Mapping[str, Any]]
"""An operator of ONNX that is put behind an output: its name, its operands, of which None is the output, attributes."""


INT64: Final = 7
"""ONNX's number of it."""
Run = Callable[[Sequence[Any]], Sequence[Array]]
"""What runs a file: from the inputs, arrays or tensors of the CPU, to arrays of the outputs, in order."""


@dataclass(frozen=True, slots=True)
class End:
    """What is done to an output of the network: it is put back into the units of its target, and activated."""

    mean: Array | None = None
    """In the target's own units, one number or one a column, float32; None for a target that was not scaled."""
    deviation: Array | None = None
    activation: Activation = "identity"
    axis: int = 1
    """The axis of a softmax, and the one along which a class is chosen."""
    chooses: Literal["", "one", "yes"] = ""
    """Whether a class is given in place of scores: that of the largest, or whether a single one is `over` a number."""
    over: float = 0.0
    names: tuple[str, ...] = ()
    """What the classes are called; without, their numbers are given."""

    @property
    def nothing(self) -> bool:
        """Whether an output is given as it is."""
        return self.mean is None and self.activation == "identity" and not self.chooses

    def gives(self, scores: Tensor) -> Tensor | None:
        """What a file gives in place of scores; None where it is of the same shape and dtype."""
        if not self.chooses:
            return None
        axis, shape = self.axis % len(scores.shape), scores.shape
        kept = shape if self.chooses == "yes" else (*shape[:axis], *shape[axis + 1 :])
        return Tensor(kept, "string" if self.names else "int64")  # type: ignore[arg-type]

    def operators(self) -> Iterator[Operator]:
        """The same as operators of ONNX."""
        if self.mean is not None and self.deviation is not None:
            yield "Mul", [None, self.deviation], {}
            yield "Add", [None, self.mean], {}
        if self.activation != "identity":
            yield self.activation.title(), [None], {"axis": self.axis} if self.activation == "softmax" else {}
        if self.chooses == "one":
            yield "ArgMax", [None], {"axis": self.axis, "keepdims": 0}
        elif self.chooses == "yes":
            yield "Greater", [None, np.array(self.over, np.float32)], {}
            yield "Cast", [None], {"to": INT64}
        if self.chooses and self.names:
            yield "Gather", [np.array(self.names), None], {"axis": 0}

    def apart(self, what: str, found: Array, scores: Array, atol: float, rtol: float) -> Difference:
        """How far what a file gives is from what becomes of these scores.

        A class that is another is as far from the right one as its score is from the largest.
        """
        if not self.chooses:
            return difference(what, found, self(scores), atol, rtol)
        known = {name: number for number, name in enumerate(self.names)}
        numbers = np.array([known[x] for x in found.flat], np.int64).reshape(found.shape) if self.names else found
        if self.chooses == "yes":
            wrong = (scores > self.over) != (numbers > 0)
            return difference(what, np.where(wrong, self.over, scores), scores, atol, rtol)
        chosen = np.take_along_axis(scores, np.expand_dims(numbers, self.axis), self.axis)
        return difference(what, chosen, scores.max(self.axis, keepdims=True), atol, rtol)

    def __call__(self, scores: Array) -> Array:
        """What becomes of an output, in the same shape; numbers are computed in float64 on the way."""
        if self.chooses:
            numbers = scores.argmax(self.axis) if self.chooses == "one" else (scores > self.over).astype(np.int64)
            return np.array(self.names, np.object_)[numbers] if self.names else numbers
        x = scores.astype(np.float64)
        if self.mean is not None and self.deviation is not None:
            x = x * self.deviation + self.mean
        with np.errstate(over="ignore"):
            if self.activation == "softmax":
                powers = np.exp(x - x.max(self.axis, keepdims=True))
                x = powers / powers.sum(self.axis, keepdims=True)
            elif self.activation == "sigmoid":
                x = 1 / (1 + np.exp(-x))
            elif self.activation == "exp":
                x = np.exp(x)
        found: Array = x.astype(scores.dtype)
        return found


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a file takes in place of an input of the network, and what is done to it."""

    tensor: Tensor
    """Its shape, batch first, and its dtype, which may be uint8 or string."""
    steps: tuple[Transform, ...] = ()
    peak: int = 255
    """The byte that is 1.0."""
    cells: Cells | None = None
    """What stands in place of whole numbers that a table gives."""
    fills: tuple[float | None, ...] = ()
    """What stands in for an empty cell of each column of numbers, nan; None leaves it as it is."""

    def given(self, x: Array) -> Array:
        """What the file takes for samples as the data's source gives them, the numbers of tables among them."""
        if self.cells is not None:
            return self.cells.of(x)
        floats = x.dtype == np.uint8 and self.tensor.dtype == "float32"
        return x.astype(np.float32) / np.float32(self.peak) if floats else x


@dataclass(frozen=True, slots=True)
class Emission:
    """A network to export, without torch."""

    graph: Graph
    weights: Mapping[str, Array]
    """All tensors that the network owns, by their names in the state_dict, as plain as ONNX has them."""
    outputs: Sequence[str]
    """The names of what the file gives."""
    ends: Mapping[int, End] = field(default_factory=dict)
    """What is done to outputs, by their places."""
    ahead: Mapping[str, Ahead] = field(default_factory=dict)
    """What is taken in place of inputs, by their names."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says about where it comes from."""
