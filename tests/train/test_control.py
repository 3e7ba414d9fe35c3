"""When a run measures, when it ends, and how it goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.errors import DataError, UsageError
from netspec.runtime.network.weights import load_weights
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.progress import Silent
from netspec.runtime.train.run import train
from tests.train.small import classes, equal, perceptron, section


class Clock(Silent):
    """The time of a run in which every step lasts 0.03 s, and hardly anything else."""

    interval = 0.0
    now = 0.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def tick(self, epoch: int, step: int, loss: float) -> None:
        self.now += 0.03


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def measured(**values: Any) -> list[tuple[int, int, bool]]:
    """Epoch and step of each record, and whether the validation data was measured."""
    records = train(perceptron(), section(**values), classes()).records
    return [(r["epoch"], r["step"], "val.loss" in r) for r in records]


def test_epochs_of_four_steps_are_measured_at_their_ends() -> None:
    assert measured(epochs=2) == [(1, 4, True), (2, 8, True)]


def test_every_second_epoch_and_the_last() -> None:
    assert measured(epochs=5, evaluate={"every": 2}) == [
        (1, 4, False), (2, 8, True), (3, 12, False), (4, 16, True), (5, 20, True),
    ]  # fmt: skip


def test_every_third_step_and_the_ends_of_epochs() -> None:
    assert [step for _, step, _ in measured(epochs=3, evaluate={"steps": 3})] == [3, 4, 6, 8, 9, 12]
    assert measured(epochs=2, evaluate={"steps": 3, "every": 9}) == [
        (1, 3, True), (1, 4, False), (2, 6, True), (2, 8, True),
    ]  # fmt: skip


def test_a_record_has_the_loss_of_its_own_steps() -> None:
    often = train(perceptron(), section(epochs=1, evaluate={"steps": 1}), classes()).records
    once = train(perceptron(), section(epochs=1), classes()).records
    assert len({r["train.loss"] for r in often}) == 4
    assert sum(r["train.loss"] for r in often) / 4 == pytest.approx(once[0]["train.loss"])
    assert often[-1]["val.loss"] == once[0]["val.loss"]


def test_the_best_weights_may_be_those_of_a_step(tmp_path: Path) -> None:
    train_ = section(optimizer="sgd lr=3", epochs=6, metrics=["accuracy"], evaluate={"steps": 1})
    with RunFolder.create(tmp_path, "") as run:
        history = train(perceptron(), train_, classes(), run)
    values = {r["step"]: r["val.accuracy"] for r in history.records}
    assert history.best == max(values.values())
    assert values[history.best_step] == history.best
    assert history.best_step % 4
    assert load_weights(perceptron(), run.best) == {"epoch": str(history.best_epoch), "step": str(history.best_step)}


def test_patience_counts_evaluations() -> None:
    train_ = section(epochs=50, evaluate={"steps": 1}, early_stop="val.loss patience=5 min_delta=100")
    history = train(perceptron(), train_, classes())
    assert (history.ended, history.epochs, history.steps) == ("early stop", 2, 6)


def test_the_time_is_up_and_the_run_goes_on_to_the_bit(clock: Clock, tmp_path: Path) -> None:
    """Each part has time for a few steps; together they are the run that had all the time."""
    words: dict[str, Any] = {"epochs": 3, "optimizer": "adamw lr=0.01", "evaluate": {"steps": 3}}
    whole = perceptron(dropout=0.3)
    history = train(whole, section(**words), classes())
    parts = 0
    ended = ""
    while ended != "epochs":
        module = perceptron(dropout=0.3)
        torch.manual_seed(parts)
        with RunFolder.open(tmp_path) if parts else RunFolder.create(tmp_path, "") as run:
            train_ = section(max_time=0.1, **words)
            found = train(module, train_, classes(), run, resume=bool(parts), progress=clock)
        ended = found.ended
        parts += 1
        assert ended in ("time", "epochs")
    assert parts == 4  # the time of the third is over with its last step
    assert equal(whole, module)
    assert [r["val.loss"] for r in found.records] == [r["val.loss"] for r in history.records]


def test_the_seconds_of_all_parts_are_added_up(clock: Clock, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        first = train(perceptron(), section(max_time=0.1, epochs=9), classes(), run, progress=clock)
        second = train(perceptron(), section(epochs=9), classes(), run, resume=True, progress=clock)
    assert first.seconds == pytest.approx(0.12, rel=0.01)
    assert second.seconds == pytest.approx(36 * 0.03, rel=0.01)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"batch": 8}, "began with batch 16, now it has 8"),
        ({"optimizer": "adamw"}, r"began with optimizer SGD\(lr=0.1\), now it has AdamW\(\)"),
        ({"scheduler": "cosine"}, r"began with scheduler none, now it has CosineAnnealingLR\(\) over 8 steps"),
        ({"ema": 0.9}, "began with ema none, now it has 0.9"),
        ({"lookahead": {}}, r"began without lookahead Lookahead\(\) over 8 steps, which it has now"),
        ({"seed": 1}, "began with seed 0, now it has 1"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_another_training_does_not_go_on(other: dict[str, Any], words: str, tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=1), classes(), run)
        with pytest.raises(UsageError, match=words):
            train(perceptron(), section(epochs=2, **other), classes(), run, resume=True)


def test_another_network_does_not_go_on(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=1), classes(), run)
        with pytest.raises(DataError, match=r"the checkpoint are another network's: 1\.weight is missing"):
            train(perceptron(norm=True), section(epochs=1), classes(), run, resume=True)


def test_longer_and_otherwise_watched_it_goes_on(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=1), classes(), run)
        words = {"epochs": 4, "metrics": ["accuracy"], "early_stop": "val.accuracy patience=2"}
        with pytest.warns(match=r"chosen by val\.loss before, are chosen by val\.accuracy anew"):
            history = train(perceptron(), section(**words), classes(), run, resume=True)
    assert history.monitor == "val.accuracy"
    assert history.best == max(r["val.accuracy"] for r in history.records[1:])


def test_patience_that_is_asked_for_later_counts_from_the_start(tmp_path: Path) -> None:
    patient = section(epochs=9, early_stop="val.loss patience=3 min_delta=100")
    whole = train(perceptron(), patient, classes())
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=3), classes(), run)
        history = train(perceptron(), patient, classes(), run, resume=True)
    assert (history.ended, history.steps) == (whole.ended, whole.steps) == ("early stop", 16)


@pytest.mark.parametrize("scheduler", ["plateau patience=0 factor=0.5 threshold=100", "step 2", "cosine 3"])
def test_a_schedule_without_an_end_goes_on_in_a_longer_run(scheduler: str, tmp_path: Path) -> None:
    whole, module = perceptron(), perceptron()
    train(whole, section(scheduler=scheduler, epochs=5), classes())
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(scheduler=scheduler, epochs=2), classes(), run)
        train(module, section(scheduler=scheduler, epochs=5), classes(), run, resume=True)
    assert equal(whole, module)


def test_records_that_are_lost_are_told(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(), section(epochs=3), classes(), run)
        lines = run.metrics_file.read_text().splitlines()
        run.metrics_file.write_text(f"{lines[0]}\n{lines[1][:-5]}\n{lines[2]}\n")
        with pytest.warns(match="is damaged: 2 of the records so far are lost"):
            train(perceptron(), section(epochs=3), classes(), run, resume=True)


def test_curves_for_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plain, shown = perceptron(dropout=0.3), perceptron(dropout=0.3)
    words: dict[str, Any] = {"epochs": 2, "metrics": ["accuracy"], "checkpoint": {"every": 1}}
    train(plain, section(**words), classes())
    with RunFolder.create(tmp_path, "") as run:
        train(perceptron(dropout=0.3), section(tensorboard=True, **{**words, "epochs": 1}), classes(), run)
        history = train(shown, section(tensorboard=True, **words), classes(), run, resume=True)
    assert equal(plain, shown)
    curves = EventAccumulator(str(run.board)).Reload()
    assert {"lr", "train/loss", "val/loss", "val/accuracy"} <= set(curves.Tags()["scalars"])
    assert [(e.step, e.value) for e in curves.Scalars("val/loss")] == [
        (r["step"], pytest.approx(r["val.loss"])) for r in history.records
    ]


def test_tensorboard_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with (
        RunFolder.create(tmp_path, "") as run,
        pytest.raises(UsageError, match=r"pip install 'netspec-torch\[tensorboard\]'"),
    ):
        train(perceptron(), section(tensorboard=True), classes(), run)


COMPILED = """
import sys
from netspec.errors import DataError, UsageError
from netspec.runtime.train.run import train
from tests.train.small import classes, perceptron, section
net = perceptron()
try:
    train(net, section(compile=True), classes())
except UsageError as error:
    print(error)
sys.exit(not all(x.equal(y) for x, y in zip(net.parameters(), perceptron().parameters())))
"""


def test_what_cannot_be_compiled_is_said_before_the_first_update(tmp_path: Path) -> None:
    nowhere = {**os.environ, "CXX": "no-compiler", "PATH": "", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILED], env=nowhere, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "torch cannot compile this network here: " in done.stdout
    assert done.stdout.endswith("Write compile: false.\n")
