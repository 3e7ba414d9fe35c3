"""Leaves a proof in a run's folder: what torch gives with the best weights for a few samples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from torch import nn

from netspec.dims import Size, substitute
from netspec.files import saving, sha256
from netspec.graph.model import Graph
from netspec.ops.sources import Noise
from netspec.runs.cells import cells_of
from netspec.runs.raw import raw_forms
from netspec.runs.validation import part_of, untouched, validation
from netspec.runtime.data.split import Data
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.made_up import Form, drawn
from netspec.runtime.export.proof import MAX_BYTES, Case, Proof, digest, packed
from netspec.runtime.export.subject import BATCHES, Inputs, sized, tensors
from netspec.runtime.network.build import build
from netspec.runtime.network.weights import save_weights
from netspec.runtime.store.own import PROOF
from netspec.spec import Spec

REAL: Final = 8
"""Samples of the validation data, at most."""
ROOM: Final = MAX_BYTES // 4
"""Bytes of those, at most, if they are several."""
MACS: Final = 5 * 10**10
"""Multiply-accumulates that a proof takes, at most: some seconds of a processor."""
NEEDED: Final = 2
"""Without its first cases, of two batch sizes, nothing is proven."""


def prove(spec: Spec, data: Data, folder: Path) -> None:
    """Write what the best weights of the run in a folder give, computed on the CPU as an exported file would.

    Nothing is written for a network that gives other results each time, or is too large for a quick look. Raises
    UsageError where the disk refuses.
    """
    best, place = folder / "best.safetensors", folder / PROOF
    with saving(place):
        place.unlink(missing_ok=True)
    drawn = any(isinstance(step.op, Noise) and not step.training for step in spec.graph.root.walk())
    if drawn or not best.is_file() or _macs(spec.graph, {}) * sum(BATCHES[:NEEDED]) > MACS:
        return
    with contextlib.suppress(Exception):  # whatever made-up inputs raise: the run is done, and stays good
        proof = proof_now(spec, build(spec, best), data, weights=sha256(best))
        if len(proof.cases) >= NEEDED:
            arrays, metadata = packed(proof)
            save_weights({name: torch.from_numpy(x) for name, x in arrays.items()}, place, metadata)


def proof_now(spec: Spec, network: nn.Module, data: Data | None, weights: str = "", most: int = MACS) -> Proof:
    """What a network on the CPU gives for made-up samples and for real ones, in at most so many accumulations.

    Raises NetspecError where it runs with none of the sizes that are tried.
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        seen = _few(next(validation(spec, data), ()))
        examples = Examples(spec.graph.inputs, seen)
        forms = tuple(raw_forms(data.learnt)) if data is not None and _has_raw(spec, data) else ()
        if data is not None and spec.experiment.data is not None and forms:
            for place, cells in cells_of(spec.experiment.data.source, data.learnt, in_bytes=False).items():
                examples.pools[place] = cells.pool() if cells.tables else examples.pools[place]
        given = _few(_begun(data)) if data is not None and forms else ()
        cases = tuple(_cases(spec, network.eval(), examples, (seen, given), data, forms, most))
    about = {"torch": torch.__version__, "network": digest(spec.graph), "weights": weights}
    found = data.fingerprint() if data is not None else ""
    return Proof(cases, tuple(examples.pools), data=found, raw=forms, **about)


def _few(inputs: Inputs) -> Inputs:
    """The first of these samples, as many as there is room for."""
    each = sum(x[:1].nbytes for x in inputs)
    return tuple(x[: min(REAL, max(1, ROOM // max(1, each)))].cpu() for x in inputs)


def _begun(data: Data) -> Inputs:
    """Samples of the data as its source has them: those that are streamed come so, of others some were kept."""
    return data.begun or next(untouched(data.val or data.train).batches(REAL))[0]


def _has_raw(spec: Spec, data: Data) -> bool:
    """Whether samples can be made up as they are before any transform."""
    known = all(dtype in ("uint8", "float32", "int64", "bool") for _, dtype, _ in raw_forms(data.learnt))
    return known and len(data.learnt["values"]) == len(spec.graph.inputs)


def _cases(
    spec: Spec,
    network: nn.Module,
    examples: Examples,
    real: tuple[Inputs, Inputs],
    data: Data | None,
    raw: Sequence[Form],
    most: int,
) -> Iterator[Case]:
    """Made-up samples at every batch size and at other sizes, and real ones, as far as work and room go.

    `real` are those as the network takes them, and as the source has them.
    """
    seen, given = real
    first, *others = examples.sizes(network)
    planned = [Case(f"batch {batch}", (), (), batch, first, batch) for batch in BATCHES]
    planned += [Case(f"batch 2, {sized(sizes)}", (), (), 2, sizes, len(BATCHES)) for sizes in others]
    if seen:
        planned.append(Case(part_of(data), (), tuple(x.numpy() for x in seen), len(seen[0]), first))
    if raw:
        planned += [Case(f"batch {batch}", (), (), batch, first, batch, raw=True) for batch in BATCHES]
    if raw and given:
        planned.append(Case(part_of(data), (), tuple(x.numpy() for x in given), len(given[0]), first, raw=True))
    work = room = 0
    for case in planned:
        work += case.batch * _macs(spec.graph, case.sizes)
        if work > most:
            return
        inputs: Inputs = seen if case.inputs else examples.draw(case.batch, case.sizes, seed=case.seed)
        if case.raw and data is not None:
            forms = [([case.batch, *shape], dtype, between) for shape, dtype, between in raw]
            begun = given if case.inputs else tuple(map(torch.from_numpy, drawn(forms, examples.pools, case.seed)))
            inputs, _ = data.steps((begun, {}))
        case = replace(case, outputs=tuple(x.contiguous().numpy() for x in tensors(network(*inputs))))
        if room + case.nbytes <= MAX_BYTES:
            room += case.nbytes
            yield case


def _macs(graph: Graph, sizes: Mapping[str, int]) -> int:
    """Multiply-accumulates of one sample of these sizes; 0 where they cannot be told."""
    found = graph.macs()
    count = substitute(found, dict[str, Size](sizes)) if found is not None else 0
    return count if isinstance(count, int) else 0
