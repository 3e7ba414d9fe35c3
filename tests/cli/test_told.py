"""What commands say beside their results: whose weights, what was said twice, and no more advice than helps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.train.test_handed import ended

SPEC = "netspec: 1\ninput: 1x8x8\nlayers: {c: conv 2 k3, n: bn, g: gap, f: fc 2}\n"
HELD = {"c.weight": torch.ones(2, 1, 3, 3), "c.bias": torch.ones(2)}


def spec(folder: Path, more: str = "") -> Path:
    (folder / "s.yaml").write_text(SPEC + more)
    return folder / "s.yaml"


def test_an_export_says_whose_weights_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(HELD, tmp_path / "w.safetensors")
    given = "weights: {load: w.safetensors, skip: ['n.*', 'f.*']}\n"
    for more, said in (("", "those the network starts with\n"), (given, "those of w.safetensors, but for n.weight, ")):
        assert ended("export", spec(tmp_path, more), "-o", tmp_path / "n.onnx") == 0
        told = capsys.readouterr().err
        assert f"the weights are {said}" in told
        assert "info[" not in told
    assert ended("check", tmp_path / "s.yaml") == 0
    assert "info[bias-before-norm]" in capsys.readouterr().out


def test_a_size_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("summary", spec(tmp_path), "--train", "--size", "T=1", "--size", "T=2") == 2
    assert "--size gives T twice, as 1 and 2" in capsys.readouterr().err


def test_folding_nothing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("build", spec(tmp_path), "--fold") == 0
    assert "has no lora, so --fold changes nothing" in capsys.readouterr().err
