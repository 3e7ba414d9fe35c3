"""Data as its source has it, parted, and its target in the form that is compared: arrays, and rows in files.

Needs no torch. What becomes of it on the way to a network is `loading`'s, or a batch at a time on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netspec.datasets.base import Arrays, Dataset
from netspec.datasets.checks import same_form
from netspec.datasets.files import MEMORY, Budget, Files
from netspec.datasets.fit import described
from netspec.datasets.values import Values
from netspec.runtime.data.answers import as_answers
from netspec.runtime.data.classes import as_compared, as_numbered, ordered
from netspec.runtime.data.holdout import split
from netspec.runtime.data.looking import takes
from netspec.runtime.data.ranges import doubt
from netspec.runtime.data.weighing import Compared
from netspec.sections.data import DataSection, Split
from netspec.tensors import Tensor

if TYPE_CHECKING:
    from netspec.datasets.base import Column

Reading = Callable[[], tuple[Arrays, Mapping[str, Any]]]
"""Gives what `read` gives, perhaps once it is there."""
SAMPLED: Final = 16 * 2**20
"""Bytes of an input that are looked at to know which values it has."""


def files_of(section: DataSection, root: Path, *, allow_outside: bool = False, doubt: str = "") -> Files:
    """The files that data is read from, below `root`, and the memory that unpacking them may take."""
    # Memory that is named may be taken whole; half of the machine's is no leave to unpack that much.
    return Files(root, allow_outside, doubt, Budget(max(MEMORY, section.reading.memory or 0)))


def read(
    section: DataSection,
    files: Files,
    learnt: Mapping[str, Any],
    compared: Sequence[Compared],
    *,
    in_pieces: bool = False,
) -> tuple[Arrays, Mapping[str, Any]]:
    """The parts of the data with their target as it is compared, and the source's own classes where others hold.

    What can be read `in_pieces` is not held in memory then.
    """
    own: Mapping[str, Any] = learnt.get("own", {})  # another order of classes would be another split
    source, before = section.source.beside(section.split.columns), {**learnt, **own}
    arrays = _parted(source, section.split, files, before, in_pieces)
    own = own if learnt or section.aim.positive is None else {"classes": arrays.classes}
    order = ordered(arrays, section.aim.positive, learnt.get("classes"))
    named = {**learnt.get("targets", {}).get("classes", {}), arrays.lead: order}
    arrays = arrays.each_target(lambda name, each: as_numbered(each, named.get(name)))
    if compared:
        # Of losses that share a target, the first says in which form it is compared.
        arrays = arrays.each_target(partial(_compared, {each.target: each for each in reversed(compared)}, section))
    for part in (arrays.val, arrays.test):
        if part is not None:
            same_form(arrays.train, part)
    return arrays, own


def _parted(source: Dataset, wanted: Split, files: Files, learnt: Mapping[str, Any], in_pieces: bool) -> Arrays:
    """All of the data in its parts, seen as was `learnt`."""
    if in_pieces and (found := source.in_pieces(files, learnt, wanted.columns)) is not None:
        return split(found, wanted, source.default_val)
    return source.fitted(split(source.read_as(files, learnt), wanted, source.default_val), learnt)


def _compared(compared: Mapping[str, Compared], section: DataSection, name: str, arrays: Arrays) -> Arrays:
    """The arrays, whose only target has that name, with it in the form that its loss compares."""
    if name not in compared:
        return arrays
    arrays = as_answers(arrays, compared[name])
    return as_compared(arrays, partial(takes, compared[name].takes, section, given(arrays)[0], arrays.names))


def given(arrays: Arrays) -> tuple[tuple[Tensor, ...], Tensor, dict[str, Tensor]]:
    """What the source gives, as the graph describes tensors: the inputs, the target, and further ones by name."""
    part = arrays.train
    others = {name: described(column) for name, column in part.others.items()}
    return tuple(map(described, part.inputs)), described(part.target), others


def doubts(arrays: Arrays, learnt: Mapping[str, Any]) -> Iterator[str]:
    """Which inputs may be on another scale than those that a run was trained on; a table judges its own columns."""
    known, peak = learnt.get("values", ()), learnt.get("inputs", {}).get("peak", arrays.peak)
    if "columns" in learnt or len(known) != len(arrays.train.inputs):
        return
    parts = [part for part in (arrays.train, arrays.val, arrays.test) if part is not None]
    for part in {part.origin.name: part for part in reversed(parts)}.values():
        for place, (column, values) in enumerate(zip(part.inputs, known, strict=True)):
            said = doubt(column, Values.of(values), peak, arrays.peak, part.origin.holder(place))
            yield from (said,) * bool(said)


def range_of(column: Column) -> tuple[float, float] | None:
    """The least and the largest value of an input, as floats, before any transform; None for whole numbers.

    Floats are looked at in some rows. What is not within 0 to 1 is widened by as much as it is wide, because others may
    lie outside.
    """
    if column.dtype == np.uint8:
        return 0.0, 1.0
    if column.dtype.kind != "f":
        return None
    few = max(1, min(len(column), SAMPLED // max(1, column.nbytes // len(column))))
    seen = column[np.linspace(0, len(column) - 1, few).astype(np.int64)]
    low, high = float(seen.min()), float(seen.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (2 * low - high, 2 * high - low)
