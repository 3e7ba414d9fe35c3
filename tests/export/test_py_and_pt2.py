"""Python files and archives of torch.export: loaded again, they are the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import netspec
from netspec.errors import ExportFailed, UsageError

WHAT = "{output: probabilities}"
FREE = f"input: Tx4\nlayers: [linear 6, relu, mean 1, linear 3]\nexport: {{pt2: {WHAT}, py: {WHAT}}}"


@pytest.mark.parametrize(
    "text", [FREE, "input: 4\nlayers: {load: linear 3, n: batchnorm1d, w: linear 2 wrap=weight_norm}"]
)
def test_python_stands_alone(text: str, tmp_path: Path) -> None:
    spec = netspec.loads(text)
    report = spec.export(tmp_path / "net.py")
    assert report.relative == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.py", "net.safetensors"]
    assert "netspec" not in (tmp_path / "net.py").read_text()


def test_python_loads_in_a_process_of_its_own(tmp_path: Path) -> None:
    netspec.loads(FREE).export(tmp_path / "net.py")
    code = "import sys, torch, net; y = net.load()(torch.ones(2, 3, 4)).sum(1); assert torch.allclose(y, torch.ones(2))"
    code += "; assert 'netspec' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def test_weights_that_a_spec_loads_are_not_written_over(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from netspec.cli.export import command

    netspec.loads("input: 4\nlayers: [linear 3]").export(tmp_path / "net.py")
    before = (tmp_path / "net.safetensors").read_bytes()
    (tmp_path / "net.yaml").write_text("input: 4\nlayers: [linear 3]\nweights: {load: net.safetensors}")
    ended = CliRunner().invoke(command, [str(tmp_path / "net.yaml"), "-o", str(tmp_path / "net.py")])
    assert isinstance(ended.exception, UsageError)
    assert (tmp_path / "net.safetensors").read_bytes() == before


def test_an_archive_takes_any_batch_and_any_free_size(tmp_path: Path) -> None:
    spec = netspec.loads(FREE)
    module = spec.build().eval()
    report = spec.export(tmp_path / "net.pt2", module)
    assert dict(report.inputs) == {"input": "batch x T x 4"}
    loaded = torch.export.load(tmp_path / "net.pt2").module()
    x = torch.randn(7, 9, 4)
    with torch.no_grad():
        assert torch.allclose(loaded(x)[0], module(x).softmax(1))


def test_a_size_that_torch_fixes_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExportFailed, match="it takes T for fixed: give it a number in `input`"):
        netspec.loads("input: Tx4\nlayers: [lstm 3 batch_first]").export(tmp_path / "net.pt2")
    assert not list(tmp_path.iterdir())
