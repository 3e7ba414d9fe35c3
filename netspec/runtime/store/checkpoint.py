"""Checkpoints: a folder for each, checksummed, complete or not there at all.

    checkpoints/step-000001200-0003/     the state after 1,200 steps and three evaluations
        tensors.safetensors     every tensor of the state
        state.json              the rest of it
        manifest.json           size and SHA-256 of both; written last, so a folder without it is no checkpoint

A checkpoint is written beside its place, put on the disk, renamed, read back, and only then is
the oldest one dropped. Which is the newest is decided by its name, never by a clock.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from netspec.drafts import draft
from netspec.errors import DataError
from netspec.files import kind, remove, saving, sha256, sync
from netspec.json_text import json_text
from netspec.runtime.store.notes import read_note
from netspec.runtime.store.packing import pack, unpack
from netspec.runtime.store.safetensors import save_tensors
from netspec.weights.header import read_header
from netspec.words import printable

FORMAT: Final = 3
FILES: Final = ("tensors.safetensors", "state.json")
MANIFEST: Final = "manifest.json"
MAX_MANIFEST: Final = 4096
_NAME: Final = re.compile(r"step-(\d{9,})-(\d{4,})")


class Damaged(Exception):
    """A checkpoint that is not what was written; the message says how."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one run. `warn` is told of each one that is damaged."""

    folder: Path
    """Where each is a folder of its own."""
    keep: int = 3
    """How many are left when another is written."""
    warn: Callable[[str], None] = print

    def save(self, step: int, records: int, state: dict[str, Any]) -> Path:
        """Write the state after so many steps and evaluations.

        Raises UsageError where the disk refuses, and DataError where what was written reads back otherwise.
        """
        place = self.folder / f"step-{step:09d}-{records:04d}"
        if place.exists() and self._fault(place) is None:
            return place
        with saving(place):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(place, state)
        fault = self._fault(place)
        if fault:
            raise DataError(f"{place} reads back otherwise than it was written: {fault}. Older checkpoints are kept.")
        with saving(place):
            for old in self.list()[: -self.keep]:
                remove(old)
        return place

    def _write(self, place: Path, state: dict[str, Any]) -> None:
        """Write a state beside its place and rename it, so that no half of one is ever there."""
        with draft(place) as beside:
            beside.mkdir()
            write_state(beside, state)
            if place.exists():
                remove(place)
            beside.rename(place)
            sync(self.folder)

    def list(self) -> list[Path]:
        """The checkpoints, oldest first."""
        if not self.folder.is_dir():
            return []
        found = [(match, p) for p in self.folder.iterdir() if (match := _NAME.fullmatch(p.name))]
        return [p for m, p in sorted(found, key=lambda item: (int(item[0][1]), int(item[0][2])))]

    def newest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that is whole, and its state; None where there is none at all. Raises DataError."""
        damaged = []
        for place in reversed(self.list()):
            try:
                return place, read_state(place)
            except Damaged as fault:
                damaged.append(f"{place.name}: {fault}")
                self.warn(f"checkpoint {place.name} is damaged ({fault}); the one before it is taken")
        if damaged:
            raise DataError(f"no checkpoint in {self.folder} is whole: {'; '.join(damaged)}")
        return None

    def tidy(self) -> None:
        """Delete what an interrupted save left behind. Raises UsageError where the disk refuses."""
        for left in self.folder.glob(".step-*"):
            with saving(left):
                shutil.rmtree(left)

    def _fault(self, place: Path) -> str | None:
        """What is wrong with the checkpoint at a place; None where it is whole."""
        try:
            check(place)
        except Damaged as fault:
            return str(fault)
        return None


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a state into an empty folder, the manifest last, and everything onto the disk."""
    tensors: dict[str, torch.Tensor] = {}
    packed = pack(state, "state", tensors)
    save_tensors(tensors, folder / FILES[0])
    (folder / FILES[1]).write_text(json_text(packed), encoding="utf-8")
    for name in FILES:
        sync(folder / name)
    (folder / MANIFEST).write_text(json_text(_manifest(folder), 1), encoding="utf-8")
    sync(folder / MANIFEST)
    sync(folder)


def check(folder: Path) -> None:
    """Hold a checkpoint against its manifest. Raises Damaged."""
    try:
        for name in (*FILES, MANIFEST):
            if (what := kind(folder / name)) not in ("file", ""):
                raise Damaged(f"{name} is a {what}")
        with (folder / MANIFEST).open("rb") as stream:
            written = stream.read(MAX_MANIFEST).decode()
        found = _manifest(folder)
    except OSError as error:
        raise Damaged(f"{Path(str(error.filename)).name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Damaged(f"{MANIFEST} is not what was written") from None
    if written == json_text(found, 1):
        return
    for name, entry in found["files"].items():
        if f'"sha256": "{entry["sha256"]}"' not in written:
            raise Damaged(f"{name} ({entry['bytes']:,} bytes) does not match its checksum")
    raise Damaged(f"{MANIFEST} is not what was written")


def _manifest(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of its files: their lengths in bytes and their SHA-256."""
    entries = {name: {"bytes": (folder / name).stat().st_size, "sha256": sha256(folder / name)} for name in FILES}
    return {"format": FORMAT, "files": entries}


def read_state(folder: Path) -> dict[str, Any]:
    """The state that a checkpoint holds. Raises Damaged."""
    check(folder)
    try:
        packed = read_note(folder / FILES[1], lambda packed: "" if isinstance(packed, dict) else "expected a mapping")
        read_header(folder / FILES[0])
        # The file's tensors lie anywhere in memory, and sums over them depend on how they are aligned.
        tensors = {name: tensor.clone() for name, tensor in load_file(folder / FILES[0]).items()}
        state: dict[str, Any] = unpack(packed, tensors)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, DataError, SafetensorError) as error:
        raise Damaged(printable(str(error))) from None
    if not isinstance(state, dict):
        raise Damaged(f"{FILES[1]} is not what was written")
    return state
