"""Where weights lie: one file, a set of files with an index, or a folder that has either, such as a run's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from netspec.errors import DataError
from netspec.files import need_file, shown
from netspec.paths import real
from netspec.weights.header import Entry, read_header

INDEX: Final = ".index.json"
"""How the name of an index ends."""
MAX_INDEX: Final = 64 * 2**20
"""Bytes of an index, at most."""
MAX_FILES: Final = 10_000
"""Files of a set, at most."""
RUN: Final = "spec.yaml"
"""What a run's folder is known by."""
BEST: Final = ("best.safetensors", "last.safetensors")
"""A run's weights: its best, or where nothing was measured its last."""
PLACES: Final = ("model.safetensors.index.json", "model.safetensors")
"""What weights are called in a folder that others made."""


class Held(NamedTuple):
    """A tensor in a file."""

    file: Path
    entry: Entry


@dataclass(frozen=True, slots=True)
class Stored:
    """Weights by the headers of their files: every tensor by its name there."""

    tensors: Mapping[str, Held]
    metadata: Mapping[str, str]
    note: str = ""
    """What of them a person should know."""


def stored(path: Path, root: Path | None = None) -> Stored:
    """What weights lie at a path, which may not lead out of `root`. Raises DataError."""
    if root is not None:
        need_inside(path, root, "the folder of the spec")
    if path.is_dir():
        return _in_folder(path)
    if path.name.endswith(".json"):
        return _sharded(path)
    header = read_header(path)
    return Stored({name: Held(path, entry) for name, entry in header.tensors.items()}, header.metadata)


def need_inside(path: Path, root: Path, what: str) -> None:
    """Refuse what lies outside of a folder, links followed. Raises DataError."""
    if not real(path).is_relative_to(real(root)):
        raise DataError(f"the weights {shown(path.name)} lie outside {shown(root)}, {what}")


def _in_folder(folder: Path) -> Stored:
    """The weights of a folder: those of a run, or a file or an index under a usual name. Raises DataError."""
    run = (folder / RUN).is_file()
    for name in BEST if run else PLACES:
        path = folder / name
        if path.exists() or path.is_symlink():
            need_inside(path, folder, "which is named")
            found = _sharded(path) if name.endswith(INDEX) else stored(path)
            note = f"{shown(folder)} has no best weights, its last are taken" if run and name != BEST[0] else ""
            return Stored(found.tensors, found.metadata, note)
    if run:
        raise DataError(f"the run in {shown(folder)} has no weights yet. Go on with it, or name another.")
    raise DataError(f"{shown(folder)} is no run's folder and has no {' or '.join(reversed(PLACES))}. Name the file.")


def _sharded(path: Path) -> Stored:
    """What the files hold that an index names, each once and as the index has it."""
    files = _index(path)
    tensors: dict[str, Held] = {}
    metadata: dict[str, str] = {}
    for name in dict.fromkeys(files.values()):
        shard = path.parent / name
        need_inside(shard, path.parent, "that of their index")
        header = read_header(shard)
        for tensor, entry in header.tensors.items():
            if files.get(tensor) != name:
                where = f"in {shown(files[tensor])}" if tensor in files else "nowhere"
                raise DataError(f"{shown(shard)} holds {shown(tensor)}, which {shown(path)} has {where}")
            tensors[tensor] = Held(shard, entry)
        metadata |= header.metadata
    for tensor, name in files.items():
        if tensor not in tensors:
            raise DataError(f"{shown(path)} has {shown(tensor)} in {shown(name)}, and it is not there")
    return Stored({name: tensors[name] for name in files}, metadata)


def _index(path: Path) -> dict[str, str]:
    """The file of each tensor, by an index. Raises DataError."""
    need_file(path, "an index of weights, such as model.safetensors.index.json")
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_INDEX + 1)
        if len(text) > MAX_INDEX:
            raise ValueError(f"it takes more than {MAX_INDEX:,} bytes")
        found = json.loads(text, parse_int=float, parse_constant=float)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        ours = isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError | UnicodeDecodeError)
        raise DataError(f"{shown(path)} holds no index of weights: {error if ours else 'it is no JSON'}") from None
    files = found.get("weight_map") if isinstance(found, dict) else None
    if fault := _fault(files):
        raise DataError(f"{shown(path)} holds no index of weights: {fault}")
    assert isinstance(files, dict)
    return files


def _fault(files: Any) -> str:
    """What is wrong with the files that an index names; empty where nothing is."""
    if not isinstance(files, dict) or not files:
        return "expected weight_map, the file of each tensor"
    names = {name if isinstance(name, str) else "" for name in files.values()}
    if len(names) > MAX_FILES:
        return f"it names {len(names):,} files, at most {MAX_FILES:,} are read"
    for name in names:
        plain = PurePosixPath(name)
        climbs = plain.is_absolute() or ".." in plain.parts or "\\" in name or ":" in name or "\0" in name
        if not name or climbs:
            return f"{shown(name)!r} is no file in its folder"
        if plain.suffix != ".safetensors":
            return f"{shown(name)!r} is not called .safetensors"
    return ""
