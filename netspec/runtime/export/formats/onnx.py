"""ONNX: one file of operators and weights, which many runtimes take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netspec.exporters.base import Exporter, NeedsTorch
from netspec.records import Bool, Int

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Emission, Run
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject
    from netspec.runtime.export.tolerance import Difference

OLDEST_OPSET: Final = 18
NEWEST_OPSET: Final = 23


class ONNX(Exporter):
    """One .onnx file, compared with the network in ONNX Runtime before it is kept.

    Both agree where |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".onnx"
    otherwise = "Another opset, as in export: onnx opset=18, may be written rightly. "
    example = "onnx output=probabilities"

    opset = Int("version of ONNX's operators", 20, ge=OLDEST_OPSET, le=NEWEST_OPSET)

    cache = Bool("give the network of a language model a memory of the tokens before, as inputs and outputs", False)

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.onnx_file import write

        return write(subject, self.opset, file)

    def emit(self, of: Emission, file: Path) -> Written:
        from netspec.runtime.export.onnx_emitted import write_emitted
        from netspec.views.onnx import Unwritable

        try:
            return write_emitted(of, self.opset, file)
        except Unwritable as error:
            raise NeedsTorch(str(error)) from None

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.onnx_check import opened

        return opened(file)

    def check(self, subject: Subject, file: Path) -> Iterator[Difference]:
        return subject.differences(self.opened(file))
