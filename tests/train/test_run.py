"""What a run leaves behind, and what stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netspec.errors import Diverged, UsageError
from netspec.runtime.network.weights import load_weights
from netspec.runtime.store.run_folder import RunFolder, fresh_folder
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.history import Watch
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.run import train
from netspec.text.report import SpecError
from tests.effort import HANGING
from tests.train.small import classes, data, equal, perceptron, section

SCRIPT = """
import sys
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.progress import Lines
from netspec.runtime.train.run import train
from netspec.errors import NetspecError
from tests.train.small import classes, perceptron, section
try:
    with RunFolder.create(sys.argv[1], "") as run:
        train(perceptron(0.3), section(epochs=100000, threads=1), classes(), run, progress=Lines())
except NetspecError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


def test_what_a_run_leaves(tmp_path: Path) -> None:
    module = perceptron()
    with RunFolder.create(tmp_path / "run", "netspec: 1\n") as run:
        history = train(module, section(epochs=3, metrics=["accuracy"], seed=4), classes(), run)
    left = {p.name for p in run.path.iterdir()}
    assert left >= {"spec.yaml", "environment.json", "metrics.jsonl", "best.safetensors", "last.safetensors"}
    assert (run.path / "spec.yaml").read_text() == "netspec: 1\n"
    assert json.loads((run.path / "environment.json").read_text())["torch"] == torch.__version__
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    assert lines == history.records
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert {"step", "lr", "train.loss", "val.loss", "val.accuracy", "samples_per_s"} <= set(lines[0])
    last = perceptron()
    assert load_weights(last, run.last) == {"epoch": "3", "step": "12"}
    assert equal(last, module)
    assert history.best == max(line["val.accuracy"] for line in lines)


def test_the_best_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        history = train(perceptron(), section(optimizer="sgd lr=2", epochs=8, metrics=["accuracy"]), classes(), run)
    best = perceptron()
    assert load_weights(best, run.best)["epoch"] == str(history.best_epoch)
    split = classes().val
    assert split is not None
    found = evaluate(best, split, Objective(section().loss), section(metrics=["accuracy"]).metrics)
    assert found is not None
    assert found["accuracy"] == history.best


def test_a_loss_keeps_its_own_weights(tmp_path: Path) -> None:
    train_ = section(loss="adaptive_log_softmax 3 9 cutoffs=2x4 div_value=1", epochs=2)
    net = perceptron()
    with RunFolder.create(tmp_path, "") as run:
        history = train(net, train_, classes(), run)
    split, objective = classes().val, Objective(train_.loss)
    assert split is not None
    objective.restore(run.last)
    found = evaluate(net, split, objective, batch=train_.batch)
    assert found is not None
    assert found["loss"] == history.records[-1]["val.loss"]


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, ""), pytest.raises(UsageError, match="another run is writing"):
        RunFolder.create(tmp_path, "")


def test_a_lock_that_nobody_holds_is_no_problem(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    RunFolder.create(tmp_path, "").close()
    RunFolder.open(tmp_path).close()


def test_a_folder_with_a_run_is_not_begun_again(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=1), classes(), run)
    with pytest.raises(UsageError, match="holds a run already"):
        RunFolder.create(tmp_path, "")
    RunFolder.open(tmp_path).close()


def test_a_folder_without_a_run_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it has no spec"):
        RunFolder.open(tmp_path)


def test_fresh_folders_count_up(tmp_path: Path) -> None:
    assert fresh_folder(tmp_path, "net").name == "net-1"
    (tmp_path / "net-9").mkdir()
    (tmp_path / "net-old").mkdir()
    assert fresh_folder(tmp_path, "net").name == "net-10"


def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path: Path) -> None:
    class Breaking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 3)
            self.calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += self.training
            y: torch.Tensor = self.layer(x)
            if self.calls == 11:
                self.seen = self.layer.weight.detach().clone()
                return y * float("nan")
            return y

    net = Breaking()
    with RunFolder.create(tmp_path, "") as run:
        with pytest.raises(Diverged, match=r"in step 11 \(epoch 3\) the loss is nan") as caught:
            train(net, section(epochs=5, checkpoint={"every": 1}), classes(), run)
        assert caught.value.exit_code == 5
        assert torch.equal(net.layer.weight, net.seen)
        assert sorted(p.name for p in run.checkpoints.iterdir())[-1] == "step-000000008-0002"


