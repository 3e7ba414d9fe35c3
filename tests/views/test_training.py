"""`summary --train` tells what training then does: its steps, its groups, its learning rates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import netspec
from netspec.runtime.data.loading import load_data
from netspec.runtime.device.parallel import Whole
from netspec.runtime.train.state import State
from netspec.views.training import Training, text, training
from tests.cli.test_commands import DIGITS, LENET, run

SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers:
  backbone: [conv 4 k3, bn, relu]
  head: fc 10
weights: {freeze: [backbone.0]}
data: {source: digits}
train:
  loss: ce
  optimizer: adamw lr=0.1
  groups: {norm: weight_decay=0, "backbone.*": lr=0.01}
  scheduler: cosine warmup=10
  epochs: 3
  batch: 32
"""


def planned(*overrides: str, samples: int | None = None) -> Training:
    spec = netspec.loads(SPEC, overrides)
    return training(spec.name, spec.graph, spec.experiment, samples)


@pytest.mark.parametrize(
    "overrides", [[], ["train.accumulate=2"], ["train.max_steps=7"], ["data.split={val: 0.3, test: 100}"]], ids=str
)
def test_steps_groups_and_rates_are_those_of_the_run(overrides: list[str]) -> None:
    spec = netspec.loads(SPEC, overrides)
    plan = training(spec.name, spec.graph, spec.experiment)
    assert spec.experiment.data
    assert spec.experiment.train
    state = State(Whole(spec.build()), spec.experiment.train, load_data(spec.experiment.data, Path()))
    assert (plan.data, plan.steps_per_epoch, plan.steps) == (state.count, state.per_epoch, state.total)
    groups = state.optimizer.param_groups
    assert [g.count for g in plan.groups] == [sum(p.numel() for p in group["params"]) for group in groups]
    rates = []
    for step in range(state.total):
        state.schedule.before(step)
        rates.append([group["lr"] for group in groups])
        state.optimizer.step()
        state.schedule.after(step)
    for point in plan.rates:
        assert list(point.rates) == pytest.approx(rates[point.step - 1])
    assert [plan.rates[0].step, plan.rates[-1].step] == [1, state.total]


def test_the_text() -> None:
    assert text(planned()).splitlines()[:8] == [
        "loss       CrossEntropyLoss",
        "optimizer  AdamW lr=0.1",
        "  1,450 parameters: head.weight, head.bias",
        "  8 parameters with lr=0.01 weight_decay=0: backbone.1.weight, backbone.1.bias",
        "  40 parameters that are frozen",
        "scheduler  CosineAnnealingLR warmup=10, moves at every step",
        "step       32 samples",
        "run        135 steps, 45 an epoch over 1,438 samples, 3 epochs",
    ]
    assert "learning rate  from 0.01" in text(planned())
    assert "      11" not in text(planned("train.scheduler=cosine"))


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [("step 1", "moves at every epoch"), ("plateau", "stops improving"), ("null", "stands still")],
)
def test_when_the_rate_moves(scheduler: str, words: str) -> None:
    assert words in text(planned(f"train.scheduler={scheduler}"))


def test_data_of_unknown_size_is_asked_for() -> None:
    unknown = ["data.source=npz x.npz"]
    assert planned(*unknown).steps is None
    assert "--samples" in text(planned(*unknown))
    assert planned(*unknown, samples=320).steps == 30


def test_long_runs_have_short_tables() -> None:
    assert len(planned("train.epochs=500").rates) < 20


def test_the_command() -> None:
    found = json.loads(run("summary", DIGITS, "--train", "--json").stdout)
    assert (found["steps"], found["steps_per_epoch"], found["epochs"]) == (345, 23, 15)
    assert "learning rate" in run("summary", DIGITS, "--train").stdout
    refused = run("summary", LENET, "--train")
    assert refused.returncode == 2
    assert "no train section" in refused.stderr
