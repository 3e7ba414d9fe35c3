"""`netspec train --nproc 2` as a person meets it: signals, a process that dies, one voice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netspec.runtime.store.checkpoint import Checkpoints
from tests.effort import HANGING

ROOT = Path(__file__).parent.parent.parent
ENDLESS = ("train.epochs=10000", "train.checkpoint={every: 1, steps: 5}")


linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc")


class Command:
    """A run of two processes in the folder `run`."""

    def __init__(self, cwd: Path, *more: str) -> None:
        self.checkpoints = Checkpoints(cwd / "run" / "checkpoints")
        words = [sys.executable, "-m", "netspec", "train", str(ROOT / "specs" / "lenet5_digits.yaml"), "--run", "run"]
        self.process = subprocess.Popen(
            [*words, "--nproc", "2", *more],
            cwd=cwd,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def newest(self) -> int:
        """The step of the newest checkpoint; 0 before there is one."""
        return int(self.checkpoints.list()[-1].name.split("-")[1]) if self.checkpoints.list() else 0

    def workers(self, after: int = 0) -> list[int]:
        """Its processes, once they have saved behind step `after`, in the order of their numbers."""
        while self.newest() <= after:
            assert self.process.poll() is None
            time.sleep(0.1)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def end(self) -> tuple[int, str]:
        """Its exit code and what it said."""
        _, said = self.process.communicate(timeout=HANGING)
        return self.process.returncode, said


@linux
def test_a_process_that_dies_ends_the_run_and_it_goes_on_until_a_signal(tmp_path: Path) -> None:
    with Command(tmp_path, *ENDLESS) as command:
        os.kill(command.workers()[1], signal.SIGKILL)
        code, said = command.end()
    assert code == 137
    assert "process 1 of 2 was ended by SIGKILL" in said
    assert "--resume goes on" in said
    step = command.newest()
    assert step
    with Command(tmp_path, *ENDLESS, "--resume") as command:
        command.workers(after=step)
        command.process.terminate()
        code, said = command.end()
    assert (code, said.count("stopped by SIGTERM"), said.count("resumed")) == (143, 1, 1), said


@linux
def test_a_signal_to_one_process_stops_all_and_saves_once(tmp_path: Path) -> None:
    with Command(tmp_path, *ENDLESS) as command:
        os.kill(command.workers()[1], signal.SIGINT)
        code, said = command.end()
    step = command.newest()
    assert (code, said.count("stopped by SIGINT"), said.count(f"step {step:,}:")) == (130, 1, 1), said


def test_a_fault_of_all_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    with Command(tmp_path) as command:
        code, said = command.end()
    assert (code, said.count("holds a run already")) == (2, 1), said
