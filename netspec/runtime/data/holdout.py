"""Validation and test splits: which samples are held out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from netspec.datasets.base import Arrays, Part
from netspec.datasets.rows import Picked, Rows
from netspec.errors import DataError
from netspec.sections.data import Split, held
from netspec.words import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netspec.datasets.base import Column

Array = np.ndarray[Any, Any]


def split(arrays: Arrays, wanted: Split, default_val: float) -> Arrays:
    """`arrays` with validation and test parts held out of the training part. Raises DataError.

    Parts that the source keeps apart itself stay as they are; it is an error to ask for them again.
    """
    for name, asked, own in (("val", wanted.val, arrays.val), ("test", wanted.test, arrays.test)):
        if asked and own is not None:
            raise DataError(f"the source keeps its {name} part apart already. Drop split.{name}.")
    if wanted.fold and arrays.val is not None:
        raise DataError("the source keeps its val part apart already. Drop split.fold.")
    counts = _counts(arrays, wanted, default_val)
    total = len(arrays.train)
    if sum(counts.values()) >= total:
        text = " and ".join(f"{count:,} for {name}" for name, count in counts.items())
        raise DataError(f"split asks for {text}, the source has {total:,} samples: nothing is left to train on")
    if wanted.group is not None:
        chosen = _by_group(arrays, wanted, counts)
    elif arrays.ordered or wanted.time is not None:
        chosen = _by_time(*_moments(arrays, wanted), wanted, counts)
    else:
        chosen = _drawn(arrays.train, wanted, counts)
    if not chosen:
        return arrays
    if not len(chosen["train"]):
        raise DataError("nothing is left to train on: every sample is held out, or reaches into what is")
    parts = {name: _rows(arrays.train, rows) for name, rows in chosen.items()}
    told = arrays.told + ((_described(wanted, parts),) if wanted.group or wanted.time or wanted.fold else ())
    val, test = parts.get("val", arrays.val), parts.get("test", arrays.test)
    return replace(arrays, train=parts["train"], val=val, test=test, told=told)


def _counts(arrays: Arrays, wanted: Split, default_val: float) -> dict[str, int]:
    """How many samples each part holds that is to be held out; that of a fold is not counted here."""
    val = wanted.val if wanted.val is not None or arrays.val is not None else default_val
    shares = {"val": None if wanted.fold else val, "test": wanted.test}
    return {name: held(share, len(arrays.train)) for name, share in shares.items() if share}


def _described(wanted: Split, parts: Mapping[str, Part]) -> str:
    """What was held out, and by what, in a line for whoever trains."""
    by = f" by {printable(wanted.group or wanted.time or '')}" if wanted.group or wanted.time else ""
    fold = f", fold {wanted.fold[0]} of {wanted.fold[1]} for validation" if wanted.fold else ""
    return f"  split{by}{fold}: " + ", ".join(f"{name} {len(part):,}" for name, part in parts.items())


# --- at random ------------------------------------------------------------------------------------


def _drawn(part: Part, wanted: Split, counts: dict[str, int]) -> dict[str, Array]:
    """The samples of each part, drawn at random."""
    # A target that stays in its file holds no classes: it is not one number a sample.
    target, stratify = part.target, wanted.stratify and isinstance(part.target, np.ndarray)
    left, found = np.arange(len(part)), dict[str, Array]()
    for name, count in counts.items():
        chosen = held_out(target[left] if stratify else left, count, wanted.seed, stratify)
        found[name] = left[chosen]
        left = np.delete(left, chosen)
    if wanted.fold:
        place, folds = wanted.fold
        _need_folds(len(left), folds, "samples")
        order = _shuffled(target[left] if stratify else left, wanted.seed, stratify)
        found["val"] = left[np.sort(order[place - 1 :: folds])]
        left = np.setdiff1d(left, found["val"])
    return {"train": left, **found} if found else {}


def held_out(target: Array, count: int, seed: int, stratify: bool) -> Array:
    """Indices of `count` samples, ascending: drawn at random, and evenly from every class if `stratify`."""
    evenly = ((np.arange(count) + 0.5) * len(target) / count).astype(np.int64)
    return np.sort(_shuffled(target, seed, stratify)[evenly])


def _shuffled(target: Array, seed: int, stratify: bool) -> Array:
    """The indices of all samples at random, one class after the other if `stratify`.

    The draw is numpy's RandomState, whose stream is promised never to change: another draw under a newer
    numpy would put samples that a network was trained on into its validation part.
    """
    order = np.random.RandomState(seed).permutation(len(target))
    if stratify and target.ndim == 1 and target.dtype.kind == "i":
        order = order[np.argsort(target[order], kind="stable")]
    return order


# --- by group -------------------------------------------------------------------------------------


def _by_group(arrays: Arrays, wanted: Split, counts: dict[str, int]) -> dict[str, Array]:
    """The samples of each part, all those of a group in the same one. Raises DataError."""
    assert wanted.group is not None
    known, group = np.unique(_key(arrays.train, wanted.group, "group"), return_inverse=True)
    _need_strangers(arrays, wanted.group, known)
    # Where groups are as large as others, chance decides, and not the alphabet.
    order = np.random.RandomState(wanted.seed).permutation(len(known))
    group = np.argsort(order)[group]
    sizes = np.bincount(group, minlength=len(known))
    left, found = np.arange(len(known)), dict[str, Array]()
    others = len(counts) + bool(wanted.fold)
    if len(known) <= others:
        text = f"{printable(wanted.group)} has {len(known):,} group{'s' * (len(known) != 1)}, too few for train"
        raise DataError(f"{text} and {others} part{'s' * (others != 1)} beside it: a group is in one part alone")
    for name, count in counts.items():
        others -= 1
        found[name] = _filling(left, sizes, count)[: len(left) - 1 - others]
        left = np.setdiff1d(left, found[name])
    if wanted.fold:
        place, folds = wanted.fold
        _need_folds(len(left), folds, f"groups of {printable(wanted.group)}")
        found["val"] = _evenly(left, sizes, folds)[place - 1]
        left = np.setdiff1d(left, found["val"])
    picked = {name: np.flatnonzero(np.isin(group, groups)) for name, groups in {"train": left, **found}.items()}
    return picked if found else {}


def _filling(groups: Array, sizes: Array, count: int) -> Array:
    """Groups that hold about `count` samples together, at least one."""
    chosen, total = [], 0
    for group in groups:
        if abs(total + sizes[group] - count) < abs(total - count):
            chosen.append(group)
            total += sizes[group]
    return np.array(chosen or [min(groups, key=lambda g: sizes[g])], np.int64)


def _evenly(groups: Array, sizes: Array, folds: int) -> list[Array]:
    """The groups in so many folds of about the same size: each, from the largest on, into the smallest fold."""
    found: list[list[int]] = [[] for _ in range(folds)]
    totals = np.zeros(folds, np.int64)
    for group in sorted(groups, key=lambda g: -sizes[g]):
        smallest = int(totals.argmin())
        found[smallest].append(group)
        totals[smallest] += sizes[group]
    return [np.array(fold, np.int64) for fold in found]


def _need_strangers(arrays: Arrays, name: str, known: Array) -> None:
    """Refuse a part in a file of its own that has a group of the training part. Raises DataError."""
    for word, part in (("val", arrays.val), ("test", arrays.test)):
        both = np.intersect1d(known, _key(part, name, "group")) if part is not None else known[:0]
        if len(both):
            assert part is not None
            text = f"{printable(name)} {printable(str(both[0]))!r} is in {part.origin.name}, the {word} part"
            raise DataError(f"{text}, and in {arrays.train.origin.name}. A group is in one part alone.")


# --- by time --------------------------------------------------------------------------------------


def _moments(arrays: Arrays, wanted: Split) -> tuple[Array, Array]:
    """When each sample's target begins and when it ends; places in the source where no column says.

    Raises DataError.
    """
    if wanted.time is not None and arrays.span is not None:
        raise DataError("windows are split by their own time, which source's time= names. Drop split.time.")
    if wanted.time is not None:
        times = _key(arrays.train, wanted.time, "time")
        return times, times
    if arrays.span is not None:
        return arrays.span
    places = np.arange(len(arrays.train))
    return places, places


def _by_time(first: Array, last: Array, wanted: Split, counts: dict[str, int]) -> dict[str, Array]:
    """The samples of each part: the latest for the test, those before them for validation.

    Samples of one time are in one part, and what reaches into a later part is in none. Raises DataError.
    """
    left, found = np.arange(len(first)), dict[str, Array]()
    for name in (name for name in ("test", "val") if name in counts):
        times, sizes = np.unique(first[left], return_counts=True)
        after = np.cumsum(sizes[::-1])[::-1]
        cut = times[1 + int(np.abs(after[1:] - counts[name]).argmin())] if len(times) > 1 else times[0]
        found[name], left = left[first[left] >= cut], left[last[left] < cut]
    if wanted.fold:
        place, folds = wanted.fold
        times = np.sort(first[left])
        _need_folds(len(np.unique(times)), folds + 1, "times, one stretch to begin with and one for each fold")
        edges = [times[i * len(times) // (folds + 1)] for i in range(folds + 1)]
        begin, end = edges[place], edges[place + 1] if place < folds else np.inf
        found["val"] = left[(first[left] >= begin) & (first[left] < end)]
        left = left[last[left] < begin]
        if not len(found["val"]):
            raise DataError(f"fold {place} of {folds} holds no sample: too many are of one time")
    return {"train": left, **found} if found else {}


def _key(part: Part, name: str, what: Any) -> Array:
    """What each sample has in a column that a split goes by. Raises DataError where the source has no columns."""
    if part.key is None:
        raise DataError(f"{part.origin.name} has no columns, so there is nothing that split.{what} can go by")
    return part.key(name, what)


def _need_folds(count: int, folds: int, what: str) -> None:
    """Refuse fewer samples, or groups, than there are folds. Raises DataError."""
    if count < folds:
        raise DataError(f"there are {count:,} {what}, too few for {folds:,} folds")


def _rows(part: Part, rows: Array) -> Part:
    """Some samples of a part; a stretch of an array shares its memory."""
    at_once = len(rows) > 0 and int(rows[-1]) - int(rows[0]) == len(rows) - 1 and bool((np.diff(rows) == 1).all())
    chosen: Array | slice = slice(int(rows[0]), int(rows[-1]) + 1) if at_once else rows

    def picked(column: Column) -> Column:
        return Picked(column, rows) if isinstance(column, Rows) else column[chosen]

    others = {name: picked(column) for name, column in part.others.items()}
    return Part(tuple(map(picked, part.inputs)), picked(part.target), part.origin.only(rows), others=others)
