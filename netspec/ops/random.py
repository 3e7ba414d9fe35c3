"""Steps that are left to chance while training and do nothing otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netspec.layers.base import Op
from netspec.ops.writing import function
from netspec.python.literals import literal
from netspec.records import Float
from netspec.tensors import Misfit, Tensor, need_float

_DROP_PATH: Final = '''\
def drop_path(x, p, training):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(1 - p)
    return x * (kept / (1 - p))
'''


class DropPath(Op):
    """Leaves out whole samples of a residual branch at random while training: stochastic depth."""

    rule = "The shape of the input stays."
    words = ("drop_path", "stochastic_depth")
    only_in_training = True
    helper = _DROP_PATH
    example, example_input = "drop_path 0.1", "16x8x8"

    p = Float("probability of leaving a sample out", ge=0, lt=1)

    def shape(self, *inputs: Tensor) -> Tensor:
        need_float(inputs[0])
        if not inputs[0].shape:
            raise Misfit("takes a batch, its input is a single number", code="rank")
        return inputs[0]

    def call(self, inputs: Sequence[str]) -> str:
        if self.p == 0:
            return inputs[0]
        return function("drop_path", inputs[0], literal(self.p), "self.training")
