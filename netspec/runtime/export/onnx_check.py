"""ONNX Runtime: runs an ONNX file on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netspec.errors import ExportFailed, ExportMismatch
from netspec.runtime.export.emission import Run


def opened(file: Path) -> Run:
    """What runs a file on inputs, batch first, and gives its outputs. Raises ExportFailed where the runtime refuses it.

    Running raises ExportMismatch for inputs that the file does not take.
    """
    session = _session(file)
    taken = [(x.name, np.float16 if "float16" in x.type else None) for x in session.get_inputs()]

    def run(inputs: Sequence[Any]) -> list[Any]:
        with np.errstate(over="ignore"):  # what is beyond half precision is infinite, and told by what comes out
            named = {name: np.asarray(x, dtype) for (name, dtype), x in zip(taken, inputs, strict=True)}
        try:
            return list(session.run(None, named))
        except Exception as error:  # the runtime has types of its own for each reason
            sizes = " and ".join(" x ".join(map(str, x.shape)) for x in inputs)
            raise ExportMismatch(f"the file does not run on {sizes}: {str(error).splitlines()[0][:300]}") from error

    return run


def _session(file: Path) -> Any:
    """An ONNX Runtime session of a file, on the CPU. Raises ExportFailed where the file does not load."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has types of its own for each reason
        raise ExportFailed(f"ONNX Runtime does not take the file: {str(error).splitlines()[0]}") from error
