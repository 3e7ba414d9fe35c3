"""Checkpoints that are damaged after they were written."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from netspec.runtime.store.checkpoint import FILES, MANIFEST, Checkpoints
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from tests.train.small import classes, perceptron, section


def flip(data: bytes, chance: random.Random) -> bytes:
    """The same bytes with one bit turned over."""
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def cut(data: bytes, chance: random.Random) -> bytes:
    """The beginning of the bytes, maybe nothing of them."""
    return data[: chance.randrange(len(data))]


def campaign(times: int, harm: Callable[[bytes, random.Random], bytes], chance: random.Random) -> list[str]:
    """What went wrong in damaging each file of a run's newest checkpoint in turn, so many times in all."""
    faults = []
    with tempfile.TemporaryDirectory() as folder, RunFolder.create(folder, "") as run:
        train(perceptron(), section(optimizer="adamw", epochs=2, checkpoint={"every": 1}), classes(), run)
        said: list[str] = []
        kept = Checkpoints(run.checkpoints, warn=said.append)
        _, newest = kept.list()
        for number in range(times):
            name = (*FILES, MANIFEST)[number % 3]
            whole = (newest / name).read_bytes()
            (newest / name).write_bytes(harm(whole, chance))
            said.clear()
            faults += [f"{name}, case {number}: {fault}" for fault in _faults(kept, newest, said)]
            (newest / name).write_bytes(whole)
    return faults


def _faults(kept: Checkpoints, newest: Path, said: list[str]) -> list[str]:
    """What is not as it must be where the newest of two checkpoints is damaged."""
    found = kept.newest()
    told = len(said) == 1 and f"{newest.name} is damaged" in said[0] and "the one before it is taken" in said[0]
    faults = [] if told else [f"it said {said}"]
    if found is None or found[1]["position"]["epoch"] != 1:
        faults.append("the checkpoint before it was not taken")
    return faults
