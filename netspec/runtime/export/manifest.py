"""The manifest of an exported file: what it was written of, what it was compared with, and checks to repeat that.

It is the last field of the file, and has the checksum of all before it. So a file that a tool has changed is known, and
one that somebody forged is not: whoever can write the file can write a manifest. Needs no torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np

from netspec.errors import DataError
from netspec.exporters.base import Exporter
from netspec.files import sha256, shown, sync
from netspec.json_text import json_text
from netspec.meanwhile import meanwhile
from netspec.optional import installed
from netspec.runtime.export.emission import Ahead, Array, Run
from netspec.runtime.export.made_up import Between, Form, drawn, forms, read_between
from netspec.runtime.export.model_file import KEY, METADATA, VALUE, Said, read_said
from netspec.runtime.export.proof import Case
from netspec.runtime.export.tolerance import Difference, difference
from netspec.runtime.store.notes import plain
from netspec.tensors import Tensor
from netspec.version import __version__
from netspec.views.onnx.file import head

MANIFEST: Final = "netspec.manifest"
FORMAT: Final = 1
PACKAGES: Final = ("onnx", "onnxruntime", "numpy")
"""Whose versions it tells."""
NUMBERS: Final = 256
"""Numbers of an output that a check holds, at most, evenly spaced."""
MADE: Final = 2**24
"""Numbers of the made-up inputs of a check, at most."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file was written of, by checksums."""

    network: str = ""
    weights: str = ""
    """Of the file of weights; empty for a network that was never saved."""
    data: str = ""
    """The fingerprint of the data that it was trained on."""
    torch: str = ""
    """The version that computed what the file was compared with."""


def manifest(
    origin: Origin,
    exporter: Exporter,
    compared: str,
    inputs: Mapping[str, Tensor],
    pools: Sequence[Array | None],
    cases: Iterable[tuple[Case, Sequence[Array]]],
    raw: Sequence[tuple[Form, Ahead]] = (),
) -> dict[str, Any]:
    """A manifest as plain data. Each case comes with what the file gives for it; those that are not made up stay out.

    So no sample of the data goes with the file.
    """
    versions = {"netspec": __version__, "torch": origin.torch or None}
    versions |= {name: installed(name) for name in PACKAGES}
    return {
        "format": FORMAT,
        "network": origin.network or None,
        "weights": origin.weights or None,
        "data": origin.data or None,
        "versions": versions,
        "compared": compared or None,
        "tolerance": {"atol": exporter.atol, "rtol": exporter.rtol},
        "pools": [None if pool is None else pool.tolist() for pool in _pools(pools, raw)],
        "checks": [_check(case, inputs, gives, raw) for case, gives in cases if not case.inputs],
    }


def _check(
    case: Case, inputs: Mapping[str, Tensor], gives: Sequence[Array], raw: Sequence[tuple[Form, Ahead]]
) -> dict[str, Any]:
    """A case that can be repeated from the manifest alone."""
    taken: list[dict[str, Any]] = [
        {"shape": shape, "dtype": dtype} for shape, dtype, _ in forms(inputs, case.batch, case.sizes)
    ]
    if raw:
        taken = [{"shape": [case.batch, *shape], **_drawn_as(dtype, between, x)} for (shape, dtype, between), x in raw]
    return {"what": case.what, "seed": case.seed, "inputs": taken, "outputs": [_spaced(x) for x in gives]}


def _drawn_as(dtype: str, between: Between | None, of: Ahead) -> dict[str, Any]:
    """How an input that begins before the network is drawn: floats of what are bytes in the data are made of bytes."""
    if of.cells is not None:
        return {"dtype": of.cells.dtype}
    more: dict[str, Any] = {"peak": of.peak} if of.tensor.dtype != dtype else {}
    return {"dtype": dtype} | more | ({"between": list(between)} if between is not None else {})


def _pools(pools: Sequence[Array | None], raw: Sequence[tuple[Form, Ahead]]) -> Iterator[Array | None]:
    """What whole numbers are drawn from, and texts in their place where the file takes such."""
    for place, pool in enumerate(pools):
        cells = raw[place][1].cells if raw else None
        yield pool if pool is None or cells is None else cells.of(pool.T).T


