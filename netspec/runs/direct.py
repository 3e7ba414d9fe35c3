"""Export from the files of a run alone: torch is not imported, and what training left is what a file is held against.

Where that is no way `NeedsTorch` says why: no proof was left, weights are still to be drawn, a step has no form.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from netspec.exporters.base import Exporter, NeedsTorch
from netspec.files import kind, sha256, shown
from netspec.runs.formats import ends_of, need_exporter, output_names
from netspec.runs.run import Run
from netspec.runtime.export.emission import Array, Emission
from netspec.runtime.export.metadata import metadata
from netspec.runtime.export.places import beside
from netspec.runtime.export.proof import Proof, digest, read_proof
from netspec.runtime.export.report import Report, need_agreement
from netspec.runtime.network.plain import plain, weights_in
from netspec.runtime.store.own import PROOF
from netspec.spec import Spec
from netspec.version import __version__

STORED: Final = "outputs stored by training"


def export_run(run: Run, path: Path, *, proven: bool = True) -> Report:
    """Write the best weights of a run to a file that agrees with what training left of them.

    Not `proven`, it is compared with nothing, which the report says. Raises NeedsTorch, DataError for weights that are
    not the network's, ExportFailed or ExportMismatch where no file can be made that agrees, and UsageError.
    """
    run.need_weights()
    proof = proof_of(run.spec, run.weights) if proven else None
    return _export(run.spec, path, weights_in(run.spec.graph, run.weights), run.learnt, proof)


def export_spec(spec: Spec, path: Path, *, proven: bool = True) -> Report:
    """The same for a spec all of whose weights lie in files that it names."""
    found = spec.fitted()
    if found is None:
        raise NeedsTorch("its weights are initialised")
    files = list(dict.fromkeys(each.file for each in found.taken))
    if proven and (len(files) > 1 or spec.graph.weights.loads[0].into):
        raise NeedsTorch("its weights are of several files, and nothing is stored of what they compute together")
    weights = plain(spec.graph, found)
    return _export(spec, path, weights, {}, proof_of(spec, files[0]) if proven else None)


def proof_of(spec: Spec, weights: Path) -> Proof:
    """What is stored of the outputs of these very weights in this very network. Raises NeedsTorch."""
    place = weights.with_name(PROOF)
    if kind(place) not in ("file", ""):
        raise NeedsTorch(f"{shown(place)} is a {kind(place)}")
    proof = read_proof(place)
    if proof is None:
        raise NeedsTorch("training stored no outputs of its weights")
    if proof.network != digest(spec.graph):
        raise NeedsTorch("the outputs that training stored are those of another network")
    if proof.weights != sha256(weights):
        raise NeedsTorch("the outputs that training stored are those of other weights")
    return proof


def _export(
    spec: Spec, path: Path, weights: Mapping[str, Array], learnt: Mapping[str, Any], proof: Proof | None
) -> Report:
    """Write a network, and hold it against a proof where there is one."""
    exporter = need_exporter(spec, path)
    if getattr(exporter, "cache", False):
        raise NeedsTorch("a network with a memory is compared with the one without")
    ends = ends_of(spec, exporter, learnt)
    about = metadata(__version__, spec.name, spec.text, learnt)
    emission = Emission(spec.graph, weights, output_names(spec.graph), ends, about)
    with beside(path, exporter.extension) as draft:
        written = exporter.emit(emission, draft)
        differences = tuple(_differences(proof, exporter, emission, draft)) if proof is not None else ()
        if proof is not None:
            need_agreement(differences, exporter)
        size = sum(f.stat().st_size for f in draft.parent.iterdir())
        compared = f"{STORED} (torch {proof.torch})" if proof is not None else ""
        return Report(path, size, written.inputs, written.outputs, written.facts, differences, written.note, compared)


def _differences(proof: Proof, exporter: Exporter, of: Emission, file: Path) -> Any:
    """What the file gives against what torch gave."""
    return proof.differences(exporter.opened(file), of.graph, of.ends, exporter.atol, exporter.rtol)
