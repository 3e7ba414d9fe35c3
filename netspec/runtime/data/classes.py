"""Class labels: numbered as a run numbered its own, or taken as the numbers that they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from netspec.datasets.base import Arrays, Part, numbered
from netspec.datasets.rows import FileRows, Picked
from netspec.dims import BATCH
from netspec.errors import DataError, Problem
from netspec.tensors import Tensor
from netspec.words import did_you_mean, few, printable


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


def as_amounts(problem: Problem, classes: Sequence[str]) -> Problem:
    """What a loss says of class numbers, with the way out for classes whose names are numbers themselves."""
    if problem.code != "loss-target" or len(classes) <= 2 or not all(map(str.isdecimal, classes)):
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


def as_floats(arrays: Arrays, takes: Callable[[Tensor], bool]) -> Arrays:
    """`arrays` with a target of whole numbers or booleans as floats, where a loss `takes` those and not the others.

    One number a sample becomes `B x 1` where only that is taken. Numbers of classes that have names stay: they say
    nothing but which name is meant.
    """
    target = arrays.train.target
    if target.dtype.kind not in "ib" or not isinstance(target, np.ndarray | FileRows | Picked):
        return arrays
    named = arrays.classes is not None and arrays.classes != numbered(len(arrays.classes))
    shape = (BATCH, *target.shape[1:])
    if named or takes(Tensor(shape, "bool" if target.dtype.kind == "b" else "int64")):
        return arrays
    column = target.ndim == 1 and not takes(Tensor(shape))
    if not takes(Tensor((*shape, 1) if column else shape)):
        return arrays

    def floats(part: Part | None) -> Part | None:
        if part is None:
            return None
        held = part.target
        assert isinstance(held, np.ndarray | FileRows | Picked)  # what other rows hold are images
        found = held.astype(np.float32)
        return replace(part, target=found[:][:, None] if column else found)

    train = floats(arrays.train)
    assert train is not None
    return replace(arrays, train=train, val=floats(arrays.val), test=floats(arrays.test), classes=None)
