"""PT2: an archive of torch.export, which torch runs and compiles without the program that made it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.exporters.base import Exporter

if TYPE_CHECKING:
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject
    from netspec.runtime.export.tolerance import Difference


class PT2(Exporter):
    """A .pt2 archive of torch.export, loaded again and compared with the network before it is kept.

    The batch is free, and so is each size that is a capital letter in the spec. Both agree where
    |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".pt2"
    example = "pt2 output=probabilities"

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.pt2_file import write

        return write(subject, file)

    def check(self, subject: Subject, file: Path) -> Iterator[Difference]:
        from netspec.runtime.export.pt2_file import opened

        return subject.differences(opened(file))
