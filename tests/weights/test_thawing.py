"""What is frozen for a while: trained from then on with the rate of its group, and resumed to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import netspec
from netspec.errors import Interrupted
from netspec.runtime.train.loop import Trainer
from netspec.views import training
from tests.train.test_resume import StopAfter

SPEC = """\
netspec: 1
input: 1x8x8
layers:
  conv1: conv 4 k3
  bn1: bn, relu
  conv2: conv 4 k3
  bn2: bn, relu
  head: fc 10
data: {source: digits, split: {val: 0.1}}
train: {loss: cross_entropy, optimizer: sgd lr=0.1 momentum=0.9, epochs: 3, batch: 512, device: cpu}
lint: {ignore: [bias-before-norm]}
"""
STEPS = 4
"""Of an epoch."""


def spec(weights: str, *overrides: str) -> netspec.Spec:
    return netspec.loads(SPEC, [f"weights={weights}", *overrides])


def moves(found: netspec.Spec, monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The modules of which each step changes something."""
    step, seen = Trainer._step, []

    def watched(self: Trainer) -> None:
        before = {n: t.clone() for n, t in self.state.module.state_dict().items()}
        step(self)
        seen.append({n for n, t in self.state.module.state_dict().items() if not torch.equal(t, before[n])})

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", watched)
        found.train()
    return seen


@pytest.mark.parametrize(
    ("weights", "name", "first"),
    [
        ("{freeze: [conv1], unfreeze: {epoch: 1}}", "conv1.weight", STEPS),
        ("{freeze: [conv1], unfreeze: {epoch: 2}}", "conv1.weight", 2 * STEPS),
        ("{freeze: {names: [conv1], until: {step: 3}}}", "conv1.weight", 3),
        ("{freeze: [{names: conv1, until: {step: 3}}, conv2]}", "conv1.weight", 3),
        ("{freeze: [{names: conv1, until: {step: 3}}, conv2]}", "conv2.weight", None),
        ('{freeze: ["*1", conv2], unfreeze: {conv2: {step: 2}, "*": {step: 5}}}', "conv2.weight", 2),
        ('{freeze: ["*1", conv2], unfreeze: {conv2: {step: 2}, "*": {step: 5}}}', "bn1.running_mean", 5),
        ('{freeze: ["*1"], unfreeze: {epoch: 1}}', "bn1.running_mean", STEPS),
        ('{freeze: ["*1"], unfreeze: {conv1: {epoch: 1}}}', "bn1.running_mean", None),
        ('{freeze: ["*1"], unfreeze: {conv1: {epoch: 1}}}', "conv1.weight", STEPS),
        ('{freeze: {names: ["*1"], statistics: move}}', "bn1.running_mean", 0),
        ('{freeze: {names: ["*1"], statistics: move}}', "bn1.weight", None),
        ('{freeze: {names: ["*1"], statistics: keep}}', "bn1.running_mean", None),
    ],
)
def test_it_moves_from_then_on(weights: str, name: str, first: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [name in step for step in moves(spec(weights), monkeypatch)]
    assert len(seen) == 3 * STEPS
    assert seen == [first is not None and step >= first for step in range(len(seen))]


def test_it_is_trained_with_the_rate_of_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """What thaws moves by what a run that begins there would move it by: nothing of the frozen time is left."""
    rates: dict[str, float] = {}
    step = Trainer._step

    def watched(self: Trainer) -> None:
        weight = self.state.module.conv1.weight
        before = weight.detach().clone()
        step(self)
        if self.position.step == STEPS + 1:
            rates["moved"] = float((before - weight.detach()).abs().max() / weight.grad.abs().max())

    monkeypatch.setattr(Trainer, "_step", watched)
    groups = "train.groups={conv1: lr=0.01}"
    spec("{freeze: [conv1], unfreeze: {epoch: 1}}", groups).train()
    assert rates["moved"] == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("optimizer", ["train.optimizer=adamw lr=0.01", "train.optimizer=sgd lr=0.1 momentum=0.9"])
@pytest.mark.parametrize("left", [2, STEPS - 1, STEPS, STEPS + 1, 2 * STEPS + 1])
def test_it_is_resumed_to_the_bit(left: int, optimizer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = '{freeze: ["*1", conv2], unfreeze: {"*1": {epoch: 1}, conv2: {step: 9}}}'
    found = spec(rules, optimizer)
    whole = found.train().module.state_dict()
    with monkeypatch.context() as patch:
        patch.setattr("netspec.runtime.train.run.StopSignals", StopAfter)
        StopAfter.left = left
        with pytest.raises(Interrupted):
            found.train(tmp_path / "run")
    parts = found.train(tmp_path / "run", resume=True).module.state_dict()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_another_time_to_thaw_is_another_run(tmp_path: Path) -> None:
    spec("{freeze: [conv1], unfreeze: {epoch: 1}}").train(tmp_path)
    for other, words in (
        ("{freeze: [conv1], unfreeze: {epoch: 2}}", "conv1.weight: frozen until the end of epoch 1, then trained, now"),
        ("{freeze: [conv1]}", "now it has frozen"),
        ("{freeze: {names: [conv1, bn1], statistics: move}}", "now it has frozen"),
    ):
        with pytest.raises(netspec.UsageError, match=words):
            spec(other).train(tmp_path, resume=True)


def test_the_summary_tells_when_it_thaws() -> None:
    found = spec("{freeze: [conv1, bn1], unfreeze: {bn1: {step: 5}, conv1: {epoch: 2}}}")
    told = training.text(training.training(found.name, found.graph, found.experiment))
    assert "40 of these parameters are frozen until the end of epoch 2" in told
    assert "8 of these parameters are frozen until the end of step 5" in told
    assert "parameters that are frozen\n" not in told


def test_a_network_that_is_built_begins_frozen() -> None:
    net: Any = spec("{freeze: [conv1, bn1], unfreeze: {epoch: 2}}").build().train()
    assert not net.conv1.weight.requires_grad
    assert not net.bn1.training
    moving: Any = spec("{freeze: {names: [bn1], statistics: move}}").build().train()
    assert moving.bn1.training


def test_nothing_to_train_at_first_is_refused() -> None:
    with pytest.raises(netspec.UsageError, match="nothing is trained before something thaws"):
        spec('{freeze: ["*"], unfreeze: {epoch: 1}}').train()


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("{unfreeze: {epoch: 1}}", "unfreeze is about what is frozen, and nothing is"),
        ("{freeze: [conv1], unfreeze: {epoch: 0}}", "after how many epochs or steps"),
        ("{freeze: [conv1], unfreeze: 3}", "unfreeze says the epoch or the step"),
        ("{freeze: [conv1], unfreeze: {epoch: 1, step: 2}}", "one of both"),
        ("{freeze: [conv1], unfreeze: {conv2: {epoch: 1}}}", "'conv2' matches nothing that is frozen"),
        ("{freeze: {names: [conv1], until: {epcoh: 1}}}", "after how many epochs or steps"),
        ("{freeze: {names: [conv1], statistics: yes}}", "statistics is keep or move"),
        ("{freeze: {names: [conv1], untl: {epoch: 1}}}", "freeze has no 'untl'"),
        ("{freeze: {names: [cnov1]}}", r"'cnov1' matches no parameter[^D]*Did you mean 'conv1'"),
        ("{freeze: {names: 3}}", "freeze is a list of names and patterns"),
        ("{freeze: {until: {epoch: 1}}}", "freeze is a list of names and patterns"),
    ],
)
def test_what_is_not_said_right(weights: str, words: str) -> None:
    with pytest.raises(netspec.SpecError, match=words):
        spec(weights)
