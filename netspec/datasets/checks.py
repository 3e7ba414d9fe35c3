"""Checks on data before training: counts, labels, numbers that are no numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.base import Origin, Part
from netspec.datasets.rows import FileRows, pieces
from netspec.errors import DataError
from netspec.records import Field, Int
from netspec.tensors import Dtype

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.base import Column

    Array = np.ndarray[Any, Any]

MAX_CLASSES: Final = 100_000
KINDS: Final[Mapping[str, Dtype]] = {"b": "bool", "f": "float32", "i": "int64", "u": "int64"}
"""The kinds of numbers that numpy has, and what they are to a network."""


def same_count(inputs: Column, target: Column, name: str, target_name: str) -> None:
    """Refuse inputs and targets of different number, and none at all."""
    if len(inputs) != len(target):
        text = f"{name} holds {len(inputs):,} samples, {target_name} holds {len(target):,} targets"
        raise DataError(f"{text}. They must be of the same number.")
    if not len(inputs):
        raise DataError(f"{name} holds no samples")


def are_classes(target: Column) -> bool:
    """Whether a target holds one whole number a sample that can be the number of a class."""
    if target.ndim != 1 or target.dtype.kind != "i":
        return False
    whole: Array = target[:]
    return int(whole.min()) >= 0 and int(whole.max()) < MAX_CLASSES


def are_labels(shape: tuple[int, ...], kind: str) -> bool:
    """Whether a target of this shape and kind of dtype is one whole number a sample, an axis of size 1 aside."""
    return shape[1:] in ((), (1,)) and kind in "iu"


def FirstClass() -> Field[int]:
    """A field for the number of the first class."""
    sentence = "the number of the first class, where it is not 0: it is taken off each target, and the names keep it"
    return Int(sentence, 0, keyword=True)


def counted_from(found: Part, first: int) -> Part:
    """A part whose classes, which count from `first` on, count from 0 on. Raises DataError."""
    import numpy as np

    if not first:
        return found
    if found.target.ndim != 1 or found.target.dtype.kind != "i":
        raise DataError(f"{found.origin.name}: first= goes with targets of one class number a sample")
    labels = np.asarray(found.target)
    for row in np.flatnonzero(labels < first)[:1].tolist():
        raise DataError(f"{found.origin.at(row)}: the label is {labels[row]}, and first={first} says that none is less")
    return replace(found, target=labels - first)


def part(inputs: Sequence[Column], target: Array | FileRows, names: Sequence[str]) -> Part:
    """Inputs and target as a part, where they go together; `names` are theirs, in messages. Raises DataError.

    A target with one number a sample is read whole: what is held out is chosen by it.
    """
    for column, name in zip(inputs, names, strict=False):
        same_count(column, target, name, names[-1])
    target = target.astype("int64") if target.dtype.kind == "u" else target
    target = target.reshape(len(target)) if are_labels(target.shape, target.dtype.kind) else target
    origin = Origin(tuple(names))
    if target.ndim > 1:
        return Part(tuple(inputs), target, origin)
    return Part(tuple(inputs), target[:], origin)


def same_form(train: Part, other: Part) -> None:
    """Refuse a part whose samples have another shape or type than those of the training part."""
    places = [*range(len(train.inputs)), -1]
    for place, a, b in zip(places, (*train.inputs, train.target), (*other.inputs, other.target), strict=True):
        if a.shape[1:] != b.shape[1:] or a.dtype != b.dtype:
            text = f"{other.origin.holder(place)} holds {_form(b)}, {train.origin.holder(place)} holds {_form(a)}"
            raise DataError(f"{text}. The parts must be of the same form.")


def _form(array: Column) -> str:
    """The shape and the dtype of a sample, as a message tells them."""
    sizes = " x ".join(map(str, array.shape[1:])) or "one number"
    return f"{sizes} of {array.dtype} a sample"


def labels_below(labels: Array, classes: int, name: str) -> None:
    """Refuse a class number outside 0 .. classes - 1, naming the first row that has one."""
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(wrong.reshape(len(labels), -1).any(1).argmax())
        found = labels[row] if labels.ndim == 1 else labels[row][wrong[row]][0]
        raise DataError(f"{name}, row {row}: the label is {found}, expected a class from 0 to {classes - 1}")


def finite(values: Array | FileRows, name: str) -> None:
    """Refuse NaN and infinities, naming the first row that has one."""
    import numpy as np

    if values.dtype.kind != "f":
        return
    for start, piece in pieces(values):
        wrong = ~np.isfinite(piece)
        if wrong.any():
            row = int(wrong.reshape(len(piece), -1).any(1).argmax())
            found = piece[row][wrong[row]].flat[0] if piece.ndim > 1 else piece[row]
            raise DataError(f"{name}, row {start + row}: found {found}, expected finite numbers")


def settling(dtype: np.dtype[Any], count: int) -> int:
    """Bytes that `settled` takes for so many values besides those that are there."""
    if dtype.kind == "f":
        return 0 if dtype.itemsize == 4 else 4 * count
    return 8 * count if dtype.kind in "iu" and dtype.itemsize not in (1, 8) else 0


def need_rows(shape: tuple[int, ...], dtype: np.dtype[Any], name: str) -> None:
    """Refuse an array that is no row of numbers for each sample. Raises DataError."""
    if not shape:
        raise DataError(f"{name} is a single value, expected a row for each sample")
    if dtype.kind not in KINDS:
        names = "Names of classes become numbers by numpy.unique(y, return_inverse=True)[1]." * (dtype.kind in "US")
        raise DataError(f"{name} holds {dtype}, expected numbers. {names}".rstrip())


def settled(values: Array | FileRows, name: str) -> Array | FileRows:
    """`values` in one of the dtypes that training knows: bytes, float32, int64 or bool. Raises DataError."""
    import numpy as np

    kind = values.dtype.kind
    need_rows(values.shape, values.dtype, name)
    if values.dtype == np.uint8 or kind == "b":
        return values
    finite(values, name)
    if kind == "u" and values.dtype.itemsize == 8:
        highest = max((int(piece.max()) for _, piece in pieces(values)), default=0)
        if highest > np.iinfo(np.int64).max:
            raise DataError(f"{name} holds {highest}, too large for a whole number of 64 bits")
    wanted = np.dtype(np.float32 if kind == "f" else np.int64)
    if values.dtype == wanted:
        return values
    with np.errstate(over="ignore"):
        result = values.astype(wanted)
        finite(result, f"{name} as float32")
    return result
