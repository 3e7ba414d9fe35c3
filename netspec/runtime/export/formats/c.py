"""C: a source and a header in C99, for machines that have nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from netspec.exporters.base import Exporter, NeedsTorch
from netspec.records import Choice, Float

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Emission, Run
    from netspec.runtime.export.manifest import Sealed
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject

NEAR: Final = 0.05
"""How far a file in int8 may be from the network that is rounded alike: a number that lies between two steps may fall
to either side."""


class C(Exporter):
    """A .c and a .h file in C99 that need math.h alone, compiled and compared with the network before they are kept.

    One function runs one sample: the weights are constants, and the memory that it works in is static. Both agree where
    |exported - torch| <= atol + rtol * the largest |torch| of that output.

    With dtype int8, a weight is a whole number from -127 to 127 times a scale of its output, and the input of a layer
    one times a scale that the training data tells; products are summed in 32 bits, and all else is computed in floats.
    The file is held to the network that torch rounds so, and what that costs is measured on the validation data.
    """

    extension = ".c"
    is_program = True
    beside = (".h",)
    otherwise = "A step that mixes the samples of a batch does so: the file takes one at a time. "
    example = "c output=probabilities"

    dtype = Choice(
        "what convolutions and linear maps multiply: floats, or whole numbers of 8 bits with a scale for each output",
        ("float32", "int8"),
        "float32",
    )
    max_drop = Float("how much of a metric of the validation data int8 may cost: 0.005 is half a point", 0.005, ge=0)

    @property
    def calibrated(self) -> bool:
        return self.dtype == "int8"

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.emitting import emission_of

        of = emission_of(subject, "C")
        if self.dtype == "float32":
            return self.emit(of, file)
        from netspec.runtime.export.c_int8 import write

        return write(subject, of, file, self.max_drop)

    def emit(self, of: Emission, file: Path) -> Written:
        if self.calibrated:
            raise NeedsTorch("int8 is measured with torch's network")
        from netspec.runtime.export.c_file import write

        return write(of, file)

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.c_library import compiled

        return compiled(file)

    def judged(self) -> Self:
        return self.replace(rtol=max(self.rtol, NEAR)) if self.calibrated else self

    def held_to(self, subject: Subject) -> Subject:
        if not self.calibrated:
            return subject
        from netspec.runtime.export.c_int8 import as_rounded

        return as_rounded(subject)

    def seal(self, file: Path, said: Mapping[str, Any]) -> None:
        from netspec.runtime.export.seals import seal_c

        seal_c(file, said)

    @classmethod
    def read_seal(cls, path: Path) -> Sealed:
        from netspec.runtime.export.seals import read_c

        return read_c(path)

    @classmethod
    def lacking(cls) -> str:
        from netspec.runtime.export.c_library import COMPILERS, compiler

        return "" if compiler() else f"a C compiler: {', '.join(COMPILERS)}, or what $CC names"
