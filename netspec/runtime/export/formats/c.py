"""C: a source and a header in C99, for machines that have nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.exporters.base import Exporter

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Emission, Run
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject
    from netspec.runtime.export.tolerance import Difference


class C(Exporter):
    """A .c and a .h file in C99 that need math.h alone, compiled and compared with the network before they are kept.

    One function runs one sample: the weights are constants, and the memory that it works in is static. Both agree where
    |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".c"
    beside = (".h",)
    otherwise = "A step that mixes the samples of a batch does so: the file takes one at a time. "
    example = "c output=probabilities"

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.emitting import emission_of

        return self.emit(emission_of(subject, "C"), file)

    def emit(self, of: Emission, file: Path) -> Written:
        from netspec.runtime.export.c_file import write

        return write(of, file)

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.c_library import compiled

        return compiled(file)

    def check(self, subject: Subject, file: Path) -> Iterator[Difference]:
        return subject.differences(self.opened(file))
