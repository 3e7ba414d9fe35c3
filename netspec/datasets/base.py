"""What every source of data is: fields, what it is known to give, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from netspec.catalogue import Entry
from netspec.datasets.files import show
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.tensors import Tensor

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from netspec.datasets.files import Files
    from netspec.datasets.rows import Rows

    Column = np.ndarray[Any, Any] | Rows
    Key = Callable[[str, Literal["group", "time"]], np.ndarray[Any, Any]]

LABELS = Tensor((BATCH,), "int64")
ARRAYS = (".npy", ".npz")
"""What a file of arrays ends in, which every network can be given."""


@dataclass(frozen=True, slots=True)
class Gives:
    """What is known of a source before it is read, as the network would see it, batch first."""

    inputs: tuple[Tensor, ...] | None = None
    target: Tensor | None = None
    classes: int | None = None
    count: int | None = None
    """The samples of a source that keeps no part apart, all of them together."""
    numbers: tuple[tuple[int, int] | None, ...] = ()
    """For each input of whole numbers the least and the largest that it may hold; empty where that is not known."""
    first_class: int = 0
    """The lowest class that a sample has, once that is known."""
    ranges: tuple[tuple[float, float] | None, ...] = ()
    """For each input the least and the largest value before any transform; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the samples of a part stand: what a message calls the one that is wrong."""

    names: tuple[str, ...] = ("the data",)
    """What holds each input and, last, the target; or one name for all of them."""
    rows: np.ndarray[Any, Any] | None = None
    """The number of each sample in its file; None where they are all of the file, counted from 0."""
    noun: str = "row"
    way_out: str = ""
    """What to try where a target is none that is expected."""

    @property
    def name(self) -> str:
        """What holds the target."""
        return self.names[-1]

    def holder(self, place: int) -> str:
        """What holds the input of that place; for -1 the target."""
        return self.names[place] if len(self.names) > 1 else self.name

    def at(self, sample: int, place: int = -1) -> str:
        """Where a sample's target stands, or its input of that place: "a.csv, line 7"."""
        return f"{self.holder(place)}, {self.noun} {sample if self.rows is None else self.rows[sample]}"

    def only(self, samples: np.ndarray[Any, Any]) -> Origin:
        """The same for some of the samples, by their indices."""
        return replace(self, rows=samples if self.rows is None else self.rows[samples])


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a source, such as its training images: a row for each sample, in memory or still in its file."""

    inputs: tuple[Column, ...]
    target: Column
    origin: Origin = Origin()
    key: Key | None = None
    """Gives a column of the source by name, a value for each sample, for splits to go by: equal for samples of one
    group, or a number for a time. None where the source has no columns. Raises DataError."""

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Everything that was read. `val` and `test` are there where the source itself keeps them apart.

    `classes` are the names of the classes, None where the target is not a class. `peak` is the
    value of a byte that becomes 1.0 when bytes become floats. Where samples are `ordered`, one after the other as in
    a text, parts are cut off at the end and not drawn. `learnt` is what other data must be read with to mean the
    same, as plain data that JSON can hold. `told` are lines for a person: what was made of the source.
    """

    train: Part
    val: Part | None = None
    test: Part | None = None
    names: tuple[str, ...] = ("input",)
    classes: tuple[str, ...] | None = None
    peak: int = 255
    ordered: bool = False
    learnt: Mapping[str, Any] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """What is told where other data than that of training may be on another scale."""
    span: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None
    """For ordered samples that overlap, when the target of each begins and when it ends, as numbers."""


class Dataset(Entry):
    """A source of data: what the `source` of a spec names."""

    default_val: ClassVar[float] = 0.1
    """The share that is held out for validation where neither the spec nor the source says."""

    def gives(self) -> Gives:
        """What is known without opening a file."""
        return Gives()

    def beside(self, columns: Sequence[str]) -> Self:
        """The same source with these columns left out of its inputs, because only the split goes by them."""
        return self

    def read(self, files: Files) -> Arrays:
        """All of the data, as arrays or as rows that stay in their files. Raises DataError."""
        raise NotImplementedError(type(self).__name__)

    def glance(self, files: Files) -> Arrays | None:
        """All of the data, where a look at it is quick and tells more than the spec; else None. Raises DataError."""
        return None

    def announced(self, files: Files) -> Gives | None:
        """What headers of its files say of the training part, where they tell more than the spec. Raises DataError."""
        return None

    def read_as(self, files: Files, learnt: Mapping[str, Any]) -> Arrays:
        """All of the data, read with what a run has `learnt` of its own. Raises DataError."""
        return self.read(files)

    def fitted(self, arrays: Arrays, learnt: Mapping[str, Any]) -> Arrays:
        """The parts, once they are split, as the training part teaches to see them, or as was `learnt` before."""
        return arrays

    def samples(self, paths: Sequence[Path], learnt: Mapping[str, Any]) -> Sequence[Column]:
        """The inputs of new samples in files like the source's own, seen as was `learnt`. Raises DataError."""
        other = next(path for path in paths if path.suffix not in ARRAYS)
        raise DataError(f"{show(other)} is neither .npy nor .npz")


def numbered(count: int, first: int = 0) -> tuple[str, ...]:
    """Names for classes that have none: "0", "1", ..."""
    return tuple(str(first + i) for i in range(count))
