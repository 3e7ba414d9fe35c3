"""Yes and no: the numbers of two classes as what a network with one output says. Needs no torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netspec.datasets.base import Arrays, Part
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.runtime.data.weighing import Compared, listed
from netspec.tensors import Tensor


def as_answers(arrays: Arrays, compared: Compared) -> Arrays:
    """`arrays` with numbers of two classes as floats, where the network answers yes or no; the second one is yes.

    Raises DataError for other than two classes.
    """
    target, classes = arrays.train.target, arrays.classes
    if not compared.one_answer or classes is None or target.ndim != 1 or target.dtype.kind != "i":
        return arrays
    if len(classes) != 2:
        text = f"{compared.loss.said} with one output says yes or no, the data has {_count(len(classes))}"
        way_out = f"End the network with {len(classes)} outputs and take cross_entropy."
        if len(classes) == 1:
            way_out = "There is nothing to tell it from: take data that has both."
        raise DataError(f"{text}: {listed(classes)}. {way_out}")
    single = compared.predictions[0].shape[1:] == (1,)
    low, high = compared.loss.target_range(compared.predictions, Tensor((BATCH,)))
    values = np.array([low or 0, 1 if high is None else high], np.float32)

    def answers(part: Part | None) -> Part | None:
        if part is None:
            return None
        found = values[part.target[:]]
        return replace(part, target=found[:, None] if single else found)

    train = answers(arrays.train)
    assert train is not None
    return replace(arrays, train=train, val=answers(arrays.val), test=answers(arrays.test))


def _count(classes: int) -> str:
    """`1 class`, `2 classes`."""
    return f"{classes:,} class{'es' * (classes != 1)}"
