"""Commands that are told to stop: while torch is imported, data read, a step taken, something saved or exported."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import chdir
from pathlib import Path

from netspec.cli import main
from tests.train.children import in_child
from tests.train.small import digest

SPEC = """
netspec: 1
input: 1x8x8
layers: [fc 64, relu, dropout 0.2, fc 10]
data: digits
train:
  loss: cross_entropy
  optimizer: adamw lr=1e-2
  epochs: 8
  metrics: [accuracy]
  evaluate: {steps: 7}
  device: cpu
  threads: 1
  checkpoint: {every: 1, steps: 5}
"""
ARGUMENTS = ["train", "spec.yaml", "--run", "run", "--resume", "auto"]
MOMENTS = {"starting": 2.0, "training": 0.4, "exporting": 2.0}
"""What is waited for in turns before a signal is sent, and up to how many seconds longer."""
LATEST = 5.0
"""Seconds of its own in which a command must have ended; a machine with other work may take longer over them."""


class Command:
    """`netspec train` with an export, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "spec.yaml").write_text(SPEC)
        self.talk = folder / "talk"

    def start(self) -> subprocess.Popen[bytes]:
        """The process, once it answers signals."""
        command = [sys.executable, "-m", "netspec", *ARGUMENTS, "--export", "net.onnx"]
        with self.talk.open("w") as stream:
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
            process = subprocess.Popen(command, cwd=self.folder, stderr=stream, env=environment)
        while process.poll() is None and not _answers(process.pid):
            time.sleep(0.002)
        return process

    def reach(self, moment: str, process: subprocess.Popen[bytes]) -> None:
        """Wait until it does this or what comes after, or has ended, which is left to be asked for."""
        before = list(MOMENTS)[: list(MOMENTS).index(moment)]
        unasked = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while self.phase() in before and os.waitid(os.P_PID, process.pid, unasked) is None:
            time.sleep(0.002)

    def go_on(self) -> int:
        """Run it to its end, without the export; its exit code."""
        with chdir(self.folder):
            return in_child(lambda: main(ARGUMENTS), self.talk)

    def phase(self) -> str:
        """What it was doing when it ended."""
        said = self.talk.read_text()
        if (self.folder / "net.onnx").exists():
            return "after the end"
        return "exporting" if "the run is in" in said else "training" if "epoch" in said else "starting"

    def weights(self) -> list[str]:
        """What the run ended with."""
        return [digest(self.folder / "run" / name) for name in ("best.safetensors", "last.safetensors")]

    def faults(self, number: int, code: int, seconds: float) -> list[str]:
        """What is not as it must be after a signal."""
        said = self.talk.read_text()
        faults = []
        if code != 128 + number and not (code == 0 and self.phase() == "after the end"):
            faults.append(f"exit code {code}")
        if seconds > LATEST:
            faults.append(f"it took {seconds:.1f} s")
        if "Traceback" in said or (code and not re.search(r"stopped by SIG\w+", said.splitlines()[-1])):
            faults.append(f"it said {said[-400:]!r}")
        if "epoch" in said and "saved in run, resume goes on" not in said and "the run is in run" not in said:
            faults.append(f"it saved nothing: {said[-400:]!r}")
        left = [p.name for p in self.folder.rglob(".*")]
        return faults + ([f"it left {left}"] if left else [])


def _answers(process: int) -> bool:
    """Whether a process has a handler for SIGTERM."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = re.search(r"SigCgt:\s*(\w+)", status)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def _spent(process: int) -> float:
    """The seconds that a process has computed."""
    numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def _ended(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end of a process; the seconds that it has computed."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def campaign(times: int, chance: random.Random) -> list[str]:
    """What went wrong in sending each of the two signals so many times, every other time twice."""
    faults: list[str] = []
    phases: Counter[str] = Counter()
    slowest = longest = 0.0
    with tempfile.TemporaryDirectory() as root:
        golden = Command(Path(root))
        assert golden.go_on() == 0, golden.talk.read_text()
        weights = golden.weights()
    while phases.total() - phases["after the end"] < 2 * times:
        sent = phases.total()
        number, twice = signal.Signals((signal.SIGTERM, signal.SIGINT)[sent % 2]), sent % 4 > 1
        moment = list(MOMENTS)[sent % 3]
        with tempfile.TemporaryDirectory() as root:
            command = Command(Path(root))
            process, delay = command.start(), chance.uniform(0, MOMENTS[moment])
            command.reach(moment, process)
            time.sleep(delay)
            began, spent = time.monotonic(), _spent(process.pid)
            os.kill(process.pid, number)
            if twice:
                time.sleep(chance.uniform(0, 0.1))
                os.kill(process.pid, number)
            seconds = _ended(process) - spent
            found, phase = command.faults(number, process.returncode, seconds), command.phase()
            phases[phase] += 1
            slowest, longest = max(slowest, seconds), max(longest, time.monotonic() - began)
            if command.go_on() or command.weights() != weights:
                found.append(f"the run that goes on ends otherwise: {command.talk.read_text()[-400:]!r}")
        faults += [f"{number.name} {delay:.2f} s into {moment}, {phase}: {fault}" for fault in found]
    print(f"{dict(phases)}; the slowest ended after {longest:.1f} s, of which {slowest:.1f} s were its own")
    return faults
