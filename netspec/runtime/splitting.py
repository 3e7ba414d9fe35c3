"""Which samples are held out for validation and test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.datasets.base import Arrays, Part
from netspec.datasets.rows import Picked, Rows
from netspec.errors import DataError
from netspec.language.data_section import Split, held

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]


def split(arrays: Arrays, wanted: Split, default_val: float) -> Arrays:
    """`arrays` with validation and test parts held out of the training part. Raises DataError.

    Parts that the source keeps apart itself stay as they are; it is an error to ask for them again.
    """
    for name, asked, own in (("val", wanted.val, arrays.val), ("test", wanted.test, arrays.test)):
        if asked and own is not None:
            raise DataError(f"the source keeps its {name} part apart already. Drop split.{name}.")
    val = wanted.val if wanted.val is not None or arrays.val is not None else default_val
    total = len(arrays.train)
    counts = {name: held(share, total) for name, share in (("val", val), ("test", wanted.test)) if share}
    if sum(counts.values()) >= total:
        text = " and ".join(f"{count:,} for {name}" for name, count in counts.items())
        raise DataError(f"split asks for {text}, the source has {total:,} samples: nothing is left to train on")
    # A target that stays in its file holds no classes: it is not one number a sample.
    target, stratify = arrays.train.target, wanted.stratify and isinstance(arrays.train.target, np.ndarray)
    left = np.arange(total)
    parts = {"val": arrays.val, "test": arrays.test}
    if arrays.ordered:
        return _cut(arrays, counts)
    for name, count in counts.items():
        chosen = held_out(target[left] if stratify else left, count, wanted.seed, stratify)
        parts[name] = _rows(arrays.train, left[chosen])
        left = np.delete(left, chosen)
    train = _rows(arrays.train, left) if counts else arrays.train
    return replace(arrays, train=train, val=parts["val"], test=parts["test"])


def _cut(arrays: Arrays, counts: dict[str, int]) -> Arrays:
    """`arrays` with parts of these sizes cut off at the end of the training part, the test part last."""
    parts = {"val": arrays.val, "test": arrays.test}
    end = len(arrays.train)
    for name, count in reversed(counts.items()):
        parts[name] = _rows(arrays.train, slice(end - count, end))
        end -= count
    return replace(arrays, train=_rows(arrays.train, slice(end)), val=parts["val"], test=parts["test"])


def held_out(target: Array, count: int, seed: int, stratify: bool) -> Array:
    """Indices of `count` samples, ascending: drawn at random, and evenly from every class if `stratify`.

    The draw is numpy's RandomState, whose stream is promised never to change: another draw under a newer
    numpy would put samples that a network was trained on into its validation part.
    """
    order = np.random.RandomState(seed).permutation(len(target))
    if stratify and target.ndim == 1 and target.dtype.kind == "i":
        order = order[np.argsort(target[order], kind="stable")]
    evenly = ((np.arange(count) + 0.5) * len(target) / count).astype(np.int64)
    return np.sort(order[evenly])


def _rows(part: Part, rows: Array | slice) -> Part:
    """Some samples of a part; a slice of an array shares its memory."""
    chosen = np.arange(len(part))[rows]

    def picked(column: Column) -> Column:
        return Picked(column, chosen) if isinstance(column, Rows) else column[rows]

    return Part(tuple(map(picked, part.inputs)), picked(part.target), part.origin.only(chosen))
