"""The folder of a run: what was trained, in what surroundings, how it went, and the weights.

spec.yaml               the spec with everything that was set on the command line
spec-1.yaml, ...        those before it, of a run that went on with other epochs, metrics or the like
environment.json        versions and hardware
data.json               what the training data taught: names of classes, numbers of categories, means
metrics.jsonl           a line for each evaluation
base.safetensors        what of the base of adapters is in no other file
best.safetensors        weights of the best evaluation
report.html             all of it as a page to look at
findings.json           what the best weights get right and wrong, sample by sample
proof.safetensors       what torch computes with them for a few samples, which an exported file is held against
last.safetensors        weights of the last one
tensorboard/            the same for TensorBoard, where the spec asks for it
checkpoints/            states to resume from
lock                    held while a run writes here; the system lets go of it when the run ends, however it ends
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any, Self

import torch
from filelock import BaseFileLock

from netspec.errors import UsageError
from netspec.files import saving, sync, write_text
from netspec.json_text import json_text
from netspec.optional import installed
from netspec.runtime.network.weights import loss_file
from netspec.runtime.store.checkpoint import Checkpoints
from netspec.runtime.store.locks import held
from netspec.runtime.store.notes import need_plain
from netspec.runtime.store.own import METRICS, OWN, PROOF, no_run
from netspec.runtime.store.records import records_in


class RunFolder:
    """A folder that belongs to one run, locked while it is open."""

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        """`lock` is held by this process, and let go by `close`."""
        self.path = path
        self._lock = lock
        self.files: Mapping[str, str] = {}
        """By name, those of its files that say what runs; `renew` writes them."""

    @classmethod
    def create(cls, path: str | Path, spec: str) -> Self:
        """A new run's folder, with its spec written into it. Raises UsageError where another run is there."""
        folder = Path(path)
        with saving(folder):
            folder.mkdir(parents=True, exist_ok=True)
        need_plain(folder, OWN)
        run = cls(folder, _locked(folder))
        if run.metrics_file.exists() or run.checkpoints.exists():
            run.close()
            raise UsageError(f"{folder} holds a run already. Resume it, or name another folder.")
        run.files = {"spec.yaml": spec}
        run.renew()
        run._note_surroundings()
        return run

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The folder of a run that is to be resumed. Raises UsageError where there is none."""
        folder = Path(path)
        if not cls.begun(folder):
            raise no_run(folder)
        need_plain(folder, OWN)
        run = cls(folder, _locked(folder))
        run._tidy()
        return run

    @staticmethod
    def begun(path: str | Path) -> bool:
        """Whether a run has begun in a folder."""
        return (Path(path) / "spec.yaml").is_file()

    @property
    def saved(self) -> bool:
        """Whether the run has come to its first checkpoint. Raises UsageError where all were deleted."""
        if Checkpoints(self.checkpoints).list():
            return True
        if self.last.exists():
            text = f"the run in {self.path} has weights, and no checkpoint is left that it could go on from"
            raise UsageError(f"{text}. Begin another in another folder; weights: {{load: ...}} starts from these.")
        return False

    @property
    def metrics_file(self) -> Path:
        """A line of JSON for each evaluation."""
        return self.path / METRICS

    @property
    def checkpoints(self) -> Path:
        """The folder of states to resume from."""
        return self.path / "checkpoints"

    @property
    def board(self) -> Path:
        """The folder that TensorBoard reads."""
        return self.path / "tensorboard"

    @property
    def best(self) -> Path:
        """The weights of the best evaluation, there once one was measured."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The weights of the last checkpoint."""
        return self.path / "last.safetensors"

    def renew(self) -> None:
        """Have spec.yaml and its kin say what runs from here on; a spec that said something else is kept beside it."""
        for name, text in self.files.items():
            path = self.path / name
            former = path.read_text("utf-8") if path.is_file() else text
            if former != text and name == "spec.yaml":
                write_text(next(p for i in count(1) if not os.path.lexists(p := self.path / f"spec-{i}.yaml")), former)
            if former != text or not path.is_file():
                write_text(path, text)

    def append(self, record: dict[str, Any]) -> None:
        """Add a line to the metrics."""
        with saving(self.metrics_file), self.metrics_file.open("a", encoding="utf-8") as stream:
            stream.write(json_text(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """The lines of the metrics up to the first that is not whole, or is longer than any evaluation writes."""
        return records_in(self.path)

    def rewind(self, step: int) -> list[dict[str, Any]]:
        """Drop the metrics measured after `step`, which a resumed run measures again; return those that stay."""
        kept = [record for record in self.records() if record["step"] <= step]
        write_text(self.metrics_file, "".join(json_text(record) + "\n" for record in kept))
        return kept

    def settle(self) -> None:
        """Put the metrics on the disk."""
        if self.metrics_file.exists():
            with saving(self.metrics_file):
                sync(self.metrics_file)

    def _tidy(self) -> None:
        """Delete the drafts that a killed run left behind: netspec's own, and those of safetensors."""
        for left in chain(self.path.glob(".*.part"), self.path.glob(".tmp*")):
            with saving(left):
                left.unlink()

    def begin_again(self) -> None:
        """Delete what the run left that was stopped before its first checkpoint."""
        self._note_surroundings()
        Checkpoints(self.checkpoints).tidy()
        for path in (self.metrics_file, self.best, loss_file(self.best), self.path / PROOF):
            with saving(path):
                path.unlink(missing_ok=True)

    def _note_surroundings(self) -> None:
        """Note versions and hardware of the process that trains from here on."""
        write_text(self.path / "environment.json", json_text(environment(), 1) + "\n")

    def close(self) -> None:
        """Let another run have the folder."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fresh_folder(root: str | Path, name: str) -> Path:
    """A path under `root` that no run has: NAME-1, NAME-2, ..."""
    root = Path(root)
    numbers = [
        int(p.name.removeprefix(f"{name}-")) for p in root.glob(f"{name}-*") if p.name[len(name) + 1 :].isdecimal()
    ]
    return root / f"{name}-{max(numbers, default=0) + 1}"


def environment() -> dict[str, Any]:
    """Versions and hardware, as far as they may change what a run computes."""
    packages = {name: installed(name) for name in ("netspec-torch", "numpy", "safetensors")}
    found: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    found |= {**packages, "torch": torch.__version__}
    found |= {"processor": platform.machine(), "processors": os.cpu_count(), "threads": torch.get_num_threads()}
    found["vector instructions"] = torch.backends.cpu.get_cpu_capability()
    if torch.cuda.is_available():
        found |= {
            "cuda": torch.version.cuda,
            "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        }
    return found


def _locked(folder: Path) -> BaseFileLock:
    """The lock of a run's folder. Raises UsageError where another process holds it."""
    lock = held(folder / "lock")
    if lock is None:
        raise UsageError(f"another run is writing to {folder}. Wait for it, or name another folder.")
    return lock
