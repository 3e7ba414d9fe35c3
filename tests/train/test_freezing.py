"""What is frozen stays as it is: no gradients, and norms that use what they have stored."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import netspec
from netspec.errors import Interrupted
from netspec.runtime.network.freezing import hold
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.run import train
from tests.train.small import DEVICE, classes, digest, equal, perceptron, section
from tests.train.test_resume import StopAfter, never_stopped, stopped_and_resumed

SPEC = """\
netspec: 1
input: 1x8x8
layers:
  conv1: conv 4 k3
  bn1: bn
  tail: [relu, dropout 0.3, conv 4 k3]
  bn2: bn, relu
  head: fc 10
data: {source: digits, split: {val: 0.1}}
train: {loss: cross_entropy, optimizer: adamw lr=0.01, epochs: 1, max_steps: 6, batch: 128, device: DEVICE}
""".replace("DEVICE", DEVICE)


def spec(*overrides: str) -> netspec.Spec:
    return netspec.loads(SPEC, overrides)


def statistics(net: nn.Module, name: str) -> dict[str, torch.Tensor]:
    return {k: v.cpu().clone() for k, v in net.state_dict().items() if k.startswith(f"{name}.")}


def moved(patterns: str, name: str = "bn1", *overrides: str) -> set[str]:
    """What of a module a training changes, where these patterns are frozen."""
    found = spec(f"weights={{freeze: {patterns}}}", *overrides)
    torch.manual_seed(0)
    before = statistics(found.build(), name)
    after = statistics(found.train().module, name)
    return {k.removeprefix(f"{name}.") for k in before if not torch.equal(before[k], after[k])}


STORED = {"running_mean", "running_var", "num_batches_tracked"}


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        ('["bn1.*"]', set()),
        ("[bn1]", set()),
        ("[bn1.weight, bn1.bias]", set()),
        ('["*"]', None),
        ("[conv1]", {"weight", "bias", *STORED}),
        ("[bn1.weight]", {"bias", *STORED}),
        ('["bn1.running_*"]', {"weight", "bias"}),
        ("[bn2]", {"weight", "bias", *STORED}),
    ],
)
def test_a_norm_that_is_frozen_as_a_whole_keeps_its_statistics(patterns: str, wanted: set[str] | None) -> None:
    if wanted is None:
        with pytest.raises(netspec.SpecError, match="no parameter to train"):
            moved(patterns)
    else:
        assert moved(patterns) == wanted


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ("bn affine=false", "1x8x8"),
        ("batchnorm1d", "4x16"),
        ("batchnorm3d", "1x4x4x4"),
        ("instancenorm2d affine=true track_running_stats=true", "1x8x8"),
        ("instancenorm2d track_running_stats=true", "1x8x8"),
        ("syncbatchnorm", "1x8x8"),
    ],
)
def test_every_norm_with_running_statistics(row: str, size: str) -> None:
    net = netspec.loads(f"netspec: 1\ninput: {size}\nlayers: {{norm: {row}, head: fc 3}}\nweights: {{freeze: [norm]}}")
    built = net.build().train()
    before = statistics(built, "norm")
    assert before
    built.head(torch.flatten(built.norm(torch.randn(5, *map(int, size.split("x")))), 1)).sum().backward()  # type: ignore[operator]
    assert all(torch.equal(before[name], value) for name, value in statistics(built, "norm").items())


@pytest.mark.parametrize("wrap", ["spectral_norm", "spectral_norm_hook"])
def test_a_frozen_weight_under_a_spectral_norm_stays_the_same(wrap: str) -> None:
    text = f"netspec: 1\ninput: 8\nlayers: {{fc1: fc 8 wrap={wrap}, fc2: fc 8 wrap={wrap}}}\nweights: {{freeze: [fc1]}}"
    net = netspec.loads(text).build().train()
    before = copy.deepcopy(net.state_dict())
    net(torch.randn(4, 8))
    after = net.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before if k.startswith("fc1"))
    assert not all(torch.equal(before[k], after[k]) for k in before if k.startswith("fc2"))


@pytest.mark.parametrize(
    "tied",
    [
        "layers: {a: bn, b: alias a, c: fc 2}",
        "layers: {a: bn, b: bn, c: fc 2}\ntie: {b.weight: a.weight, b.bias: a.bias}",
    ],
)
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_norm_of_two_names_is_frozen_by_either(tied: str, name: str) -> None:
    net: Any = netspec.loads(f"input: 4\n{tied}\nweights: {{freeze: [{name}]}}").build().train()
    assert not net.a.training
    assert not net.b.training


def test_it_holds_whoever_sets_the_network_to_training() -> None:
    net: Any = spec("weights.freeze=[bn1]").build()
    for made in (net, copy.deepcopy(net)):
        for _ in range(2):
            assert (made.training, made.bn1.training, made.bn2.training) == (True, False, True)
            assert not made.eval().bn2.training
            made.train()
    copied = copy.deepcopy(net)
    copied.bn1.train()
    assert copied.bn1.__dict__["train"].args == (copied.bn1,)


def test_a_lone_sample_is_no_trouble_for_a_norm_that_is_frozen() -> None:
    """1,617 samples in batches of 101 leave one alone in the last, over which a norm could take no variance."""
    words = ["input=64", "layers={a: fc 8, bn1: bn, head: fc 10}", "data.transform=reshape 64", "train.batch=101"]
    words += ["data.split={val: 180}", "train.max_steps=17"]
    with pytest.raises(netspec.SpecError, match="the last batch of 1,617 samples is a single one"):
        spec(*words)
    spec(*words, "weights.freeze=[bn1]").train()


def normed() -> nn.Module:
    net = perceptron(dropout=0.3, norm=True)
    norm = net[1].requires_grad_(False)
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    norm.running_mean += 0.5
    hold(norm)
    return net


@pytest.mark.parametrize("more", [{}, {"ema": 0.8}], ids=str)
def test_it_is_resumed_to_the_bit(more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_ = section(epochs=4, optimizer="adamw lr=0.01", **more)
    whole, _ = never_stopped(train_, classes(), tmp_path / "whole", normed)
    parts, _ = stopped_and_resumed(train_, classes(), tmp_path / "parts", [3, 4, 1], monkeypatch, normed)
    assert equal(whole, parts)
    assert digest(tmp_path / "whole" / "best.safetensors") == digest(tmp_path / "parts" / "best.safetensors")
    assert all(torch.equal(value, statistics(normed(), "1")[name]) for name, value in statistics(whole, "1").items())


def test_another_freeze_does_not_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither with more that is frozen nor with less, whatever the optimizer has stored by then."""
    begun = spec("weights.freeze=[conv1, bn1]")
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        StopAfter.left = 3
        with pytest.raises(Interrupted):
            begun.train(tmp_path / "run")
    for other, words in (
        ("[conv1]", "bn1.weight: frozen, now it has trained; with bn1.bias: frozen, now it has trained"),
        ("[conv1, bn1, tail]", "tail.2.weight: trained, now it has frozen"),
        ("[]", "conv1.weight: frozen, now it has trained"),
    ):
        with pytest.raises(netspec.UsageError, match=words):
            spec(f"weights.freeze={other}").train(tmp_path / "run", resume=True)
    assert begun.train(tmp_path / "run", resume=True).history.steps == 6


def test_nor_does_another_network_without_a_spec(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(normed(), section(epochs=1, optimizer="adamw"), classes(), run)
        with pytest.raises(netspec.UsageError, match=r"with 1\.weight: frozen, now it has trained"):
            train(perceptron(norm=True), section(epochs=2, optimizer="adamw"), classes(), run, resume=True)
