"""What passes a value on and its gradient not, or another one's in its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netspec.layers.base import Op
from netspec.ops.broadcasting import broadcast
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor


class Detach(Op):
    """Passes its input on, and no gradient back."""

    rule = "The shape of the input stays."
    example, example_input = "detach", "16x8x8"

    def shape(self, *inputs: Tensor) -> Tensor:
        return inputs[0]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing, and no gradient goes through it."""
        return replace(inputs[0], grad=False)


class StraightThrough(Op):
    """Gives the first input, and its gradient to the second: the straight-through estimator (Bengio et al., 2013)."""

    rule = "The shape of both inputs, which may broadcast."
    inputs = (2, 2)
    takes = ("hard", "soft")
    words = ("straight_through",)
    example, example_input = "straight_through(hard soft)", "{hard: 16x8, soft: 16x8}"

    def shape(self, *inputs: Tensor) -> Tensor:
        hard, soft = inputs
        for x in inputs:
            if x.dtype != "float32":
                hint = "Turn it into floats by `to float32`."
                raise Misfit(f"takes floats, it is given {x.dtype}", hint, code="dtype")
        return Tensor(broadcast("straight_through is given", hard, soft), "float32")

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """Nothing; a gradient goes to the second input alone."""
        return replace(tape.plain(self, inputs), grad=inputs[1].grad)
