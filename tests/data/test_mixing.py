"""Mixup and cutmix: what becomes of samples and targets, who takes them, and that a run stays exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.random import RandomState
from torch.nn.functional import cross_entropy, nll_loss

import netspec
from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import seeded
from netspec.tensors import Misfit, Tensor
from netspec.transforms.base import Mixing, partner
from netspec.transforms.mixing import blend
from netspec.vocabulary import AUGMENTATIONS
from tests.data.writing import section


def way(row: str) -> Mixing:
    entry = read_entry(row, (), AUGMENTATIONS)[0]
    assert isinstance(entry, Mixing)
    return entry


def test_mixup_adds_the_partners_share() -> None:
    x, y = torch.randn(8, 3, 4, 4, generator=seeded(0)), torch.randn(8, 2, generator=seeded(1))
    (a, b), share = way("mixup 1").mix([x, y], RandomState(0))
    assert 0 < share < 1
    assert torch.allclose(a, share * x + (1 - share) * partner(x), atol=1e-6)
    assert torch.allclose(b, share * y + (1 - share) * partner(y), atol=1e-6)


def test_cutmix_keeps_as_much_as_it_says() -> None:
    x = torch.arange(5.0)[:, None, None, None].expand(5, 3, 12, 20)
    shares = []
    for seed in range(60):
        (mixed,), share = way("cutmix").mix([x], RandomState(seed))
        assert torch.allclose((mixed == x).float().mean((1, 2, 3)), torch.tensor(share))
        assert ((mixed == x) | (mixed == partner(x))).all()
        rows = (mixed[1, 0] != x[1, 0]).any(1).sum() * (mixed[1, 0] != x[1, 0]).any(0).sum()
        assert rows == (mixed[1, 0] != x[1, 0]).sum()
        shares.append(share)
    assert min(shares) < 0.3
    assert max(shares) > 0.9


def test_a_loss_of_mixed_classes_is_the_mixed_loss() -> None:
    """Mixing the targets and mixing the losses are the same for cross entropy; the paper says both."""
    scores, classes = torch.randn(6, 4, generator=seeded(0)), torch.tensor([0, 1, 2, 3, 3, 0])
    chances = blend(classes, 0.3, 4)
    assert torch.allclose(chances.sum(1), torch.ones(6))
    wanted = 0.3 * cross_entropy(scores, classes) + 0.7 * cross_entropy(scores, partner(classes))
    assert torch.allclose(cross_entropy(scores, chances), wanted)
    assert torch.allclose(nll_loss(scores, classes), -(blend(classes, 1.0, 4) * scores).sum(1).mean())
    numbers = torch.randn(6, 2, generator=seeded(1))
    assert torch.allclose(blend(numbers, 0.25, 0), 0.25 * numbers + 0.75 * partner(numbers))


def test_what_is_announced_of_the_target_is_what_comes() -> None:
    assert way("mixup").mixed_target(Tensor((6,), "int64"), 4) == Tensor((6, 4))
    assert way("mixup").mixed_target(Tensor((6, 2)), 4) == Tensor((6, 2))
    with pytest.raises(Misfit, match="6 x 2 of int64"):
        way("mixup").mixed_target(Tensor((6, 2), "int64"), 4)


def test_a_batch_follows_from_the_seed_alone_and_each_is_mixed_by_one_way() -> None:
    data = load_data(section({"source": "digits", "augment": ["flip", "mixup", "cutmix"]}), Path())
    rows = torch.arange(8)

    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        (x,), target = data.train.batch(rows, seeded(0, 0, step))
        return x, target

    for a, b in zip(batch(1), batch(1), strict=True):
        assert torch.equal(a, b)
    assert batch(1)[1].shape == (8, 10)
    assert not torch.equal(batch(1)[1], batch(2)[1])
    flipped = load_data(section({"source": "digits", "augment": "flip"}), Path()).train
    between = 0
    for step in range(20):
        (plain,), _ = flipped.batch(rows, seeded(0, 0, step))
        x, _ = batch(step)
        between += not ((x == plain) | (x == partner(plain))).all()
    assert 3 < between < 17
    (x,), target = data.train.batch(rows)
    assert target.dtype == torch.int64


HEAD = "netspec: 1\ninput: 1x8x8\n"


@pytest.mark.parametrize(
    ("layers", "loss", "augment", "words"),
    [
        ("fc 10, log_softmax 1", "nll", "mixup", "mixup mixes targets: nll takes class numbers"),
        ("fc 10", "multi_margin", "[flip, cutmix]", "cutmix mixes targets: multi_margin takes class numbers"),
        ("fc 12", "ce", "mixup", "the network tells 12 classes apart, the data has 10"),
    ],
)
def test_losses_that_do_not_take_mixed_targets_are_refused(layers: str, loss: str, augment: str, words: str) -> None:
    text = f"{HEAD}layers: [{layers}]\ndata: {{source: digits, augment: {augment}}}\n"
    with pytest.raises(netspec.SpecError) as caught:
        netspec.loads(f"{text}train: {{loss: {loss}, optimizer: adam}}\n")
    (problem,) = caught.value.problems
    assert problem.message.startswith(words)
    assert problem.hint


def test_labels_that_know_nothing_between_are_refused() -> None:
    source = {"csv": {"path": "a.csv", "target": "y", "numbers": ["a", "b"], "regression": True}}
    assert section({"source": source, "augment": "mixup"}).mixing
    text = f"""netspec: 1
input: 2
layers: [fc 1]
data: {{source: {source}, augment: mixup}}
train: {{loss: hinge, optimizer: adam}}
"""
    with pytest.raises(netspec.SpecError, match="hinge knows no targets between those of the data"):
        netspec.loads(text)
    assert not netspec.loads(text.replace("hinge", "mse")).warnings


def test_inputs_that_cannot_be_mixed_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.arange(40).reshape(8, 5), y=np.arange(8), z=np.arange(16.0).reshape(8, 2))
    np.savez(tmp_path / "b.npz", x=np.zeros((8, 5)), y=np.zeros((8, 2), int))

    def load(source: Any, augment: str) -> None:
        load_data(section({"source": source, "augment": augment}), tmp_path)

    with pytest.raises(DataError, match="mixup adds up inputs of floats, the data has int64"):
        load("npz a.npz", "mixup")
    with pytest.raises(DataError, match="cutmix takes one input of images, the data has 2 inputs"):
        load({"npz": {"path": "a.npz", "inputs": ["z", "z"]}}, "cutmix")
    with pytest.raises(DataError, match="mixup mixes numbers, or one class number a sample, the target is B x 2"):
        load("npz b.npz", "mixup")


def test_a_network_learns_from_mixed_digits(tmp_path: Path) -> None:
    text = f"""{HEAD}layers: [fc 64, relu, fc 10]
data: {{source: digits, augment: [crop 8 pad=1, mixup, cutmix]}}
train: {{loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 4, metrics: [accuracy]}}
"""
    trained = netspec.loads(text).train(tmp_path / "run")
    assert trained.history.best is not None
    assert trained.history.best > 0.75
    last = trained.history.records[-1]
    assert last["train.loss"] > last["val.loss"]
