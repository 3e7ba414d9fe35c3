"""C with layers in 8 bits: calibrated on the training data, and refused where that costs too much."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from netspec.errors import ExportFailed, ExportMismatch
from netspec.runtime.data.scale import InOwnUnits
from netspec.runtime.export.c_file import write as write_c
from netspec.runtime.export.emission import Emission
from netspec.runtime.export.report import Written
from netspec.runtime.export.rounding import calibrated, inner, rounding
from netspec.runtime.export.subject import Subject


def write(subject: Subject, of: Emission, file: Path, max_drop: float) -> Written:
    """Write the file. Raises ExportFailed, and ExportMismatch where a metric drops by more than `max_drop`."""
    scales = _scales(subject)
    written = write_c(of, file, scales)
    if subject.measure is None:
        return replace(
            written, note="int8 was measured by no metric: the spec has none of which more is better, and no classes"
        )
    before, after = subject.measure(inner(subject)), subject.measure(rounding(inner(subject), scales))
    told = ", ".join(f"{name} {value:.4f} before and {after[name]:.4f} after" for name, value in before.items())
    worst = max(before, key=lambda name: before[name] - after[name])
    if before[worst] - after[worst] > max_drop:
        text = f"int8 costs more than {max_drop:g} of {worst} on the {subject.real}: {told}"
        raise ExportMismatch(f"{text}. No file is written. Take dtype: float32, or raise max_drop under export.c.")
    return replace(written, note=f"int8 on the {subject.real}: {told}")


def as_rounded(subject: Subject) -> Subject:
    """The same with the network that the file is to be: rounded to 8 bits."""
    rounded = rounding(inner(subject), _scales(subject))
    if isinstance(subject.network, InOwnUnits):
        rounded = subject.network.around(rounded)
    return replace(subject, network=rounded)


def _scales(subject: Subject) -> dict[str, float]:
    """What the training data says of the layers. Raises ExportFailed where there is none."""
    found = calibrated(inner(subject), subject.training())
    if not found:
        raise ExportFailed("int8 is calibrated on training data: give the spec a data section and layers with weights")
    return found
