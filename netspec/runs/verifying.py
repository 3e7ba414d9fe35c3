"""Verification of an exported file, any time later: it is what was written, and computes what it computed then.

Torch is not imported. A file may come from anyone: it is judged before a runtime opens it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError, ExportMismatch, NetspecError
from netspec.exporters.base import NeedsTorch
from netspec.files import kind, sha256, shown
from netspec.runs.direct import proof_of
from netspec.runs.formats import ahead_of, ends_of, need_exporter
from netspec.runs.run import Run
from netspec.runtime.export.emission import Emission
from netspec.runtime.export.manifest import MANIFEST, Sealed, read_sealed
from netspec.runtime.export.model_file import need_harmless, read_said
from netspec.runtime.export.onnx_check import opened
from netspec.runtime.export.proof import digest
from netspec.runtime.export.report import table
from netspec.runtime.export.tolerance import Difference
from netspec.runtime.store.own import EXPORTED
from netspec.spec import Spec
from netspec.version import __version__

SPEC: Final = "netspec.spec"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a file that is what it says."""

    path: Path
    differences: tuple[Difference, ...]
    """One for each check; none for a file that was compared with nothing when it was written."""
    notes: tuple[str, ...] = ()
    """What was held against the file, and what could not be, in words."""


def verify_file(path: Path) -> Verified:
    """Hold a file against its own manifest and its own spec.

    Raises DataError for what is no model that may be opened, ExportMismatch for one that is another than was written.
    """
    sealed = read_sealed(path)
    if fault := sealed.fault:
        raise ExportMismatch(f"{shown(path)} has changed since it was written: {fault}. Export it again.")
    need_harmless(path, _model(path))
    spec = spec_in(path, sealed.said.metadata)
    notes = ["the file is byte for byte what was written", _same_network(sealed, spec)]
    differences = tuple(sealed.differences(opened(path)))
    _need_same(path, differences)
    if not differences:
        notes.append("it was compared with nothing when it was written, so what it is to compute is not known")
    return Verified(path, differences, tuple(note for note in notes if note))


def verify_run(run: Run) -> Verified:
    """Hold the file that a run was exported to against its manifest, the run's weights, and what training stored.

    Raises DataError where there is none, and as `verify_file`.
    """
    files = [
        path for name in EXPORTED if kind(path := run.folder / name) == "file" and path.suffix not in (".data", ".json")
    ]
    if not files:
        raise DataError(f"{run.folder} holds no exported file. Write one: netspec export {run.folder}")
    path = files[0]
    found = verify_file(path)
    sealed = read_sealed(path)
    now = sha256(run.weights)
    if sealed.manifest["weights"] != now:
        text = f"{shown(path)} has other weights than {run.weights.name} has now"
        raise ExportMismatch(f"{text}: it was written before. Export the run again.")
    notes = [*found.notes, f"its weights are those of {run.weights.name}"]
    spec = spec_in(path, sealed.said.metadata)
    try:
        proof = proof_of(run.spec, run.weights, lambda: now)
        exporter = need_exporter(spec, Path("model.onnx"))
        graph, learnt = run.spec.graph, run.learnt
        of = Emission(graph, {}, (), ends_of(spec, exporter, learnt), ahead_of(spec, exporter, learnt)[0])
        stored = tuple(proof.differences(opened(path), of, exporter.atol, exporter.rtol))
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
    said = read_said(path).metadata
    return said, dict(read_sealed(path).manifest) if MANIFEST in said else {}


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


def _model(path: Path) -> Any:
    """The ModelProto of a file, without the tensors beside it. Raises DataError."""
    import onnx

    try:
        return onnx.load_model(path, load_external_data=False)
    except Exception as error:  # protobuf has types of its own
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{shown(path)} is no model of ONNX that is read: {shown(text)}") from None
