"""Python: the printed network and its weights, for programs that have torch alone."""

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


class Py(Exporter):
    """A .py file with the printed network and a function `load`, and its weights beside it as .safetensors.

    It needs torch and safetensors. Loaded again, in a namespace of its own, it is compared with the network before it
    is kept. Both agree where |exported - torch| <= atol + rtol * the largest |torch| of that output.
    """

    extension = ".py"
    is_program = True
    beside = (".safetensors",)
    example = "py"

    def write(self, subject: Subject, file: Path) -> Written:
        from netspec.runtime.export.py_file import write

        return write(subject, file)

    def opened(self, file: Path) -> Run:
        from netspec.runtime.export.py_file import opened

        return opened(file)

    def seal(self, file: Path, said: Mapping[str, Any]) -> None:
        from netspec.runtime.export.seals import seal_py

        seal_py(file, said)

    @classmethod
    def read_seal(cls, path: Path) -> Sealed:
        from netspec.runtime.export.seals import read_py

        return read_py(path)

    @classmethod
    def lacking(cls) -> str:
        return "" if installed("torch") else "torch: pip install torch"
