"""Steps that are left to chance while training and do nothing otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netspec.fields import Choice, Float
from netspec.layers.base import Misfit, Op, Tensor, literal, need_float
from netspec.ops.writing import function, options

_DROP_PATH: Final = '''\
def drop_path(x, p, training, mode="row"):
    """Stochastic depth: in training, zero whole samples with probability `p` and scale up the others."""
    if p == 0 or not training:
        return x
    size = (x.shape[0] if mode == "row" else 1,) + (1,) * (x.ndim - 1)
    kept = x.new_empty(size).bernoulli_(1 - p)
    return x * (kept.div_(1 - p) if p < 1 else kept)
'''


class DropPath(Op):
    """Leaves out whole samples of a residual branch at random while training: stochastic depth."""

    words = ("drop_path", "stochastic_depth")
    helper = _DROP_PATH
    example, example_input = "drop_path 0.1", "16x8x8"

    p = Float("probability of leaving a sample out", ge=0, le=1)
    mode = Choice("row decides for each sample, batch for all together", ("row", "batch"), "row", keyword=True)

    def shape(self, *inputs: Tensor) -> Tensor:
        need_float(inputs[0])
        if not inputs[0].shape:
            raise Misfit("takes a batch, its input is a single number", code="rank")
        return inputs[0]

    def call(self, inputs: Sequence[str]) -> str:
        if self.p == 0:
            return inputs[0]
        return function("drop_path", inputs[0], literal(self.p), "self.training", *options(self, "mode"))
