"""Filters that whiten patches: computed from training data before the first step, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import netspec
from netspec.errors import UsageError
from netspec.runs.train import train
from netspec.runtime.network import whitening
from netspec.runtime.network.whitening import whiten
from netspec.runtime.train.progress import Silent

SPEC = """\
netspec: 1
input: 3x6x6
layers: {whiten: conv 24 k2, act: gelu, norm: bn, out: fc 4}
init: {whiten.weight: whitening eps=5e-4 samples=40}
weights: {freeze: [whiten.weight]}
data: {source: {npz: {path: images.npz, inputs: x, target: y}}, split: {val: 0.2}, augment: flip}
train: {loss: cross_entropy, optimizer: adam lr=0.01, epochs: 2, batch: 16}
"""


def made_up(folder: Path) -> None:
    random = np.random.default_rng(0)
    x = np.cumsum(random.random((60, 3, 6, 6), np.float32), 3)
    np.savez(folder / "images.npz", x=x, y=np.arange(60) % 4)


def by_hand(images: torch.Tensor, eps: float = 5e-4) -> torch.Tensor:
    """As the recipe has it: all patches, their covariance, its eigenvectors, and their negatives."""
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).reshape(-1, 3, 2, 2)
    flat = patches.reshape(len(patches), -1)
    values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat), UPLO="U")
    scaled = vectors.T.reshape(-1, 3, 2, 2) / torch.sqrt(values.view(-1, 1, 1, 1) + eps)
    return torch.cat((scaled, -scaled))


def test_filters_are_those_of_the_recipe() -> None:
    torch.manual_seed(0)
    images = torch.randn(50, 3, 6, 6).cumsum(3)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 24, 2, padding=1))
    whiten(net, "0.weight", 5e-4, iter([(images[:20],), (images[20:],)]))
    filters = net.get_parameter("0.weight").detach()
    wanted = by_hand(images.double())
    signs = (wanted * filters).flatten(1).sum(1).sign().view(-1, 1, 1, 1)
    assert torch.allclose(filters.double(), wanted * signs, rtol=1e-4, atol=1e-4)
    assert torch.equal(filters[:12], -filters[12:])
    response = functional.conv2d(images, filters[:12]).transpose(0, 1).flatten(1)
    assert torch.allclose(response @ response.T / response.shape[1], torch.eye(12), atol=2e-2)


def test_fewer_filters_are_the_strongest_directions_of_any_layer() -> None:
    images = torch.randn(30, 2, 9, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3), torch.nn.Conv1d(4, 4, 3, dilation=2))
    whiten(net, "1.weight", 1e-9, iter([(images,)]))
    assert net.training
    response = (
        functional.conv1d(net[0](images), net.get_parameter("1.weight")[:2], dilation=2).transpose(0, 1).flatten(1)
    )
    assert torch.allclose(response @ response.T / response.shape[1], torch.eye(2), atol=1e-3)
    beside = torch.nn.Sequential(torch.nn.Conv1d(2, 4, 3))
    beside.left_out = torch.nn.ModuleDict({"conv": torch.nn.Conv1d(2, 4, 3)})
    beside.forward = beside[0].forward  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="none comes to it"):
        whiten(beside, "left_out.conv.weight", 1e-9, iter([(images,)]))


class Told(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, lines: Sequence[str]) -> None:
        self.lines += lines


def test_a_run_fills_them_once_says_so_and_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    spec = netspec.load(tmp_path / "net.yaml")
    told = Told()
    whole = train(spec, progress=told)
    assert "whiten.weight whitens the patches of 40 training samples" in told.lines
    weight = whole.module.get_parameter("whiten.weight")
    assert torch.equal(weight[:12], -weight[12:])
    assert not torch.equal(spec.build().get_parameter("whiten.weight"), weight)
    train(netspec.load(tmp_path / "net.yaml", ["train.epochs=1"]), tmp_path / "run")
    monkeypatch.setattr(whitening, "whiten", None)  # a run that goes on has them in its checkpoint
    again = train(spec, tmp_path / "run", resume=True)
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, again.module.state_dict()[name]), name
    started = netspec.load(tmp_path / "net.yaml", ["weights.load=run/best.safetensors"])
    assert torch.equal(train(started).module.get_parameter("whiten.weight"), weight)


def test_the_printed_text_says_what_fills_them() -> None:
    text = netspec.loads(SPEC).source()
    assert "A run computes whiten.weight from its data; here torch's own draw stands." in text
    assert "nn.init" not in text


REFUSED = [
    ("whiten: conv 26 k2", "has 26 filters, whitening fills an even number of at most 24"),
    ("whiten: conv 5 k2", "has 5 filters"),
    ("whiten: conv 6 k2 groups=3", "is not the weight of a plain convolution"),
    ("whiten: ConvTranspose2d 24 k2", "is not the weight of a plain convolution"),
    ("whiten: conv 24 k2 wrap=weight_norm", "is not the weight of a plain convolution"),
    ("whiten: fc 24", "whitening's|initialiser needs 3"),
]


@pytest.mark.parametrize(("row", "message"), REFUSED, ids=str)
def test_what_cannot_be_whitened_is_refused(row: str, message: str) -> None:
    with pytest.raises(netspec.SpecError, match=message):
        netspec.loads(SPEC.replace("whiten: conv 24 k2", row))
