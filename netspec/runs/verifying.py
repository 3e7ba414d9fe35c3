"""Verification of an exported file, any time later: it is what was written, and computes what it computed then.

Files of ONNX and C are verified without torch. A file may come from anyone: one of ONNX is judged before a runtime
opens it. Those of C and Python are programs, which are run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError, ExportMismatch, NetspecError, UsageError
from netspec.exporters.base import Exporter, NeedsTorch
from netspec.files import kind, sha256, shown
from netspec.runs.direct import proof_of
from netspec.runs.formats import ahead_of, ends_of, exporter_of, need_exporter
from netspec.runs.run import Run
from netspec.runtime.export.emission import Array, Emission
from netspec.runtime.export.emission import Run as RunsFile
from netspec.runtime.export.formats.onnx import ONNX
from netspec.runtime.export.manifest import MANIFEST, Sealed
from netspec.runtime.export.model_file import read_said
from netspec.runtime.export.proof import digest
from netspec.runtime.export.report import table
from netspec.runtime.export.tolerance import Difference
from netspec.spec import Spec
from netspec.version import __version__
from netspec.vocabulary import EXPORTERS

SPEC: Final = "netspec.spec"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a file that is what it says."""

    path: Path
    differences: tuple[Difference, ...]
    """One for each check; none for a file that was compared with nothing when it was written."""
    notes: tuple[str, ...] = ()
    """What was held against the file, and what could not be, in words."""
    also: tuple[Verified, ...] = ()
    """What was found of further files, where a run was exported to several."""


class Opened:
    """Runs a file, which is opened at the first call: where bytes have changed it never is."""

    def __init__(self, path: Path, exporter: Exporter) -> None:
        self.path, self.exporter = path, exporter

    @cached_property
    def run(self) -> RunsFile:
        """What runs it. Raises UsageError where what that needs is not here, ExportFailed for no such file."""
        if lacking := self.exporter.lacking():
            text = f"{shown(self.path)} is byte for byte what was written; to compare what it computes needs"
            raise UsageError(f"{text} {lacking}")
        return self.exporter.opened(self.path)

    def __call__(self, inputs: Sequence[Any]) -> Sequence[Array]:
        return self.run(inputs)


def format_of(path: Path) -> type[Exporter]:
    """The format that a file is of, by its ending; ONNX where that says none."""
    return next((cls for cls in EXPORTERS.classes() if cls.extension == path.suffix.lower()), ONNX)


def verify_file(path: Path) -> Verified:
    """Hold a file against its own manifest and its own spec.

    Raises DataError for what is no model that may be opened, ExportMismatch for one that is another than was written.
    """
    return _verified(path)[0]


def _verified(path: Path) -> tuple[Verified, Sealed, Opened]:
    """What `verify_file` finds, with the file's manifest and what runs it. Raises as that does."""
    cls = format_of(path)
    sealed = cls.read_seal(path)
    if fault := sealed.fault:
        raise ExportMismatch(f"{shown(path)} has changed since it was written: {fault}. Export it again.")
    cls.need_harmless(path)
    spec = spec_in(path, sealed.said.metadata)
    notes = ["the file is byte for byte what was written", _same_network(sealed, spec)]
    opened = Opened(path, exporter_of(spec, cls.extension) or cls())
    differences = tuple(sealed.differences(opened)) if sealed.manifest["checks"] else ()
    _need_same(path, differences)
    if not differences:
        notes.append("it was compared with nothing when it was written, so what it is to compute is not known")
    return Verified(path, differences, tuple(note for note in notes if note)), sealed, opened


def verify_run(run: Run) -> Verified:
    """Hold all files that a run was exported to against their manifests, its weights, and what training stored.

    Raises DataError where there is none, and as `verify_file`.
    """
    names = [f"model{cls.extension}" for cls in EXPORTERS.classes()]
    files = [path for name in names if kind(path := run.folder / name) == "file"]
    if not files:
        raise DataError(f"{run.folder} holds no exported file. Write one: netspec export {run.folder}")
    first, *others = [_of_run(run, path) for path in files]
    return replace(first, also=tuple(others))


def _of_run(run: Run, path: Path) -> Verified:
    """Hold one file of a run against its manifest, the run's weights, and what training stored."""
    found, sealed, opened = _verified(path)
    now = sha256(run.weights)
    if sealed.manifest["weights"] != now:
        text = f"{shown(path)} has other weights than {run.weights.name} has now"
        raise ExportMismatch(f"{text}: it was written before. Export the run again.")
    notes = [*found.notes, f"its weights are those of {run.weights.name}"]
    spec = spec_in(path, sealed.said.metadata)
    try:
        proof = proof_of(run.spec, run.weights, lambda: now)
        exporter = need_exporter(spec, path)
        graph, learnt = run.spec.graph, run.learnt
        of = Emission(graph, {}, (), ends_of(spec, exporter, learnt), ahead_of(spec, exporter, learnt)[0])
        if exporter.calibrated:
            raise NeedsTorch("it rounds, and training stored what is not rounded")
        stored = tuple(proof.differences(opened, of, exporter.atol, exporter.rtol))
        _need_same(path, stored)
        return Verified(path, stored, (*notes, "it gives what training stored"))
    except NeedsTorch as reason:
        return replace(found, notes=(*notes, f"it is held against its own checks, because {reason}"))


def spec_in(path: Path, metadata: Mapping[str, str] | None = None) -> Spec:
    """The spec that a file carries. Raises DataError where it carries none that can be read."""
    metadata = metadata if metadata is not None else read_said(path).metadata
    if SPEC not in metadata:
        raise DataError(f"{shown(path)} carries no spec: netspec did not write it")
    try:
        return Spec.loads(metadata[SPEC], name=f"{path.name}:spec")
    except NetspecError as error:
        raise DataError(f"the spec that {shown(path)} carries cannot be read: {error}") from None


def manifest_in(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """What a file says of itself, and its manifest; that is empty where there is none. Raises DataError."""
    cls = format_of(path)
    if cls is ONNX:
        said = read_said(path).metadata
        return said, dict(cls.read_seal(path).manifest) if MANIFEST in said else {}
    sealed = cls.read_seal(path)
    return sealed.said.metadata, dict(sealed.manifest)


def _same_network(sealed: Sealed, spec: Spec) -> str:
    """What is known of whether the file carries the spec of its own network. Raises ExportMismatch where it lies."""
    known, version = sealed.manifest.get("network"), sealed.manifest["versions"].get("netspec")
    if known is None:
        return ""
    if version != __version__:
        return f"netspec {version} wrote it, this is {__version__}: whether the spec in it is its own was not looked at"
    if known != digest(spec.graph):
        raise ExportMismatch(f"the spec that {shown(sealed.path)} carries is another than it was written of")
    return "the spec that it carries is that of its network"


def _need_same(path: Path, differences: tuple[Difference, ...]) -> None:
    """Refuse a file that gives something else. Raises ExportMismatch with the table."""
    if not all(d.agrees for d in differences):
        lines = "\n".join(f"  {line}" for line in table(differences))
        raise ExportMismatch(f"{shown(path)} does not give what it was to give:\n{lines}")
