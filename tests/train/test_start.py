"""The start of a run: what is imported before its first step, and what is read meanwhile. Both are counted."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netspec
from netspec.cli.common import importing
from netspec.errors import DataError
from netspec.runs import ahead
from netspec.runs.train import train

SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers: [conv 4 k3, bn, relu, maxpool 2, fc 10]
data: {source: npz digits.npz, transform: [normalize 0.5 0.5]}
train: {loss: ce, optimizer: sgd lr=0.1 momentum=0.9, scheduler: cosine, epochs: 1, batch: 32, metrics: [accuracy]}
"""
OURS = 396
"""How many files of netspec a run may need before its first step: a few more than it does."""
UNNEEDED = (
    *("datasets.columns", "datasets.table", "datasets.text", "datasets.csv", "datasets.images"),
    *("runs.proving", "runs.export", "runs.measuring", "runs.predict", "runs.cells", "emit.onnx", "emit.c"),
    *("runtime.train.trial", "runtime.train.ways", "views.picture", "views.schema", "sweeps"),
)
"""Rooms that it does without, below netspec."""
SCRIPT = """
import gc, importlib.util, json, os, sys
begun = []
def look(event, args):  # at the first look at torch, data is being read already, and torch is not there
    if event == "import" and args[0] == "torch" and not begun:
        begun.append("netspec.runs.ahead" in sys.modules)
sys.addaudithook(look)
from netspec.cli import main
def first(*_):
    print(json.dumps({"begun": begun, "modules": sorted(sys.modules), "frozen": gc.get_freeze_count()}), flush=True)
    os._exit(0)
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "netspec.runtime.train.step":
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            load = spec.loader.exec_module
            def exec_module(module):
                load(module)
                module.Stepper.__call__ = first
            spec.loader.exec_module = exec_module
            return spec
sys.meta_path.insert(0, Watch())
main(["train", "small.yaml", "--run", "run"])
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(SPEC)
    digits = np.random.default_rng(0).random((64, 1, 8, 8), np.float32)
    np.savez_compressed(tmp_path / "digits.npz", x=digits, y=np.arange(64) % 10)
    return tmp_path / "small.yaml"


def test_a_run_imports_what_it_needs(spec: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=spec.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    ours = [name for name in found["modules"] if name.startswith("netspec.")]
    assert len(ours) <= OURS, len(ours)
    unneeded = tuple(f"netspec.{name}" for name in UNNEEDED)
    assert [name for name in ours if name.startswith(unneeded)] == []
    assert "torch._dynamo" not in found["modules"]
    assert found["begun"] == [True]  # the data, before torch
    assert found["frozen"] > 100_000  # all that torch made is never looked through again


def test_data_is_read_ahead_of_torch(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = netspec.load(spec)
    assert ahead.reading(loaded) is None  # torch is there
    monkeypatch.delitem(sys.modules, "torch")
    begun = ahead.reading(loaded)
    monkeypatch.undo()
    assert begun is not None
    assert len(begun()[0].train.target) == 58
    spec.with_name("digits.npz").unlink()  # it is not read again
    assert train(loaded, reading=begun).history.steps == 2


def test_what_is_wrong_with_data_that_is_read_ahead_is_told(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec.with_name("digits.npz").write_bytes(b"no archive")
    loaded = netspec.load(spec)
    monkeypatch.delitem(sys.modules, "torch")
    begun = ahead.reading(loaded)
    monkeypatch.undo()
    with pytest.raises(DataError, match=r"digits\.npz"):
        train(loaded, reading=begun)


def test_no_garbage_is_looked_for_while_modules_are_imported() -> None:
    assert gc.isenabled()
    frozen = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen  # torch was there before, and so was what else is
