"""Runs on a disk that refuses one call: a write, a sync, a rename, a new folder, a deletion.

The calls are refused below Python, in the C library, by the preloaded refuse.c, so that what safetensors writes is
met too. One process imports torch once; each run is a child of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import torch.utils.tensorboard  # noqa: F401  once here, not in each child

from netspec.cli import main
from tests.train.children import in_child
from tests.train.small import digest

REASONS = (errno.ENOSPC, errno.EIO, errno.EROFS)
SPEC = """
netspec: 1
input: 1x8x8
layers: [fc 16, relu, fc 10]
data: digits
train:
  loss: cross_entropy
  optimizer: adamw lr=1e-2
  epochs: 3
  batch: 512
  ema: 0.9
  device: cpu
  threads: 1
  checkpoint: {every: 1, keep: 2}
  tensorboard: true
"""


def preloaded(folder: Path) -> dict[str, str]:
    """The environment of a process whose calls can be refused. Raises FileNotFoundError without a C compiler."""
    library = folder / "refuse.so"
    source = Path(__file__).with_name("refuse.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def campaign(every: int) -> list[str]:
    """What went wrong, found by a process that has refuse.c preloaded."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", __name__, folder, str(every)]
        done = subprocess.run(command, env=preloaded(Path(folder)), capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    return done.stderr.splitlines() or [f"it ended with {done.returncode}"] if done.returncode else []


class Disk:
    """Runs in a folder below which one call is refused."""

    def __init__(self, root: Path) -> None:
        self.spec, self.folder, self.begun = root / "spec.yaml", root / "runs", root / "begun"
        self.spec.write_text(SPEC)
        self.library = ctypes.CDLL(None)
        self.library.refused.restype = ctypes.c_char_p

    def run(self, number: int, reason: int, *more: str) -> tuple[int, str, str]:
        """Run until call `number` is refused, or to the end: exit code, what was said, and which call it was."""
        talk, call = self.spec.with_name("talk"), self.spec.with_name("call")

        def task() -> None:
            self.library.refuse(str(self.folder).encode(), ctypes.c_long(number), reason)
            try:
                main(["train", str(self.spec), "--run", str(self.folder / "run"), "--resume", "auto", *more])
            finally:
                call.write_bytes(self.library.refused())

        code = in_child(task, talk)
        return code, talk.read_text(), call.read_text()

    def restore(self, begun: bool) -> None:
        """Go back to an empty folder, or to that of a run that was killed after two epochs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if begun:
            shutil.copytree(self.begun, self.folder)
        else:
            self.folder.mkdir()

    def weights(self) -> list[str]:
        """What the run ended with."""
        return [digest(self.folder / "run" / name) for name in ("best.safetensors", "last.safetensors")]

    def prepare(self) -> list[str]:
        """Make the folder of the killed run; the weights that every run must end with."""
        self.restore(begun=False)
        self.run(0, 0, "train.epochs=2")
        draft = self.folder / "run" / "checkpoints" / ".step-000000009-0003.part"
        draft.mkdir()
        (draft / "tensors.safetensors").write_text("half")
        (self.folder / "run" / ".tmpA1b2C3").write_text("half")
        shutil.copytree(self.folder, self.begun)
        self.restore(begun=False)
        code, said, _ = self.run(0, 0)
        assert code == 0, said
        return self.weights()

    def faults(self, golden: list[str], code: int, said: str, reason: int) -> Iterator[str]:
        """What is not as it must be after a run that was refused a call, and after going on without it."""
        told = said.splitlines()[-1] if said else ""
        if code != 2 or not re.search(rf"cannot be \w+: {re.escape(os.strerror(reason))}", told):
            yield f"exit code {code}, it said {told!r}"
        if "Traceback" in said:
            yield f"it said {said!r}"
        measured = len(re.findall("^epoch ", said, re.MULTILINE)) + 2 * said.startswith("resumed after epoch 2")
        code, said, _ = self.run(0, 0)
        if code or self.weights() != golden:
            yield f"the run that goes on ends with exit code {code} and other weights: {said!r}"
        resumed = re.match(r"resumed after epoch (\d+)", said)
        if int(resumed[1] if resumed else 0) < measured - 1:
            yield f"{measured} epochs were measured, it goes on with {said.splitlines()[0]!r}"


def refuse_all(root: Path, every: int) -> Iterator[str]:
    """Have one call after the other refused, and tell what goes wrong."""
    disk = Disk(root)
    golden, calls = disk.prepare(), 0
    for begun in (False, True):
        for number in count(1, every):
            for why in REASONS if every == 1 else [REASONS[number % 3]]:
                disk.restore(begun)
                code, said, call = disk.run(number, why)
                calls += bool(call)
                if call:
                    yield from (f"{os.strerror(why)} at {call}: {f}" for f in disk.faults(golden, code, said, why))
            if not call:
                break
    print(f"{calls} calls were refused")


if __name__ == "__main__":
    sys.exit("\n".join(refuse_all(Path(sys.argv[1]), int(sys.argv[2]))) or 0)
