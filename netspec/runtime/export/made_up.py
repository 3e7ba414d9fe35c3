"""Made-up inputs: random numbers that are the same on every machine and with every version, from a seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from netspec.dims import Size, substitute
from netspec.tensors import Tensor

Array = np.ndarray[Any, Any]
BATCH: Final = "B"


def made_up(
    inputs: Mapping[str, Tensor], pools: Sequence[Array | None], batch: int, sizes: Mapping[str, int], seed: int
) -> tuple[Array, ...]:
    """Inputs of this batch size and these sizes of the free dimensions, one array for each, batch first.

    Floats are from a normal distribution. Whole numbers are from the pool of their input; without one they are 0 or 1,
    which any vocabulary has.
    """
    chance = np.random.RandomState(seed)  # of all of numpy's, it alone promises the same numbers for ever
    values: dict[str, Size] = {BATCH: batch, **sizes}
    drawn = []
    for x, pool in zip(inputs.values(), pools, strict=True):
        shape = [int(str(substitute(s, values))) for s in x.shape]
        drawn.append(_array(x, shape, pool, chance))
    return tuple(drawn)


def _array(x: Tensor, shape: Sequence[int], pool: Array | None, chance: np.random.RandomState) -> Array:
    """One input."""
    if x.dtype == "float32":
        return np.asarray(chance.standard_normal(shape), np.float32)
    if x.dtype == "int64" and pool is not None:
        return np.asarray(pool[chance.randint(len(pool), size=shape)], np.int64)
    drawn = chance.randint(2, size=shape)
    return np.asarray(drawn, np.int64 if x.dtype == "int64" else np.bool_)
