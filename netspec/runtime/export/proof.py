"""The proof of a network: what torch gives for a few inputs, which a file of it is held against. Needs no torch.

Training leaves one beside the best weights. It says by checksums for which weights and which network it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError, ExportMismatch
from netspec.files import kind, shown
from netspec.graph.model import Graph
from netspec.json_text import json_text
from netspec.runtime.export.emission import Array, Emission, End, Run
from netspec.runtime.export.made_up import Form, drawn, made_up, read_between
from netspec.runtime.export.tolerance import Difference
from netspec.runtime.store.arrays import read_arrays
from netspec.runtime.store.notes import plain
from netspec.sections.experiment import Experiment
from netspec.tensors import Tensor, show
from netspec.views.meaning import meaning
from netspec.weights.header import read_header

FORMAT: Final = "2"
ABOUT: Final = "netspec.proof"
"""Under this name the metadata of the file say what its tensors are."""
MAX_BYTES: Final = 4 * 2**20
"""Bytes of a proof, at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """Inputs, and what the network gives for them: its own outputs, flattened, before anything is put behind."""

    what: str
    """What the samples are, in words."""
    outputs: tuple[Array, ...]
    inputs: tuple[Array, ...] = ()
    """Those of real data; none where they are made up."""
    batch: int = 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    seed: int = 0
    raw: bool = False
    """Whether it begins with samples as the source has them, before any transform."""

    @property
    def nbytes(self) -> int:
        """What it takes in a file."""
        return sum(x.nbytes for x in (*self.inputs, *self.outputs))

    @property
    def said(self) -> dict[str, Any]:
        """All of it but the arrays, as plain data."""
        said = {"what": self.what, "inputs": len(self.inputs), "outputs": len(self.outputs)}
        return said | {"batch": self.batch, "sizes": dict(self.sizes), "seed": self.seed, "raw": self.raw}


@dataclass(frozen=True, slots=True)
class Proof:
    """What a network gives for some inputs, and which network that is."""

    cases: tuple[Case, ...]
    pools: tuple[Array | None, ...]
    """For each input the whole numbers that made-up ones are of; None for floats, and where none are known."""
    torch: str
    """The version of torch that computed it."""
    network: str
    """The digest of the network's graph."""
    weights: str
    """The SHA-256 of the file of its weights."""
    data: str = ""
    """The fingerprint of the data that it was trained on."""
    raw: tuple[Form, ...] = ()
    """What samples are before any transform: the shape of one, and its numbers, for each input; none where unknown."""

    def inputs(self, case: Case, graph: Graph) -> tuple[Array, ...]:
        """What a case is computed from."""
        if case.raw and not case.inputs:
            forms = [([case.batch, *shape], dtype, between) for shape, dtype, between in self.raw]
            return drawn(forms, self.pools, case.seed)
        return case.inputs or made_up(graph.inputs, self.pools, case.batch, case.sizes, case.seed)

    def cases_for(self, of: Emission) -> list[Case]:
        """The cases that a file is held against: those that begin where it begins."""
        return [case for case in self.cases if case.raw is bool(of.ahead)]

    def differences(self, run: Run, of: Emission, atol: float, rtol: float) -> Iterator[Difference]:
        """What a file gives against what the network gave. Raises ExportMismatch where a shape is another."""
        for case in self.cases_for(of):
            found = run(as_taken(self.inputs(case, of.graph), of))
            parts = [
                of.ends.get(i, PLAIN).apart(case.what, _shaped(a, b, of.ends.get(i, PLAIN), case.what), b, atol, rtol)
                for i, (a, b) in enumerate(zip(found, case.outputs, strict=True))
            ]
            worst = parts[0]
            for part in parts[1:]:
                worst = worst.joined(part, part.samples)
            yield replace(worst, samples=case.batch)


PLAIN: Final = End()


def as_taken(inputs: Sequence[Array], of: Emission) -> list[Array]:
    """Samples as a file takes them: what the network takes, or where the file begins before that, what the data has."""
    pairs = zip(of.graph.inputs, inputs, strict=True)
    return [of.ahead[name].given(x) if name in of.ahead else x for name, x in pairs]


def _shaped(found: Array, scores: Array, end: End, what: str) -> Array:
    """What a file gives, of the shape that it is to have. Raises ExportMismatch."""
    wanted = end.gives(Tensor(scores.shape))
    shape = wanted.shape if wanted is not None else scores.shape
    if found.shape != shape:
        raise ExportMismatch(f"for {what} the file gives {show(found.shape)}, the network {show(shape)}")
    return found


def digest(graph: Graph) -> str:
    """What tells one network from another, whatever weights it has."""
    alone = replace(graph, weights=type(graph.weights)())  # where they come from is another matter
    return sha256(json_text(meaning(alone, Experiment())).encode()).hexdigest()


def packed(proof: Proof) -> tuple[dict[str, Array], dict[str, str]]:
    """A proof as the tensors and the metadata of a file."""
    arrays: dict[str, Array] = {}
    for i, case in enumerate(proof.cases):
        arrays |= {f"{i}.input.{j}": x for j, x in enumerate(case.inputs)}
        arrays |= {f"{i}.output.{j}": x for j, x in enumerate(case.outputs)}
    arrays |= {f"pool.{i}": pool for i, pool in enumerate(proof.pools) if pool is not None}
    about = {"format": FORMAT, "torch": proof.torch, "network": proof.network, "weights": proof.weights}
    about |= {"data": proof.data, "inputs": str(len(proof.pools)), "raw": json_text(proof.raw)}
    said = json_text([case.said for case in proof.cases])
    return arrays, about | {ABOUT: said}


def read_proof(path: Path) -> Proof | None:
    """The proof in a file; None where there is none, or of another format. Raises DataError for a damaged one."""
    if not kind(path):
        return None
    about = read_header(path).metadata
    if about.get("format") != FORMAT:
        return None
    arrays = read_arrays(path)
    try:
        cases = tuple(_case(i, said, arrays) for i, said in enumerate(plain(about[ABOUT].encode())))
        pools = tuple(arrays.get(f"pool.{i}") for i in range(int(about["inputs"])))
        raw = tuple(_form(*form) for form in plain(about["raw"].encode()))
        return Proof(cases, pools, about["torch"], about["network"], about["weights"], about["data"], raw)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise DataError(f"{shown(path)} is not what training left there. Delete it, and torch is asked.") from None


def _form(shape: Sequence[int], dtype: str, between: Any) -> Form:
    """What samples are, as it is kept. Raises TypeError or ValueError for what is none."""
    return tuple(int(size) for size in shape), str(dtype), read_between(between)


def _case(place: int, said: Mapping[str, Any], arrays: Mapping[str, Array]) -> Case:
    """A case as it is kept. Raises LookupError, TypeError or ValueError for what is none."""
    inputs = tuple(arrays[f"{place}.input.{i}"] for i in range(said["inputs"]))
    outputs = tuple(arrays[f"{place}.output.{i}"] for i in range(said["outputs"]))
    if not outputs:
        raise ValueError("a case gives nothing")
    sizes = {str(name): int(size) for name, size in said["sizes"].items()}
    return Case(str(said["what"]), outputs, inputs, int(said["batch"]), sizes, int(said["seed"]), bool(said["raw"]))
