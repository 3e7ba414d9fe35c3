"""The report of an export: what was written, what it was compared with, and how far both are apart. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final

from netspec.errors import ExportMismatch
from netspec.exporters.base import Exporter
from netspec.runtime.export.tolerance import Difference

ROUNDING: Final = 0.01
"""The largest relative difference that may come of adding in another order."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an exporter says of the file that it wrote."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    """The shapes of what it takes, by name: `batch x 1 x 8 x 8`."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """The shape of each output by name, as text."""
    facts: Mapping[str, int] = field(default_factory=dict)
    """Numbers of the format's own, such as its version."""
    note: str = ""
    """What of how it was written should be known; empty where that went as always."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and how far it is from the network."""

    path: Path
    """The file."""
    bytes: int
    """How large the file is."""
    inputs: Mapping[str, str]
    """The shapes of what the file takes, by name: `batch x 1 x 8 x 8`."""
    outputs: Mapping[str, str]
    """The shape of each output by name, as text."""
    facts: Mapping[str, int]
    """Numbers of the format's own: the opset and the nodes of ONNX."""
    differences: tuple[Difference, ...]
    """One for each kind of samples that it was compared on; none where it was compared with nothing."""
    note: str = ""
    """What of how it was written should be known; empty where that went as always."""
    compared: str = ""
    """What it was compared with: `torch 2.9.0`, or `outputs stored by training (torch 2.9.0)`; empty for nothing."""

    @property
    def absolute(self) -> float:
        """The largest absolute difference."""
        return max((d.absolute for d in self.differences), default=0.0)

    @property
    def relative(self) -> float:
        """The largest difference relative to the largest value of its output."""
        return max((d.relative for d in self.differences), default=0.0)


HEAD: Final = ("compared on", "samples", "absolute", "relative", "largest value", "")


def table(differences: Iterable[Difference]) -> list[str]:
    """Differences as lines of a table, with their samples and the largest value that they are a part of."""
    rows = [HEAD]
    for d in differences:
        numbers = [f"{value:.3g}" for value in (d.absolute, d.relative, d.scale)]
        rows.append((d.what, f"{d.samples:,}", numbers[0], numbers[1], numbers[2], "" if d.agrees else "differs"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def need_agreement(differences: Sequence[Difference], exporter: Exporter, worst: str = "") -> None:
    """Refuse differences beyond the tolerance, with all of them in the message. Raises ExportMismatch.

    `worst` says at which step they begin, where that is known.
    """
    if not differences:
        raise ExportMismatch("the exported file was compared on nothing, so it is not known to be the network")
    bad = [d for d in differences if not d.agrees]
    if bad:
        tolerance = f"{exporter.atol:g} + {exporter.rtol:g} * the largest value"
        text = f"the exported file does not compute what the network does, within {tolerance}:"
        hint = f"No file is written. If that is near enough, raise atol or rtol under export.{exporter.called()}."
        if max(d.relative for d in bad) > ROUNDING:
            hint = (
                "No file is written. That is no rounding: the file computes something else. "
                f"{exporter.otherwise}Leave out steps to find the one that is not written rightly."
            )
        if exporter.largest and not all(isfinite(d.absolute) for d in bad):
            hint = f"No file is written. {exporter.largest}"
        lines = [text, *(f"  {line}" for line in table(differences)), *[worst] * bool(worst), hint]
        raise ExportMismatch("\n".join(lines))
