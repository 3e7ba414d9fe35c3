"""Checks on arrays before training: counts, labels, numbers that are no numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.base import Origin, Part
from netspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_CLASSES: Final = 100_000


def same_count(inputs: Array, target: Array, name: str, target_name: str) -> None:
    """Refuse inputs and targets of different number, and none at all."""
    if len(inputs) != len(target):
        text = f"{name} holds {len(inputs):,} samples, {target_name} holds {len(target):,} targets"
        raise DataError(f"{text}. They must be of the same number.")
    if not len(inputs):
        raise DataError(f"{name} holds no samples")


def is_classes(target: Array) -> bool:
    """Whether a target holds one class number a sample."""
    return target.ndim == 1 and target.dtype.kind == "i"


def part(inputs: Sequence[Array], target: Array, names: Sequence[str]) -> Part:
    """Inputs and target as a part, where they go together; `names` are theirs, in messages. Raises DataError."""
    target = target.astype("int64") if target.dtype.kind == "u" else target
    for array, name in zip(inputs, names, strict=False):
        same_count(array, target, name, names[-1])
    if is_classes(target):
        labels_below(target, MAX_CLASSES, names[-1])
    return Part(tuple(inputs), target, Origin(tuple(names)))


def same_form(train: Part, other: Part) -> None:
    """Refuse a part whose samples have another shape or type than those of the training part."""
    places = [*range(len(train.inputs)), -1]
    for place, a, b in zip(places, (*train.inputs, train.target), (*other.inputs, other.target), strict=True):
        if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype:
            text = f"{other.origin.holder(place)} holds {_form(b)}, {train.origin.holder(place)} holds {_form(a)}"
            raise DataError(f"{text}. The parts must be of the same form.")


def _form(array: Array) -> str:
    sizes = " x ".join(map(str, array.shape[1:])) or "one number"
    return f"{sizes} of {array.dtype} a sample"


def labels_below(labels: Array, classes: int, name: str) -> None:
    """Refuse a class number outside 0 .. classes - 1, naming the first row that has one."""
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(wrong.reshape(len(labels), -1).any(1).argmax())
        found = labels[row] if labels.ndim == 1 else labels[row][wrong[row]][0]
        raise DataError(f"{name}, row {row}: the label is {found}, expected a class from 0 to {classes - 1}")


def finite(values: Array, name: str) -> None:
    """Refuse NaN and infinities, naming the first row that has one."""
    import numpy as np

    if values.dtype.kind != "f":
        return
    for start in range(0, len(values), 4096):  # in pieces, so that no mask of the whole is made
        piece = values[start : start + 4096]
        wrong = ~np.isfinite(piece)
        if wrong.any():
            row = int(wrong.reshape(len(piece), -1).any(1).argmax())
            found = piece[row][wrong[row]].flat[0] if piece.ndim > 1 else piece[row]
            raise DataError(f"{name}, row {start + row}: found {found}, expected finite numbers")


def settled(values: Array, name: str) -> Array:
    """`values` in one of the dtypes that training knows: bytes, float32, int64 or bool. Raises DataError."""
    import numpy as np

    kind = values.dtype.kind
    if values.ndim == 0:
        raise DataError(f"{name} is a single value, expected a row for each sample")
    if values.dtype == np.uint8 or kind == "b":
        return np.ascontiguousarray(values)
    if kind not in "fiu":
        raise DataError(f"{name} holds {values.dtype}, expected numbers")
    finite(values, name)
    if kind == "u" and values.dtype.itemsize == 8 and len(values) and values.max() > np.iinfo(np.int64).max:
        raise DataError(f"{name} holds {values.max()}, too large for a whole number of 64 bits")
    with np.errstate(over="ignore"):
        result = np.ascontiguousarray(values, dtype=np.float32 if kind == "f" else np.int64)
    if kind == "f":
        finite(result, f"{name} as float32")
    return result
