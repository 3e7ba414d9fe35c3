"""ONNX: one file of operators and weights, which many runtimes take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from netspec.errors import DataError
from netspec.exporters.base import Exporter, NeedsTorch
from netspec.files import shown
from netspec.records import Bool, Choice, Float, Int, Maybe

if TYPE_CHECKING:
    from netspec.runtime.export.emission import Emission, Run
    from netspec.runtime.export.manifest import Sealed
    from netspec.runtime.export.report import Written
    from netspec.runtime.export.subject import Subject

OLDEST_OPSET: Final = 17
"""The first with layer norms."""
NEWEST_OPSET: Final = 27
"""The last all of whose operators ONNX Runtime computes: of 28 it lacks QuantizeLinear."""
INPUTS: Final = ("float32", "uint8")
DTYPES: Final = ("float32", "float16", "int8")
HALF: Final = 1e-2
"""The relative tolerance of a file in float16, which has three digits: where the spec says no other."""


class ONNX(Exporter):
    """One .onnx file, compared with the network in ONNX Runtime before it is kept.

    Both agree where |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".onnx"
    otherwise = "Another opset, as in export: onnx opset=18, may be written rightly. "
    example = "onnx output=probabilities"

    opset = Int("version of ONNX's operators", 20, ge=OLDEST_OPSET, le=NEWEST_OPSET)

    output = Choice(
        "what the file gives: the network's own output, the probabilities that the loss makes of it, or the class",
        ("logits", "probabilities", "labels"),
        "logits",
    )
    preprocess = Bool(
        "whether the data's transforms are in the file, which takes samples as the source has them", False
    )
    input = Maybe(
        Choice("what it takes for numbers: with preprocess as the source has them, else float32", INPUTS, None)
    )
    dtype = Choice("what it computes in; int8 is calibrated on the training data", DTYPES, "float32")
    max_drop = Float(
        "what int8 may cost of an output's accuracy on the validation data, as a part of 1", 0.005, ge=0, le=1
    )
    keep_io = Bool("whether a file in float16 takes and gives float32", True)
    cache = Bool("give the network of a language model a memory of the tokens before, as inputs and outputs", False)

    @property
    def whole(self) -> bool:
        return self.preprocess or self.input == "uint8" or self.output == "labels" or self.dtype != "float32"

    @property
    def calibrated(self) -> bool:
        return self.dtype == "int8"

    @property
    def remembers(self) -> bool:
        return self.cache

    @property
    def largest(self) -> str:
        if self.dtype != "float16":
            return ""
        way_out = "Keep dtype: float32" if self.keep_io else "Leave out keep_io: false, or keep dtype: float32"
        return f"float16 holds no number beyond 65,504. {way_out}."

    def judged(self) -> Self:
        wide = self.dtype == "float16" and "rtol" not in self.given
        return self.replace(rtol=HALF) if wide else self

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.onnx_file import write

        return write(subject, self.opset, file)

    def emit(self, of: Emission, file: Path) -> Written:
        from netspec.runtime.export.onnx_emitted import write_emitted
        from netspec.views.onnx import Unwritable

        try:
            half = None if self.dtype != "float16" else "keep" if self.keep_io else "all"
            return write_emitted(of, self.opset, file, half)  # type: ignore[arg-type]
        except Unwritable as error:
            raise NeedsTorch(str(error)) from None

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.onnx_check import opened

        return opened(file)

    def worst(self, subject: Subject, file: Path) -> str:
        from netspec.runtime.export.onnx_worst import worst_step

        return worst_step(subject, file)

    def seal(self, file: Path, said: Mapping[str, Any]) -> None:
        from netspec.runtime.export.manifest import seal

        seal(file, said)

    @classmethod
    def read_seal(cls, path: Path) -> Sealed:
        from netspec.runtime.export.manifest import read_sealed

        return read_sealed(path)

    @classmethod
    def need_harmless(cls, path: Path) -> None:
        import onnx

        from netspec.runtime.export.model_file import need_harmless

        try:
            model = onnx.load_model(path, load_external_data=False)
        except Exception as error:  # protobuf has types of its own
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{shown(path)} is no model of ONNX that is read: {shown(text)}") from None
        need_harmless(path, model)
