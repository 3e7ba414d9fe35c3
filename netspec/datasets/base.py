"""What every source of data is: fields, what it is known to give, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from netspec.catalogue import Entry
from netspec.dims import BATCH
from netspec.layers.base import Tensor

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.files import Files

LABELS = Tensor((BATCH,), "int64")


@dataclass(frozen=True, slots=True)
class Gives:
    """What is known of a source before it is read, as the network would see it, batch first."""

    inputs: tuple[Tensor, ...] | None = None
    target: Tensor | None = None
    classes: int | None = None
    count: int | None = None
    """The samples of a source that keeps no part apart, all of them together."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a source, such as its training images: whole arrays with a row for each sample."""

    inputs: tuple[np.ndarray[Any, Any], ...]
    target: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class Arrays:
    """Everything that was read. `val` and `test` are there where the source itself keeps them apart.

    `classes` are the names of the classes, None where the target is no class. `peak` is the
    value of a byte that becomes 1.0 when bytes become floats.
    """

    train: Part
    val: Part | None = None
    test: Part | None = None
    names: tuple[str, ...] = ("input",)
    classes: tuple[str, ...] | None = None
    peak: int = 255


class Dataset(Entry):
    """A source of data: what the `source` of a spec names."""

    default_val: ClassVar[float] = 0.1
    """The share that is held out for validation where neither the spec nor the source says."""

    def gives(self) -> Gives:
        """What is known without opening a file."""
        return Gives()

    def read(self, files: Files) -> Arrays:
        """All of the data as arrays. Raises DataError."""
        raise NotImplementedError(type(self).__name__)


def numbered(count: int) -> tuple[str, ...]:
    """Names for classes that have none: "0", "1", ..."""
    return tuple(str(i) for i in range(count))
