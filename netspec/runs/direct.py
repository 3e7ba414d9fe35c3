"""Export from the files of a run alone: torch is not imported, and what training left is what a file is held against.

Where that is no way `NeedsTorch` says why: no proof was left, weights are still to be drawn, a step has no form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.exporters.base import Exporter, NeedsTorch
from netspec.files import is_stream, kind, sha256, shown
from netspec.json_text import json_text
from netspec.meanwhile import meanwhile
from netspec.runs.formats import ahead_of, ends_of, need_exporter, one_view, output_names
from netspec.runs.taken import taken
from netspec.runtime.export.emission import Array, Emission
from netspec.runtime.export.manifest import Origin, manifest
from netspec.runtime.export.metadata import metadata
from netspec.runtime.export.places import beside
from netspec.runtime.export.proof import PLAIN, Case, Proof, as_taken, digest, read_proof
from netspec.runtime.export.report import Report, need_agreement
from netspec.runtime.export.tolerance import Difference
from netspec.runtime.network.plain import plain, weights_in
from netspec.runtime.store.own import PROOF
from netspec.spec import Spec
from netspec.version import __version__

if TYPE_CHECKING:
    from netspec.runs.run import Run

STORED: Final = "outputs stored by training"
WHERE: Final = "With --with-torch the step is named at which they begin to differ."
LEFT: Final = ("columns", "tokenizer", "classes", "values")
"""What stands beside a file that does not do all of the job."""


def export_run(run: Run, path: Path, *, proven: bool = True) -> Report:
    """Write the best weights of a run to a file that agrees with what training left of them.

    Not `proven`, it is compared with nothing, which the report says. Raises NeedsTorch, DataError for weights that are
    not the network's, ExportFailed or ExportMismatch where no file can be made that agrees, and UsageError.
    """
    run.need_weights()
    sums = meanwhile(partial(sha256, run.weights))
    proof = proof_of(run.spec, run.weights, sums) if proven else None
    weights = weights_in(run.spec.graph, run.weights)
    return write(run.spec, path, weights, sums, run.learnt, proof)


def export_spec(spec: Spec, path: Path, *, proven: bool = True) -> Report:
    """The same for a spec all of whose weights lie in files that it names."""
    found = spec.fitted()
    if found is None:
        raise NeedsTorch("its weights are initialised")
    files = list(dict.fromkeys(each.file for each in found.taken))
    if proven and (len(files) > 1 or any(load.into or load.rename for load in spec.graph.weights.loads)):
        raise NeedsTorch("its weights are brought to other places, and nothing is stored of what they compute there")
    learnt, said = taken(spec)
    if learnt is None and spec.experiment.data is not None:
        raise NeedsTorch("what its data taught is not known")
    sums = meanwhile(partial(sha256, files[0])) if len(files) == 1 else str
    weights = plain(spec.graph, found)
    report = write(spec, path, weights, sums, learnt or {}, proof_of(spec, files[0], sums) if proven else None)
    return replace(report, note="; ".join(filter(None, (report.note, said))))


def proof_of(spec: Spec, weights: Path, sums: Callable[[], str]) -> Proof:
    """What is stored of the outputs of these very weights in this very network.

    `sums` waits for the checksum of the file of weights. Raises NeedsTorch.
    """
    place = weights.with_name(PROOF)
    if kind(place) not in ("file", ""):
        raise NeedsTorch(f"{shown(place)} is a {kind(place)}")
    proof = read_proof(place)
    if proof is None:
        raise NeedsTorch("training stored no outputs of its weights")
    if proof.network != digest(spec.graph):
        raise NeedsTorch("the outputs that training stored are those of another network")
    if proof.weights != sums():
        raise NeedsTorch("the outputs that training stored are those of other weights")
    return proof


def write(
    spec: Spec,
    path: Path,
    weights: Mapping[str, Array],
    sums: Callable[[], str],
    learnt: Mapping[str, Any],
    proof: Proof | None,
    compared: str = "",
    finish: Callable[[Exporter, Emission, Path], str] | None = None,
) -> Report:
    """Write a network of these weights and hold it against a proof, if any.

    `sums` waits for the checksum of the file that the weights are of. `compared` says what the proof is, where it is
    not what training stored. `finish` makes another file of one that is proven, and says what that costs. Raises as
    `export_run` does.
    """
    exporter = need_exporter(spec, path)
    if exporter.calibrated and finish is None:
        raise NeedsTorch("int8 is calibrated on the training data")
    if exporter.remembers:
        raise NeedsTorch("a network with a memory is compared with the one without")
    ahead, left = ahead_of(spec, exporter, learnt)
    ends = ends_of(spec, exporter, learnt)
    about = metadata(__version__, spec.name, spec.text, learnt)
    of = Emission(spec.graph, weights, output_names(spec.graph), ends, ahead, about)
    cases = proof.cases_for(of) if proof is not None else []
    if proof is not None and not cases:
        raise NeedsTorch("training stored nothing of what becomes of samples before their transforms")
    with beside(path, exporter.extension) as draft:
        written = exporter.emit(of, draft)
        differences: tuple[Difference, ...] = ()
        where = "" if compared else WHERE
        compared = compared or (f"{STORED} (torch {proof.torch})" if proof is not None else "")
        if proof is not None:
            differences = tuple(proof.differences(exporter.opened(draft), of, exporter.atol, exporter.rtol))
            need_agreement(differences, exporter, where)
        told = finish(exporter, of, draft) if finish is not None else ""
        compared += ", before it was quantised" if told and compared else ""
        origin = Origin(digest(spec.graph), sums(), proof.data if proof else "", proof.torch if proof else "")
        run = exporter.opened(draft) if told and proof is not None else None
        gives: list[tuple[Case, Sequence[Array]]]
        gives = [(case, [ends.get(i, PLAIN)(x) for i, x in enumerate(case.outputs)]) for case in cases]
        if run is not None and proof is not None:  # what it gives is its own from here on
            gives = [(case, run(as_taken(proof.inputs(case, spec.graph), of))) for case in cases]
        raw = list(zip(proof.raw, ahead.values(), strict=True)) if proof is not None and ahead else []
        pools = proof.pools if proof else ()
        exporter.seal(draft, manifest(origin, exporter, compared, spec.graph.inputs, pools, gives, raw))
        if left and not is_stream(path):
            known = {key: learnt[key] for key in LEFT if key in learnt}
            draft.with_name(f"{draft.name}.json").write_text(json_text(known, 1) + "\n", "utf-8")
        size = sum(f.stat().st_size for f in draft.parent.iterdir())
        note = "; ".join(filter(None, (written.note, left, told, one_view(spec))))
        return Report(path, size, written.inputs, written.outputs, written.facts, differences, note, compared)
