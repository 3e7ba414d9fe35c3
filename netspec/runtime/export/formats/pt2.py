"""PT2: an archive of torch.export, which torch runs and compiles without the program that made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.exporters.base import Exporter
from netspec.optional import installed

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Run
    from netspec.runtime.export.manifest import Sealed
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject


class PT2(Exporter):
    """A .pt2 archive of torch.export, loaded again and compared with the network before it is kept.

    The batch is free, and so is each size that is a capital letter in the spec. Both agree where
    |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".pt2"
    is_program = True
    example = "pt2 output=probabilities"

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.pt2_file import write

        return write(subject, file)

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.pt2_file import opened

        return opened(file)

    def seal(self, file: Path, said: Mapping[str, Any]) -> None:
        from netspec.runtime.export.seals import seal_pt2

        seal_pt2(file, said)

    @classmethod
    def read_seal(cls, path: Path) -> Sealed:
        from netspec.runtime.export.seals import read_pt2

        return read_pt2(path)

    @classmethod
    def lacking(cls) -> str:
        return "" if installed("torch") else "torch: pip install torch"
