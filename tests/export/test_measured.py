"""What a file is measured by, where that is more than a class a sample, and what it cannot be measured by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netspec.api.run import Run
from tests.export.test_using import measured_alike
from tests.train.test_handed import ended, trained

TRAIN = "optimizer: sgd lr=0.1, epochs: 1, batch: 8, device: cpu"
SPECS = {
    "masks": "input: 1x10x8\nlayers: [conv 4 k3 padding=same, relu, conv 3 k1]\n"
    "data: {source: npz masks.npz, split: {val: 6}, transform: [resize 9x8, pad 1, crop 10x8, standardize]}\n"
    f"train: {{loss: cross_entropy, metrics: [accuracy, f1, roc_auc, perplexity], {TRAIN}}}\n",
    "several": "input: 4\nlayers: {kind: linear(in) 3, size: linear(in) 1}\noutputs: [kind, size]\n"
    "data: {source: {npz: {path: both.npz, target: [kind, size]}}, split: {val: 8}, scale_target: standard}\n"
    "train: {loss: {kind: cross_entropy weight=2, size: mse weight=0.5}, metrics: {kind: [accuracy], size: [mae, r2]}, "
    f"{TRAIN}}}\n",
    "learned": "input: 4\nlayers: {kind: linear(in) 3, size: linear(in) 1}\noutputs: [kind, size]\n"
    "data: {source: {npz: {path: both.npz, target: [kind, size]}}}\n"
    f"train: {{loss: {{kind: cross_entropy weight=learned, size: mse weight=learned}}, {TRAIN}}}\n",
}


def run_of(folder: Path, name: str) -> Path:
    """A run of one of the specs, with a file written of it."""
    chance = np.random.default_rng(0)
    x = chance.random((24, 1, 12, 10)).astype("float32")
    np.savez(folder / "masks.npz", x=x, y=(x[:, 0] * 3).astype("int64"))
    rows = chance.random((40, 4)).astype("float32")
    np.savez(folder / "both.npz", x=rows, kind=np.arange(40) % 3, size=rows.sum(1, keepdims=True) * 9 + 100)
    run = trained(folder, f"netspec: 1\n{SPECS[name]}")
    Run.read(run).export(folder / "net.onnx")
    return run


@pytest.mark.filterwarnings("ignore:the")
@pytest.mark.parametrize("name", ["masks", "several"])
def test_a_file_is_as_good_as_its_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Masks move with their images, and of several targets each is measured in its own units."""
    measured_alike(run_of(tmp_path, name), "net.onnx", 1e-4, monkeypatch, capsys)


def test_what_training_weighed_is_not_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_of(tmp_path, "learned")
    monkeypatch.chdir(tmp_path)
    assert ended("eval", "net.onnx") == 2
    assert "cross_entropy is weighed by what training learnt, which a file has not" in capsys.readouterr().err
