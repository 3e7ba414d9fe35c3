"""A preview of data that is quickly read, to tell before training what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.datasets.files import Files
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.runtime.data.holdout import split
from netspec.tensors import Dtype, Misfit, Tensor
from netspec.words import one_line

if TYPE_CHECKING:
    import numpy as np

    from netspec.sections.data import DataSection


def look(section: DataSection, wanted: Mapping[str, Tensor], root: Path, allow_outside: bool) -> tuple[str, ...]:
    """What was made of a source, line by line; nothing where it is not quickly read. Imports no torch.

    Raises DataError where the source cannot be read, or is not what the network takes.
    """
    source = section.source.beside(section.split.columns)
    arrays = source.glance(Files(root, allow_outside))
    if arrays is None:
        return ()
    arrays = source.fitted(split(arrays, section.split, source.default_val), {})
    told = tuple(map(one_line, arrays.told))
    given = [described(x) for x in arrays.train.inputs]
    try:
        use = section.ways(given, None, arrays.names).use
    except Misfit:  # training tells it at its step
        return told
    faults = unfit(use.inputs, wanted) if not use.faults else []
    if faults:
        raise DataError("\n".join([*(f"{message}. {hint}".rstrip() for message, hint in faults), *told]))
    return told


def described(x: np.ndarray[Any, Any] | Any) -> Tensor:
    """An array as the graph describes tensors, its batch left open."""
    kinds: dict[str, Dtype] = {"b": "bool", "i": "int64"}
    return Tensor((BATCH, *x.shape[1:]), kinds.get(x.dtype.kind, "float32"))
