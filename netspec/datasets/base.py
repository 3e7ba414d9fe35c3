"""What every source of data is: fields, what it is known to give, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from netspec.datasets.files import show
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Entry
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
    """None where only reading tells."""
    target: Tensor | None = None
    """None where only reading tells."""
    classes: int | None = None
    """How many there are; None where the target is no class, or only reading tells."""
    count: int | None = None
    """The samples of a source that keeps no part apart, all of them together."""
    numbers: tuple[tuple[int, int] | None, ...] = ()
    """For each input of whole numbers the least and the largest that it may hold; empty where that is not known."""
    first_class: int = 0
    """The lowest class that a sample has, once that is known."""
    ranges: tuple[tuple[float, float] | None, ...] = ()
    """For each input the least and the largest value before any transform; empty where that is not known."""
    others: Mapping[str, Gives] = field(default_factory=dict)
    """Of several targets all but the first, by their names: each as if it were the only one."""

    def of(self, name: str) -> Gives:
        """The same with the target of that name in the place of the first, which nothing is known of if it is none."""
        return self.others.get(name, self)


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
    targets: Mapping[str, str] = field(default_factory=dict)
    """Of several targets what holds those besides the first, by their names."""

    @property
    def name(self) -> str:
        """What holds the target."""
        return self.names[-1]

    def led_by(self, target: str) -> Origin:
        """The same with what holds the target of that name in the place of the first."""
        names = (*self.names[:-1], self.targets[target]) if target in self.targets else self.names
        return replace(self, names=names, targets={})

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
    """One for each input of the network."""
    target: Column
    origin: Origin = Origin()
    key: Key | None = None
    """Gives a column of the source by name, a value for each sample, for splits to go by: equal for samples of one
    group, or a number for a time. None where the source has no columns. Raises DataError."""
    others: Mapping[str, Column] = field(default_factory=dict)
    """Of several targets all but the one that leads, by their names."""

    def __len__(self) -> int:
        return len(self.target)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The inputs, the target, and further ones."""
        return *self.inputs, self.target, *self.others.values()

    def led_by(self, name: str) -> Part:
        """The part with the target of that name as its only one; with the one that leads, where there is none."""
        target, origin = self.others.get(name, self.target), self.origin.led_by(name)
        return replace(self, target=target, origin=origin, others={})


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
    """The inputs, by which steps and networks may name them."""
    classes: tuple[str, ...] | None = None
    """Their names in the order of their numbers; None where the target is no class."""
    peak: int = 255
    """The byte that becomes 1.0."""
    ordered: bool = False
    learnt: Mapping[str, Any] = field(default_factory=dict)
    """What new samples need to be seen alike, as data for a file of JSON."""
    told: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    """What is told where other data than that of training may be on another scale."""
    span: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None = None
    """For ordered samples that overlap, when the target of each begins and when it ends, as numbers."""
    lead: str = ""
    """Of several targets the name of the one by which samples are drawn and held out; empty where there is one."""
    classes_of: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    """The names of the classes of the others."""

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that there are, by name."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return {name: part for name, part in found.items() if part is not None}

    def each_target(self, change: Callable[[str, Arrays], Arrays]) -> Arrays:
        """The same with every target as `change` leaves it, which is given each by its name as if it were the only one.

        One target has no name.
        """
        if not self.lead:
            return change("", self)
        first = change(self.lead, self._led_by(self.lead))
        done = {name: change(name, self._led_by(name)) for name in self.train.others}

        def joined(which: str) -> Part | None:
            found: Part | None = getattr(first, which)
            others = {name: getattr(arrays, which).target for name, arrays in done.items()} if found else {}
            return replace(found, others=others, origin=getattr(self, which).origin) if found else None

        train = joined("train")
        assert train is not None
        classes = {name: arrays.classes for name, arrays in done.items()}
        return replace(first, train=train, val=joined("val"), test=joined("test"), lead=self.lead, classes_of=classes)

    def _led_by(self, name: str) -> Arrays:
        """The arrays with one target alone."""
        val, test = (part.led_by(name) if part else None for part in (self.val, self.test))
        classes = self.classes if name == self.lead else self.classes_of.get(name)
        return replace(self, train=self.train.led_by(name), val=val, test=test, classes=classes, lead="", classes_of={})


class Dataset(Entry):
    """A source of data: what the `source` of a spec names."""

    default_val: ClassVar[float] = 0.1
    """The share that is held out for validation where neither the spec nor the source says."""

    def gives(self) -> Gives:
        """What is known without opening a file."""
        return Gives()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of several targets, by which losses compare with them; none where there is one."""
        return ()

    def columns_of(self, target: str) -> tuple[str, ...]:
        """The columns of the target of that name, of the only one for no name; none where there are no columns."""
        return ()

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

    def in_pieces(self, files: Files, learnt: Mapping[str, Any], keys: Sequence[str]) -> Arrays | None:
        """The same as a run has `learnt` to see it, of which few rows are in memory at a time, before it is split.

        A split can go by the columns `keys`. None where the data is not read so. Raises DataError.
        """
        return None

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
