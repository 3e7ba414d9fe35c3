"""What a file is written of where torch is not imported: the graph, its weights as arrays, what is put behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netspec.graph.model import Graph
from netspec.losses.base import Activation

Array = np.ndarray[Any, Any]
Operator = tuple[str, Sequence[Array], Mapping[str, Any]]
"""An operator of ONNX that is put behind an output: its name, its further operands, its attributes."""


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
    """The axis of a softmax."""

    def operators(self) -> Iterator[Operator]:
        """The same as operators of ONNX."""
        if self.mean is not None and self.deviation is not None:
            yield "Mul", [self.deviation], {}
            yield "Add", [self.mean], {}
        if self.activation != "identity":
            yield self.activation.title(), [], {"axis": self.axis} if self.activation == "softmax" else {}

    def __call__(self, scores: Array) -> Array:
        """What becomes of an output, in the same shape and dtype; computed in float64 on the way."""
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
class Emission:
    """A network to export, without torch."""

    graph: Graph
    weights: Mapping[str, Array]
    """All tensors that the network owns, by their names in the state_dict, as plain as ONNX has them."""
    outputs: Sequence[str]
    """The names of what the file gives."""
    ends: Mapping[int, End] = field(default_factory=dict)
    """What is done to outputs, by their places."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the file says about where it comes from."""
