"""Class labels: numbered as a run numbered its own, or taken as the numbers that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from netspec.datasets.base import Arrays, Part, numbered
from netspec.datasets.fit import described
from netspec.errors import DataError, Problem
from netspec.losses.forms import as_taken
from netspec.runtime.data.ranges import converted
from netspec.tensors import Tensor
from netspec.words import did_you_mean, few, printable

Array = np.ndarray[Any, Any]

LISTS: Final = {"pipe": "|", "semicolon": ";", "comma": ","}
"""What may stand between the labels that a cell lists, by the word for it."""


def ordered(arrays: Arrays, positive: str | None, known: Sequence[str] | None) -> Sequence[str] | None:
    """The classes in the order of their numbers: as they are `known`, else the `positive` one of two last.

    Raises DataError where there are no two classes to choose one of.
    """
    if positive is None:
        return known
    classes = known or arrays.classes or ()
    shown = few(map(printable, classes))
    if len(classes) != 2:
        count = f"{len(classes)} class{'es' * (len(classes) != 1)}"
        found = f"the data has {count}: {shown}" if classes else "the target holds none"
        raise DataError(f"positive says which of two classes is meant by yes, {found}. Drop data.positive.")
    alike = [name for name in classes if name == positive] or [
        name for name in classes if name.lower() == positive.lower()
    ]
    if len(alike) != 1:
        hint = did_you_mean(positive, classes)
        raise DataError(f"positive is {printable(positive)}, the classes are {shown}. {hint}".rstrip())
    if known and known[1] != alike[0]:
        text = f"positive is {printable(positive)}, the run was trained with {printable(known[1])} as the positive one"
        raise DataError(f"{text}. Begin another run.")
    return [*(name for name in classes if name != alike[0]), alike[0]]


def as_meant(problem: Problem, classes: Sequence[str]) -> Problem:
    """What a loss says of class numbers, with the way out where their names are no classes: numbers, or lists."""
    if problem.code != "loss-target" or len(classes) <= 2:
        return problem
    for word, sign in LISTS.items():
        parts = {part.strip() for name in classes for part in name.split(sign)}
        if any(sign in name for name in classes) and len(parts) <= len(classes):
            listed = f"Where a cell such as {printable(next(n for n in classes if sign in n))!r} lists several labels"
            return replace(problem, hint=f"{listed}, write several={word}. {problem.hint}".rstrip())
    if not all(map(str.isdecimal, classes)):
        return problem
    amounts = f"Where {classes[0]} to {classes[-1]} are amounts, give the source regression."
    return replace(problem, hint=f"{problem.hint} {amounts}".lstrip())


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

    def renumbered(part: Part | None) -> Part | None:
        return replace(part, target=places[part.target[:]]) if part else None

    train = renumbered(arrays.train)
    assert train is not None
    return replace(arrays, train=train, val=renumbered(arrays.val), test=renumbered(arrays.test), classes=wanted)


def as_compared(arrays: Arrays, takes: Callable[[Tensor], bool]) -> Arrays:
    """`arrays` with the target in the form, samples first, that a loss `takes`, where it takes one.

    Numbers of classes that have names stay: they say nothing but which name is meant.
    """
    target = arrays.train.target
    if arrays.classes is not None and arrays.classes != numbered(len(arrays.classes)):
        return arrays
    held = described(target)
    taken = as_taken(held, takes)
    if taken == held:
        return arrays
    convert = partial(_formed, sizes=taken.shape[1:], dtype=taken.dtype)

    def formed(part: Part | None) -> Part | None:
        return replace(part, target=converted(part.target, convert)) if part is not None else None

    train = formed(arrays.train)
    assert train is not None
    return replace(arrays, train=train, val=formed(arrays.val), test=formed(arrays.test), classes=None)


def _formed(rows: Array, sizes: Sequence[Any], dtype: str) -> Array:
    """Rows of a target as another dtype, with an axis of size 1 more or less."""
    return rows.astype(dtype).reshape(len(rows), *sizes)
