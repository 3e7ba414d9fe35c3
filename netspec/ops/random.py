"""Steps that are left to chance while training and do nothing otherwise."""

from __future__ import annotations

from typing import Any

from netspec.layers.base import Op
from netspec.records import Float
from netspec.saved import Held, Tape
from netspec.tensors import Misfit, Tensor, need_float


class DropPath(Op):
    """Leaves out whole samples of a residual branch at random while training: stochastic depth."""

    rule = "The shape of the input stays."
    words = ("drop_path", "stochastic_depth")
    only_in_training = True
    example, example_input = "drop_path 0.1", "16x8x8"

    p = Float("probability of leaving a sample out", ge=0, lt=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        need_float(inputs[0])
        if not inputs[0].shape:
            raise Misfit("takes a batch, its input is a single number", code="rank")
        return inputs[0]

    def kept(self, tape: Tape, *inputs: Held) -> Any:
        """The noise of each sample."""
        x = inputs[0]
        if self.p == 0:
            return x
        noise = tape.new((x.shape[0], *(1,) * (len(x.shape) - 1)), dtype=x.dtype)
        return tape.mul(x, noise)
