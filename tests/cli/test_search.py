"""Where Python looks for modules when netspec starts: never in the folder that it happens to be started in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHADOWS = (
    "yaml",
    "typing",
    "__future__",
    "signal",
    "click",
    "json",
    "re",
    "torch",
    "numpy",
    "pyarrow",
    "multiprocessing",
)
SPEC = """\
netspec: 1
input: 8
layers: [fc 3]
data: {source: npy x.npy y.npy, workers: 1, memory: 1KB}
train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, batch: 16, device: cpu}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a stranger, with a module of each name that netspec or Python may look for."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py of the current folder has run')\n")
    (tmp_path / "small.yaml").write_text(SPEC)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_modules_of_the_current_folder_do_not_run(folder: Path) -> None:
    done = run(folder, "-m", "netspec", "build", "small.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    done = run(folder, "-m", "netspec", "ops", "conv2d")
    assert (done.returncode, done.stderr) == (0, "")


def test_nor_do_they_in_the_processes_that_it_starts(folder: Path) -> None:
    import numpy as np

    np.save(folder / "x.npy", np.random.default_rng(1).normal(size=(64, 8)).astype(np.float32))
    np.save(folder / "y.npy", np.arange(64) % 3)
    done = run(folder, "-m", "netspec", "train", "small.yaml", "--nproc", "2", "--run", "run")
    assert done.returncode == 0, done.stderr
    assert "of the current folder" not in done.stderr


def test_a_program_that_imports_netspec_keeps_its_folder(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "__init__.py").write_text("import netspec\n")
    (folder / "own" / "__main__.py").write_text("import beside\n")
    (folder / "beside.py").write_text("print('found')\n")
    for name in SHADOWS:
        (folder / f"{name}.py").unlink()
    assert run(folder, "-m", "own").stdout == "found\n"
