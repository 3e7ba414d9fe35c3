"""Made-up inputs: random numbers that are the same on every machine and with every version, from a seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from netspec.dims import Size, substitute
from netspec.tensors import Tensor

Array = np.ndarray[Any, Any]
BATCH: Final = "B"
POOLED: Final[Mapping[str, Any]] = {"int64": np.int64, "uint8": np.uint8, "string": np.object_}
"""What may be drawn from a pool."""
Bound = float | tuple[float, ...]
"""A number for all of a sample, or one for each place of its last axis, as for the columns of a table."""
Between = tuple[Bound, Bound]
"""The least and the largest number of floats."""
Form = tuple[Sequence[int], str, Between | None]
"""A shape, a dtype by torch's name, and what floats lie between, evenly; None for a normal distribution."""


def made_up(
    inputs: Mapping[str, Tensor], pools: Sequence[Array | None], batch: int, sizes: Mapping[str, int], seed: int
) -> tuple[Array, ...]:
    """Inputs of this batch size and these sizes of the free dimensions, one array for each, batch first."""
    return drawn(forms(inputs, batch, sizes), pools, seed)


def forms(inputs: Mapping[str, Tensor], batch: int, sizes: Mapping[str, int]) -> list[Form]:
    """The shape and the dtype that each input then has."""
    values: dict[str, Size] = {BATCH: batch, **sizes}
    return [([int(str(substitute(s, values))) for s in x.shape], x.dtype, None) for x in inputs.values()]


def read_between(kept: Any) -> Between | None:
    """What floats lie between, as plain data keeps it. Raises TypeError or ValueError for what is none."""
    if kept is None:
        return None
    low, high = (tuple(map(float, x)) if isinstance(x, list) else float(x) for x in kept)
    return low, high


def drawn(described: Sequence[Form], pools: Sequence[Array | None], seed: int) -> tuple[Array, ...]:
    """An array for each form: bytes may be any.

    Whole numbers and texts are from the pool of their input, or of their column, the axis behind the batch, where that
    has one for each; without any, whole numbers are 0 or 1, which any vocabulary has.
    """
    chance = np.random.RandomState(seed)  # of all of numpy's, it alone promises the same numbers for ever
    return tuple(_array(*form, pool, chance) for form, pool in zip(described, pools, strict=True))


def _array(
    shape: Sequence[int], dtype: str, between: Between | None, pool: Array | None, chance: np.random.RandomState
) -> Array:
    """One input."""
    if dtype == "float32" and between is not None:
        return np.asarray(chance.uniform(*between, shape), np.float32)
    if dtype == "float32":
        return np.asarray(chance.standard_normal(shape), np.float32)
    if dtype in POOLED and pool is not None:
        places = chance.randint(pool.shape[-1], size=shape)
        columns = pool.ndim == 2
        found = np.stack([pool[i][places[:, i]] for i in range(len(pool))], 1) if columns else pool[places]
        return np.asarray(found, POOLED[dtype])
    if dtype == "uint8":
        return np.asarray(chance.randint(256, size=shape), np.uint8)
    return np.asarray(chance.randint(2, size=shape), np.int64 if dtype == "int64" else np.bool_)
