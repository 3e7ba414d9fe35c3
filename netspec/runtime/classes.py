"""The classes of other data, numbered as a run numbered its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from netspec.datasets.base import Arrays, Part
from netspec.errors import DataError, printable


def as_numbered(arrays: Arrays, known: Sequence[str] | None) -> Arrays:
    """`arrays` with the number that each class has among those `known` by name. Raises DataError for one that is not.

    A folder without images of a class, or names in another order, would else shift all numbers without a word.
    """
    found, wanted = arrays.classes, tuple(known or ())
    if not found or not wanted or found == wanted:
        return arrays
    numbers = {name: i for i, name in enumerate(wanted)}
    for name in found:
        if name not in numbers:
            shown = ", ".join(map(printable, wanted[:8])) + ", ..." * (len(wanted) > 8)
            raise DataError(f"the data has the class {printable(name)!r}, the run was trained on {shown}")
    places = np.array([numbers[name] for name in found])

    def numbered(part: Part | None) -> Part | None:
        return replace(part, target=places[part.target[:]]) if part else None

    train = numbered(arrays.train)
    assert train is not None
    return replace(arrays, train=train, val=numbered(arrays.val), test=numbered(arrays.test), classes=wanted)