@pytest.mark.filterwarnings("ignore:val.loss is nan")
def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path) -> None:
    data = classes()
    large = replace(data, train=replace(data.train, inputs=(data.train.inputs[0] * 1e3,)))
    with RunFolder.create(tmp_path, "") as run:
        with pytest.raises(Diverged, match=r"in step 1 \(epoch 1\) a weight ceased to be finite"):
            train(perceptron(), section(optimizer="sgd lr=3e38", max_steps=1), large, run)
        assert not run.checkpoints.exists()
        assert not run.last.exists()


def test_what_is_not_finite_is_never_the_best() -> None:
    watch = Watch("val.loss")
    values = [float("inf"), None, float("nan"), 2.0, float("-inf"), 1.0]
    seen = [watch.see({"val.loss": value, "epoch": i, "step": i}) for i, value in enumerate(values)]
    assert seen == [False, False, False, True, False, True]
    assert (watch.best, watch.step, watch.waited) == (1.0, 5, 0)


def test_the_same_seed_gives_the_same_run_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state()
    nets = [perceptron(0.5) for _ in range(3)]
    torch.set_rng_state(before)
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        train(net, section(epochs=2, seed=seed), classes())
    assert torch.equal(torch.get_rng_state(), before)
    assert equal(nets[0], nets[1])
    assert not equal(nets[0], nets[2])


def test_early_stop() -> None:
    history = train(perceptron(), section(epochs=50, early_stop="val.loss patience=3 min_delta=100"), classes())
    assert history.ended == "early stop"
    assert len(history.records) == 4


def test_a_limit_of_steps() -> None:
    history = train(perceptron(), section(epochs=50, max_steps=6), classes())
    assert (history.ended, history.steps, len(history.records)) == ("steps", 6, 2)


def test_watching_validation_needs_validation() -> None:
    with pytest.raises(UsageError, match="no validation data"):
        train(perceptron(), section(early_stop="val.loss"), classes(val=0))
    assert train(perceptron(), section(epochs=1), classes(val=0)).monitor == "train.loss"


def test_nothing_to_train() -> None:
    with pytest.raises(UsageError, match="no parameter to train"):
        train(perceptron().requires_grad_(False), section(), classes())


def test_frozen_parameters_stay() -> None:
    net = perceptron()
    (first, *_) = net
    assert isinstance(first, nn.Linear)
    frozen = first.requires_grad_(False).weight.clone()
    train(net, section(epochs=1), classes())
    assert torch.equal(first.weight, frozen)


def test_metrics_that_do_not_suit_the_loss() -> None:
    x = torch.randn(32, 4)
    with pytest.raises(SpecError, match="accuracy measures classes or yes or no, mse takes another kind"):
        train(nn.Linear(4, 1), section(loss="mse", metrics=["accuracy"]), data(x, x[:, :1], val=8))


def test_channels_last_changes_no_weight_and_ends_as_it_began() -> None:
    def maps() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3))

    points = data(torch.randn(40, 1, 8, 8), torch.randint(0, 3, (40,)))
    plain, last = maps(), maps()
    train(plain, section(epochs=2, channels_last=False), points)
    train(last, section(epochs=2), points)
    for a, b in zip(plain.parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(a, b)
        assert b.is_contiguous()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_ends_with_its_code(number: int, code: int, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    command: Any = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("training on cpu: 64 samples")
    assert process.stderr.readline().startswith("epoch      1/100000")
    process.send_signal(number)
    process.send_signal(number)
    assert process.wait(HANGING) == code
    assert "resume goes on from there" in process.stderr.read()
    process.stderr.close()
    with RunFolder.open(tmp_path / "run") as run:
        assert 0 < run.records()[-1]["epoch"] < 100_000
        assert any(run.checkpoints.iterdir())
