"""Leaves a proof in a run's folder: what torch gives with the best weights for a few samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import torch
from torch import nn

from netspec.dims import Size, substitute
from netspec.errors import NetspecError
from netspec.files import saving, sha256
from netspec.graph.model import Graph
from netspec.ops.sources import Noise
from netspec.runs.export import validation
from netspec.runtime.data.split import Data
from netspec.runtime.export.example_inputs import Examples
from netspec.runtime.export.proof import MAX_BYTES, Case, Proof, digest, packed
from netspec.runtime.export.subject import BATCHES, Inputs, sized, tensors
from netspec.runtime.network.build import build
from netspec.runtime.network.weights import save_weights
from netspec.runtime.store.own import PROOF
from netspec.spec import Spec

REAL: Final = 8
"""Samples of the validation data, at most."""
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
    if drawn or not best.is_file() or _macs(spec.graph, {}) * (BATCHES[0] + BATCHES[1]) > MACS:
        return
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        seen = tuple(x[:REAL].cpu() for x in next(validation(spec, data), ()))
        examples = Examples(spec.graph.inputs, seen)
        try:
            cases = list(_cases(spec.graph, build(spec, best).eval(), examples, seen))
        except NetspecError:  # what is trained on real data need not run with made-up inputs
            return
    if len(cases) < NEEDED:
        return
    about = {"torch": torch.__version__, "network": digest(spec.graph), "weights": sha256(best)}
    proof = Proof(tuple(cases), tuple(examples.pools), data=data.fingerprint(), **about)
    arrays, metadata = packed(proof)
    save_weights({name: torch.from_numpy(x) for name, x in arrays.items()}, place, metadata)


def _cases(graph: Graph, network: nn.Module, examples: Examples, seen: Inputs) -> Iterator[Case]:
    """Made-up samples at every batch size and at other sizes, and real ones, as far as work and room go."""
    first, *others = examples.sizes(network)
    drawn = [(f"batch {batch}", batch, first, batch) for batch in BATCHES]
    drawn += [(f"batch 2, {sized(sizes)}", 2, sizes, len(BATCHES)) for sizes in others]
    if seen:
        drawn.append(("validation data", len(seen[0]), first, 0))
    work = room = 0
    for what, batch, sizes, seed in drawn:
        work += batch * _macs(graph, sizes)
        if work > MACS:
            return
        inputs = examples.draw(batch, sizes, seed=seed) if seed else seen
        given = tuple(x.contiguous().numpy() for x in tensors(network(*inputs)))
        case = Case(what, given, () if seed else tuple(x.numpy() for x in seen), batch, sizes, seed)
        room += case.nbytes
        if room > MAX_BYTES:
            return
        yield case


def _macs(graph: Graph, sizes: Mapping[str, int]) -> int:
    """Multiply-accumulates of one sample of these sizes; 0 where they cannot be told."""
    found = graph.macs()
    count = substitute(found, dict[str, Size](sizes)) if found is not None else 0
    return count if isinstance(count, int) else 0
