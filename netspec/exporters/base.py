"""What every export format is: its options, how a file of it is written, and how that is proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from netspec.errors import DataError
from netspec.records import Choice, Entry, Field, Float

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Emission, Run
    from netspec.runtime.export.manifest import Sealed
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject
    from netspec.runtime.export.tolerance import Difference

COMMON: Final = ("output", "atol", "rtol")


class NeedsTorch(Exception):
    """What can only be done with the network of torch; the message says why."""


class Exporter(Entry):
    """A format: its options are fields, `write` makes a file and `check` runs it beside the network.

    A file of the catalogue imports no torch at its top, for specs are checked without.
    """

    extension: ClassVar[str]
    """What the names of its files end in, with the dot; a path says by it which format is meant."""
    beside: ClassVar[tuple[str, ...]] = ()
    """What the names of further files end in, each called as the first but for that."""
    is_program: ClassVar[bool] = False
    """Whether what runs a file runs whatever code is in it."""
    otherwise: ClassVar[str] = ""
    """What else may be tried where a file computes something else than the network."""

    output = Choice(
        "what the file gives: the network's own output, or the probabilities that the loss makes of it",
        ("logits", "probabilities"),
        "logits",
    )
    atol = Float("difference that is always allowed", 1e-7, ge=0)
    rtol = Float("difference allowed in proportion to the largest value of an output", 1e-4, ge=0)

    @property
    def whole(self) -> bool:
        """Whether more than the network is in the file, which is then written from the graph or not at all."""
        return False

    @property
    def calibrated(self) -> bool:
        """Whether a file rounds what it computes, by scales that are found on the training data.

        Such a file is compared with the network as it rounds, and what that costs is measured on validation data.
        """
        return False

    @property
    def remembers(self) -> bool:
        """Whether a file of a language model takes and gives what it has read, and reads new tokens alone."""
        return False

    @property
    def largest(self) -> str:
        """What to do where numbers are larger than a file can hold, as a sentence; empty where it holds all."""
        return ""

    def judged(self) -> Self:
        """The same with tolerances that fit what it computes in, where none were given."""
        return self

    @classmethod
    def ordered(cls, fields: dict[str, Field[Any]]) -> dict[str, Field[Any]]:
        """Those of the format first."""
        return {name: field for name, field in fields.items() if name not in COMMON} | {n: fields[n] for n in COMMON}

    @classmethod
    def files(cls, path: Path) -> list[Path]:
        """All files that are written for one that is asked for, itself the first."""
        return [path, *(path.with_suffix(each) for each in cls.beside)]

    def write(self, subject: Subject, file: Path) -> Written:
        """Write the network to `file`, and whatever else belongs to it beside it. Raises ExportFailed."""
        raise NotImplementedError(type(self).__name__)

    def emit(self, of: Emission, file: Path) -> Written:
        """The same from the graph and the weights alone, without torch. Raises NeedsTorch where that is no way."""
        raise NeedsTorch(f"{self.called()} is written from torch's network")

    def opened(self, file: Path) -> Run:
        """What runs a file of this format on arrays. Raises ExportFailed, and running it ExportMismatch."""
        raise NeedsTorch(f"{self.called()} is compared with torch's network")

    def worst(self, subject: Subject, file: Path) -> str:
        """Where a file begins to differ from the network, as a sentence; empty where that is not known."""
        return ""

    def seal(self, file: Path, said: Mapping[str, Any]) -> None:
        """Put a manifest into a file that was written; nothing where the format has no place for one."""

    @classmethod
    def read_seal(cls, path: Path) -> Sealed:
        """A file with its manifest, and what it says of itself. Raises DataError; nothing of the file is run."""
        raise DataError(f"{path} is of a format that has no manifest, so there is nothing to hold it against")

    @classmethod
    def need_harmless(cls, path: Path) -> None:
        """Refuse a file that may not be opened. Raises DataError."""

    @classmethod
    def lacking(cls) -> str:
        """What is not here of what runs such files, in words; empty where all is."""
        return ""

    def held_to(self, subject: Subject) -> Subject:
        """The subject as a file of it computes: the same, but for formats that round."""
        return subject

    def check(self, subject: Subject, file: Path) -> Iterator[Difference]:
        """How far what the file computes is from what the network does, for `subject.differences` of its inputs.

        Raises ExportFailed for a file that cannot be opened, ExportMismatch for one that does not run.
        """
        return self.held_to(subject).differences(self.opened(file))
