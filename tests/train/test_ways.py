"""What of a training is faster on a machine: by a clock that a test moves, and on a network as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import netspec
from netspec.errors import Diverged
from netspec.runs.measuring import Measured, try_step
from netspec.runtime.train import trial, ways
from netspec.runtime.train.trial import Trial
from netspec.runtime.train.ways import Way, Ways, preferred
from netspec.views import faster
from tests.cli.test_commands import run

SPEC = """\
netspec: 1
name: Small
input: 1x8x8
layers: [conv 4 k3, relu, fc 10]
data: {source: digits}
train: {loss: ce, optimizer: adamw lr=1e-3, epochs: 1, batch: 32, device: cpu}
"""


class Machine:
    """A machine on which a step takes as long as `cost` says, of its samples and threads; nothing else takes time."""

    def __init__(self, cost: Callable[[int, int], float], batch: int, count: int = 10**6, peak: int = 10**6) -> None:
        self.now, self.cost, self.threads, self.taken = 0.0, cost, 1, list[int]()
        order = torch.empty(count).expand(count)
        self.trainer: Any = SimpleNamespace(
            order=order, stepper=SimpleNamespace(batch=batch, device=torch.device("cpu"), closure=False)
        )
        self.trial = Trial(batch, 0, peak, cost(batch, 1), count)

    def take(self, trainer: Any, rows: torch.Tensor) -> None:
        assert trainer.stepper.batch == len(rows)  # or it would be taken in several batches
        self.taken.append(len(rows))
        self.now += self.cost(len(rows), self.threads)

    def put(self, monkeypatch: pytest.MonkeyPatch, free: int = 10**12, cores: int = 4) -> Ways:
        monkeypatch.setattr(ways, "take", self.take)
        monkeypatch.setattr(ways, "time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr(ways, "machine", SimpleNamespace(free_memory=lambda: free, cores=lambda: cores))
        numbers = SimpleNamespace(
            get_num_threads=lambda: self.threads, set_num_threads=lambda n: setattr(self, "threads", n)
        )
        monkeypatch.setattr(ways, "torch", numbers)
        return Ways(self.trainer, self.trial)


def overrides(found: list[Way]) -> list[str]:
    return [way.override for way in found]


def test_larger_batches_are_tried_as_long_as_they_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda n, threads: 0.0001 + max(n, 256) * 1e-5, 64)
    found = list(machine.put(monkeypatch).batches())
    assert overrides(found) == ["train.batch=128", "train.batch=256", "train.batch=512", "train.batch=32"]
    (told,) = preferred(found)  # 512 is hardly faster
    assert told.override == "train.batch=256"
    assert told.times == pytest.approx(4)
    assert machine.trainer.stepper.batch == 64


def test_of_batches_about_as_fast_the_nearest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda n, threads: max(n / 256, 1) ** 0.96 * 0.004, 128)
    found = list(machine.put(monkeypatch).batches())
    assert overrides(found)[:2] == ["train.batch=256", "train.batch=512"]
    assert found[1].times > found[0].times
    assert overrides([*preferred(found)]) == ["train.batch=256"]


def test_a_smaller_batch_may_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda n, threads: n * (1e-5 if n <= 256 else 1e-4), 512)
    assert overrides([*preferred(list(machine.put(monkeypatch).batches()))]) == ["train.batch=256"]


def test_what_differs_from_round_to_round_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = chain([1.0, 1.0], cycle([3.0, 1.0]))
    machine = Machine(lambda n, threads: n * 1e-3 * next(busy), 64)
    (found, *_) = machine.put(monkeypatch).batches()
    rounds = found.others[1:]
    assert min(found.own) > 1.1 * max(rounds)  # by chance: the step that was taken before them was as fast
    assert not found.faster
    assert not preferred([Way("batch", 2, (1.5, 1.05), (1.0, 1.0)), Way("threads", 2, (3.0, 3.0), (1.0, 2.9))])
    assert preferred([Way("batch", 2, (1.5, 1.2), (1.0, 1.0))])


def test_trying_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Machine(lambda n, threads: 0.01 * n, 64)  # 0.64 s a step
    tried = slow.put(monkeypatch)
    assert overrides([*tried.batches(), *tried.threads()]) == ["train.batch=32"]
    assert slow.now <= ways.BUDGET
    slower = Machine(lambda n, threads: 1.0 * n, 64)
    tried = slower.put(monkeypatch)
    assert [*tried.batches(), *tried.threads()] == []
    assert slower.now == 0


@pytest.mark.parametrize(
    ("free", "count", "most"), [(10**12, 10**6, 1024), (17 * 10**6, 10**6, 256), (10**12, 1300, 128), (10**12, 640, 32)]
)
def test_a_batch_fits_into_memory_and_leaves_steps(
    free: int, count: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(lambda n, threads: 0.001, 64, count)
    list(machine.put(monkeypatch, free).batches())
    assert max(n for n in machine.taken if n != 64) == most


def test_threads_are_tried_and_left_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda n, threads: 0.01 / min(threads, 4) + 0.004 * (threads > 4), 64)
    found = list(machine.put(monkeypatch, cores=6).threads())
    assert overrides(found) == ["train.threads=2", "train.threads=4", "train.threads=6"]
    assert overrides([*preferred(found)]) == ["train.threads=4"]
    assert machine.threads == 1


def test_the_best_is_told_first_with_what_becomes_of_results() -> None:
    batch, threads = Way("batch", 256, (170.0, 160.0), (100.0, 90.0)), Way("threads", 2, (200.0, 190.0), (100.0,))
    told = list(faster.lines([batch, threads], [batch, threads]))
    assert told == [
        "  faster      train.threads=2 trains 2 times as many samples a second here, 200 against 100; "
        "the same but for last bits",
        "  faster      train.batch=256 trains 1.7 times as many samples a second here, 170 against 100; "
        "other steps, another run",
    ]
    (none,) = faster.lines([], [batch, threads])
    assert none.endswith("nothing that was tried, by more than noise: train.batch=256, train.threads=2")
    assert list(faster.lines([], [])) == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 1)
    monkeypatch.setattr(ways, "TURN", 0.0)


def test_python_measures_on_the_network_and_changes_nothing(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "GAIN", 0.0)
    threads = torch.get_num_threads()
    spec = netspec.loads(SPEC)
    found = spec.measure()
    assert isinstance(found, Measured)
    assert (found.trial.samples, found.trial.count) == (32, 1438)
    tried = overrides([*found.tried])
    assert [*tried[:6], tried[-1]] == [
        *(f"train.batch={n}" for n in (64, 128, 16, 8, 4, 2)),
        "train.channels_last=false",
    ]
    for way in found.tried:
        assert netspec.loads(SPEC, [way.override]).experiment.train.__dict__[way.key] == way.value
    assert "samples/s" in repr(found)
    assert spec.text == SPEC
    assert torch.get_num_threads() == threads


def test_a_compiled_step_is_not_tried_otherwise(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.runtime.device.device._compiled", lambda module: module)
    assert netspec.loads(SPEC, ["train.compile=true"]).measure().tried == ()


def test_steps_that_are_tried_learn_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MOST", 20)
    assert try_step(netspec.loads(SPEC, ["train.optimizer=sgd lr=1e30"])).seconds > 0


def test_a_step_whose_loss_is_not_finite_is_told() -> None:
    with pytest.raises(Diverged, match=r"in step 1 the loss is (nan|inf)\. No learning came before it"):
        try_step(netspec.loads(SPEC, ["layers=[log, conv 4 k3, relu, fc 10]"]))


def test_the_command_tells_what_is_faster(quick: None, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SPEC)
    done = run("summary", "small.yaml", "--train", "--measure", "--json", cwd=tmp_path)
    measured = json.loads(done.stdout)["forecast"]["measured"]
    assert measured["saved"] == measured["saved_forecast"]
    assert {way["override"] for way in measured["faster"]} <= {way["override"] for way in measured["tried"]}
    assert all(way["times"] > 0 and way["samples_per_s"] > 0 for way in measured["tried"])
    assert "  faster      " in run("summary", "small.yaml", "--train", "--measure", cwd=tmp_path).stdout
    assert run("summary", "small.yaml", "--measure", cwd=tmp_path).returncode == 2
