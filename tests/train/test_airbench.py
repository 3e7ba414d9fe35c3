"""The recipe airbench94 as a ready spec, over made-up images in CIFAR-10's own files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import netspec
from netspec.api.run import Run
from tests.data.test_cifar import cifar10

SPEC = Path(__file__).parent.parent.parent / "specs" / "airbench94.yaml"
SHORT = ["train.batch=10", "train.epochs=1", "train.scheduler=polynomial total_iters=2 every=step"]


def test_the_recipe_is_trained_and_measured(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC.read_text())
    cifar10(tmp_path / "data" / "cifar-10-batches-bin")
    spec = netspec.load(tmp_path / "net.yaml", SHORT)
    trained = spec.train(tmp_path / "run")
    assert trained.history.steps == 2
    net = trained.module
    weight = net.get_parameter("whiten.weight")
    assert torch.equal(weight[:12], -weight[12:])
    for name in ("group1.norm1.weight", "group3.norm2.weight"):
        assert torch.equal(net.get_parameter(name), torch.ones_like(net.get_parameter(name)))
    filters = net.get_parameter("group2.conv1.weight").detach()
    assert float(filters.norm()) == pytest.approx(len(filters) ** 0.5, rel=0.5)
    found = Run.read(tmp_path / "run").evaluate("test")
    assert 0 <= found["accuracy"] <= 1
