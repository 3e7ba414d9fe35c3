"""netspec needs nothing that Windows lacks, and refuses by name what it cannot do there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from netspec import machine, windows
from netspec.errors import UsageError
from netspec.files import write_text
from netspec.runtime.data import memory
from netspec.runtime.device import launch as launching
from netspec.runtime.device import process_group as world

LACKING = """
import builtins, os, signal, sys
import click, jinja2, numpy, optuna, pydantic, safetensors.torch, torch, yaml, filelock, torch.distributed, onnx_ir
import torch.multiprocessing.spawn, onnxruntime, onnxscript

real = builtins.__import__

def lacking(name, globals=None, locals=None, fromlist=(), level=0):
    missing = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "readline", "curses"}
    if name.partition(".")[0] in missing and str((globals or {}).get("__name__")).startswith("netspec"):
        raise ModuleNotFoundError(f"No module named {name!r}")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = lacking
for name in ("fork", "forkpty", "sysconf", "sysconf_names", "sched_getaffinity", "killpg", "setsid", "getuid", "getgid",
             "memfd_create", "geteuid", "mkfifo", "statvfs", "uname", "getloadavg", "fchown", "chown", "wait4",
             "register_at_fork", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "WNOHANG", "SIGKILL", "SIGHUP", "SIGUSR1",
             "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGCHLD", "SIGQUIT", "pthread_sigmask", "alarm", "setitimer"):
    for module in (os, signal):
        if hasattr(module, name):
            delattr(module, name)
"""
"""Takes from this process what Python has on POSIX only, once what is not netspec's own is imported."""
IMPORTED = """
import netspec
from importlib import import_module
from pathlib import Path
root = Path(netspec.__file__).parent
for path in sorted(root.rglob("*.py")):
    import_module(".".join(path.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__"))
"""
TRAINED = """
from netspec.__main__ import main
main(["train", sys.argv[1], "train.epochs=1", "--run", "run"])
"""
DIGITS = str(Path(__file__).parent.parent / "specs" / "lenet5_digits.yaml")


@pytest.mark.parametrize("work", [IMPORTED, TRAINED], ids=["imported", "trained"])
def test_nothing_is_used_that_windows_lacks(work: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LACKING + work, DIGITS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOWS", True)


@pytest.mark.usefixtures("on_windows")
def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"several processes cannot be on Windows\. Leave --nproc out"):
        launching.launch(lambda: None, 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="several processes cannot be on Windows"), world.joined():
        pass


@pytest.mark.usefixtures("on_windows")
def test_readers_beside_the_run_are_refused_and_not_begun() -> None:
    assert (memory.workers_for(None), memory.workers_for(0)) == (0, 0)
    with pytest.raises(UsageError, match=r"data.workers.* cannot be on Windows\. .*data.workers=0"):
        memory.workers_for(2)


@pytest.mark.usefixtures("on_windows")
def test_folders_are_not_synced_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[str, int]] = []
    real = os.open

    def noting(path: Path, flags: int, mode: int = 0o777) -> int:
        opened.append((path.name, flags))
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", noting)
    write_text(tmp_path / "a", "text")
    assert opened[-1] == (".a.part", os.O_RDWR)
    assert {name for name, _ in opened} == {".a.part"}


def test_a_machine_that_does_not_tell_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.delattr(os, "sysconf_names")
    monkeypatch.setattr(machine, "LIMITS", ())
    assert machine.memory() == machine.ADDRESSABLE  # nothing is refused there for its size
    assert memory.room_for(None, torch.device("cpu")) == memory.UNTOLD // memory.processes() // 2
