"""Runs that are killed at random points and resumed.

Every step of every resumed run must have the state that a run has which was never stopped, and
every checkpoint that is there after a kill must be whole.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path

from torch import nn

from netspec.runtime.store.checkpoint import Checkpoints, check
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.progress import Silent
from netspec.runtime.train.run import train
from tests.train.small import classes, perceptron, section

TRAIN = section(
    optimizer="adamw lr=0.01",
    scheduler="cosine warmup=5",
    epochs=40,
    metrics=["accuracy"],
    ema=0.9,
    checkpoint={"every": 1, "steps": 3, "keep": 2},
)
MISMATCH = 9


def digest(module: nn.Module) -> str:
    """A hash of all weights and buffers."""
    found = hashlib.sha256()
    for tensor in module.state_dict().values():
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


class Golden(Silent):
    """Notes the state after every step, or holds it against what was noted."""

    interval = 0.0

    def __init__(self, module: nn.Module, states: dict[tuple[int, int], str], compare: bool) -> None:
        self.module, self.states, self.compare = module, states, compare

    def tick(self, epoch: int, step: int, loss: float) -> None:
        found = digest(self.module)
        if self.compare and self.states[epoch, step] != found:
            os._exit(MISMATCH)
        self.states[epoch, step] = found


def one(folder: Path, states: dict[tuple[int, int], str]) -> None:
    """A run from wherever the folder has come to, in a process of its own. Never returns."""
    warnings.simplefilter("error")
    module = perceptron(dropout=0.3, norm=True)
    begun = (folder / "spec.yaml").exists()
    with RunFolder.open(folder) if begun else RunFolder.create(folder, "") as run:
        saved = run.saved
        if not saved:
            run.begin_again()
        train(module, TRAIN, classes(), run, resume=saved, progress=Golden(module, states, compare=True))
    os._exit(0)


def campaign(kills: int, chance: random.Random) -> list[str]:
    """What went wrong in so many kills."""
    states: dict[tuple[int, int], str] = {}
    module = perceptron(dropout=0.3, norm=True)
    train(module, TRAIN, classes(), progress=Golden(module, states, compare=False))
    faults: list[str] = []
    root = Path(tempfile.mkdtemp())
    folder, done, finished = root / "0", 0, 0
    while done < kills or not finished:
        child = os.fork()
        if not child:
            one(folder, states)
        if done < kills:
            time.sleep(chance.uniform(0, 0.4))
            os.kill(child, signal.SIGKILL)
            done += 1
        status = os.waitpid(child, 0)[1]
        for place in Checkpoints(folder / "checkpoints").list():
            check(place)
        if status not in (0, signal.SIGKILL):
            faults.append(f"kill {done}: the run in {folder} ended with status {status}")
        if status != signal.SIGKILL:
            finished += 1
            folder = root / str(finished)
    shutil.rmtree(root)
    return faults