def _spaced(output: Array) -> dict[str, Any]:
    """Some numbers of an output, and the largest of all, which the tolerance is a part of."""
    flat = output.reshape(-1)
    if output.dtype == np.object_:
        return {"shape": list(output.shape), "step": 1, "largest": 0, "values": [str(x) for x in flat]}
    step = max(1, -(-flat.size // NUMBERS))
    finite = np.abs(flat[np.isfinite(flat)].astype(np.float64))
    values = [_number(value) for value in flat[::step]]
    return {"shape": list(output.shape), "step": step, "largest": float(finite.max(initial=0)), "values": values}


def _number(value: Any) -> Any:
    """A number with as many digits as it has: a float32 of 9, whole ones and answers as they are; else None."""
    if isinstance(value, np.floating):
        return float(f"{float(value):.9g}") if np.isfinite(value) else None
    return value.item()


def seal(file: Path, said: Mapping[str, Any]) -> None:
    """Put a manifest at the end of a file, with the checksum of what is there, and of the tensors beside it."""
    beside = file.with_name(f"{file.name}.data")
    on_disk = [meanwhile(partial(sync, each)) for each in (file, beside) if each.is_file()]
    sums = {"sha256": sha256(file), "beside": sha256(beside) if beside.is_file() else None}
    for wait in on_disk:
        wait()
    value = json_text({**said, **sums}).encode()
    entry = head(KEY, len(MANIFEST)) + MANIFEST.encode() + head(VALUE, len(value)) + value
    with file.open("ab") as stream:
        stream.write(head(METADATA, len(entry)) + entry)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file with its manifest."""

    path: Path
    said: Said
    manifest: Mapping[str, Any]

    @property
    def fault(self) -> str:
        """Why it is not the file that was written; empty where it is."""
        if self.said.last != MANIFEST:
            return "something was written behind its manifest"
        if sha256_of(self.path, self.said.body) != self.manifest["sha256"]:
            return "its bytes are not those that were written"
        beside = self.beside
        if self.manifest.get("beside") and not beside.is_file():
            return f"{beside.name} is not beside it"
        if self.manifest.get("beside") and sha256(beside) != self.manifest["beside"]:
            return f"{beside.name} is not what was written beside it"
        return ""

    @property
    def beside(self) -> Path:
        """The file that belongs to it, if any: of ONNX its tensors, where they are large."""
        return self.path.with_name(f"{self.path.name}.data")

    def differences(self, run: Run) -> list[Difference]:
        """What it gives now against what it was to give. Raises DataError for checks that are none."""
        try:
            return [self._difference(run, check) for check in self.manifest["checks"]]
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            _refuse(self.path, error)

    def _difference(self, run: Run, check: Mapping[str, Any]) -> Difference:
        """One check."""
        atol, rtol = (float(self.manifest["tolerance"][name]) for name in ("atol", "rtol"))
        pools = [None if pool is None else _pool(pool) for pool in self.manifest["pools"]]
        taken = [_form(**each) for each in check["inputs"]]
        if sum(prod(shape) for shape, *_ in taken) > MADE or any(size < 0 for shape, *_ in taken for size in shape):
            raise ValueError("a check is too large")
        peaks = [each.get("peak") for each in check["inputs"]]
        given = drawn(taken, pools, int(check["seed"]))
        found = run(
            [x.astype(np.float32) / np.float32(peak) if peak else x for x, peak in zip(given, peaks, strict=True)]
        )
        parts = [_apart(check, *pair, atol, rtol) for pair in zip(found, check["outputs"], strict=True)]
        samples = taken[0][0][0] if taken and taken[0][0] else 1
        worst = parts[0]
        for part in parts[1:]:
            worst = worst.joined(part, samples)
        return replace(worst, samples=samples)


def _form(shape: Any, dtype: Any, peak: Any = None, between: Any = None) -> Form:
    """How an input is drawn. Raises TypeError or ValueError."""
    return [int(size) for size in shape], str(dtype), read_between(between)


def _pool(kept: Any) -> Array:
    """What an input is drawn from: whole numbers or texts, in one row or one for each column. Raises ValueError."""
    flat = [x for row in kept for x in (row if isinstance(row, list) else [row])]
    found = np.array(kept, np.object_ if any(isinstance(x, str) for x in flat) else np.int64)
    if found.ndim not in (1, 2) or not found.size:
        raise ValueError("a pool is neither a row nor one for each column")
    return found


def _apart(check: Mapping[str, Any], output: Array, known: Mapping[str, Any], atol: float, rtol: float) -> Difference:
    """How an output differs from the numbers that are known of it. Raises ValueError for another shape."""
    if list(output.shape) != known["shape"]:
        raise ValueError("an output has another shape")
    found = output.reshape(-1)[:: int(known["step"])]
    if found.dtype == np.object_:
        wrong = float(found.tolist() != known["values"])
        return Difference(str(check["what"]), len(found), wrong, wrong, 1, wrong)
    if found.dtype.kind == "f":
        found = np.where(np.isfinite(found), found, np.nan)
    wanted = np.array([np.nan if value is None else value for value in known["values"]], found.dtype)
    if wanted.shape != found.shape:
        raise ValueError("an output has another number of values")
    largest = float(known["largest"])
    one = difference(str(check["what"]), found, wanted, atol + rtol * largest, 0)
    return replace(one, scale=largest, relative=one.absolute / largest if largest else one.absolute and np.inf)


def read_sealed(path: Path) -> Sealed:
    """A file of ONNX with its manifest. Raises DataError where it has none."""
    said = read_said(path)
    return Sealed(path, said, manifest_of(path, said.metadata))


def manifest_of(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The manifest among what a file says of itself. Raises DataError where it has none."""
    if MANIFEST not in metadata:
        text = "netspec did not write it, or a version that left none"
        raise DataError(f"{shown(path)} has no manifest, so there is nothing to hold it against: {text}")
    try:
        found: dict[str, Any] = plain(metadata[MANIFEST])
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, known is {FORMAT}")
        known = {"sha256": str, "checks": list, "pools": list, "tolerance": dict, "versions": dict}
        wrong = [name for name, cls in known.items() if not isinstance(found[name], cls)]
        if wrong:
            raise ValueError(f"{wrong[0]} is not what netspec writes")
    except (LookupError, TypeError, ValueError) as error:
        _refuse(path, error)
    return found


def sha256_of(path: Path, length: int) -> str:
    """The SHA-256 of the first bytes of a file."""
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while length > 0 and (part := stream.read(min(length, 2**20))):
            found.update(part)
            length -= len(part)
    return found.hexdigest()


def _refuse(path: Path, error: Exception) -> NoReturn:
    """Raises DataError for a manifest that is none."""
    raise DataError(f"the manifest of {shown(path)} is none: {shown(str(error))}") from None
