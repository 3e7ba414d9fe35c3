"""What is measured of a network in a file: its losses on arrays, and their weighted sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from netspec.losses.base import Loss
from netspec.runtime.arrays.losses import ArrayLoss
from netspec.runtime.arrays.tensor import ArrayTensor
from netspec.runtime.train.criterion import Comparison, Criterion
from netspec.sections.objective import Term, alone


class ArrayObjective(Comparison):
    """One loss on the outputs of a network, or several by name; none of them has weights of its own."""

    def __init__(self, loss: Loss | Sequence[Term], learnt: Mapping[str, Any], names: Sequence[str]) -> None:
        """The losses, with what a run has `learnt` for them; `names` are those of the network's outputs."""
        terms = alone(loss) if isinstance(loss, Loss) else tuple(loss)
        held = partial(ArrayTensor.of, dtype=np.float32)
        self.criteria = tuple(Criterion(term, learnt, names, held, ArrayLoss) for term in terms)

    def joined(self, values: Sequence[ArrayTensor]) -> ArrayTensor:
        return ArrayTensor.of(np.concatenate([each.plain for each in values]))

    def total_of(self, losses: Mapping[str, float]) -> float:
        return sum(each.term.weight * losses[each.term.name] for each in self.criteria if each.term.name in losses)
