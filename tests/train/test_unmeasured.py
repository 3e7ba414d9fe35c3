"""A value that cannot be measured never chooses the best weights, and is told at the first evaluation."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest
import torch

from netspec.errors import DataError, Diverged
from netspec.runtime.data.split import Data
from netspec.runtime.store.run_folder import RunFolder
from netspec.runtime.train.history import History
from netspec.runtime.train.progress import Silent
from netspec.runtime.train.run import train
from tests.train.small import classes, digest, equal, perceptron, section
from tests.train.test_resume import never_stopped, stopped_and_resumed


class Listening(Silent):
    """Keeps what a run warns of."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        self.said.append(text)


def one_class() -> Data:
    """Data whose validation part has one class only, so that no curve over two kinds can be drawn."""
    found = classes()
    assert found.val is not None
    return replace(found, val=replace(found.val, target=torch.zeros_like(found.val.target)))


def ignored() -> Data:
    """Data whose validation targets are all skipped by the loss."""
    found = classes()
    assert found.val is not None
    return replace(found, val=replace(found.val, target=torch.full_like(found.val.target, -100)))


def trained(folder: Path, data: Data, **values: Any) -> tuple[History, list[str]]:
    listening = Listening()
    with RunFolder.create(folder, "") as run:
        return train(perceptron(), section(**values), data, run, progress=listening), listening.said


@pytest.mark.parametrize(
    ("metrics", "other"), [(["roc_auc"], "val.loss"), (["roc_auc", "perplexity", "accuracy"], "val.perplexity")]
)
def test_another_value_stands_in_for_the_first_metric(metrics: list[str], other: str, tmp_path: Path) -> None:
    history, said = trained(tmp_path, one_class(), epochs=3, metrics=metrics)
    assert said == [
        "val.roc_auc is nan in epoch 1; what is no number never counts as better",
        f"{other} chooses the best weights, because val.roc_auc cannot be measured",
    ]
    assert history.monitor == other
    assert history.best == min(r[other] for r in history.records)
    assert all(isnan(r["val.roc_auc"]) for r in history.records)
    assert (tmp_path / "best.safetensors").is_file()


def test_what_stands_in_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_ = section(epochs=4, optimizer="adamw lr=0.3", metrics=["roc_auc"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole, first = never_stopped(train_, one_class(), tmp_path / "whole")
        parts, second = stopped_and_resumed(train_, one_class(), tmp_path / "parts", [6, 3, 3], monkeypatch)
    assert equal(whole, parts)
    assert (first.monitor, first.best, first.best_step) == (second.monitor, second.best, second.best_step)
    assert digest(tmp_path / "whole" / "best.safetensors") == digest(tmp_path / "parts" / "best.safetensors")


ASKED: dict[str, dict[str, Any]] = {
    "checkpoint.best": {"checkpoint": {"best": "val.roc_auc"}},
    "early_stop": {"early_stop": "val.roc_auc patience=9", "checkpoint": {"best": "val.loss"}},
    "scheduler": {"scheduler": "plateau monitor=val.roc_auc mode=max", "checkpoint": {"best": "val.loss"}},
}


@pytest.mark.parametrize("key", ASKED)
def test_what_was_asked_for_is_never_replaced(key: str, tmp_path: Path) -> None:
    words = f"val.roc_auc is nan at the first evaluation .epoch 1, step 4., and train.{key} goes by it"
    with pytest.raises(DataError, match=f"{words}.* name another value there, train.loss, val.loss: "):
        trained(tmp_path, one_class(), epochs=3, metrics=["roc_auc"], **ASKED[key])
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["val.roc_auc"] is None


def test_all_that_goes_by_it_is_told_at_once(tmp_path: Path) -> None:
    words = "and train.checkpoint.best and train.early_stop go by it"
    with pytest.raises(DataError, match=words):
        trained(tmp_path, ignored(), epochs=3, early_stop="val.loss patience=1")
    words = "val.roc_auc and val.loss are nan .* and train.checkpoint.best and train.early_stop go by them"
    given = {"checkpoint": {"best": "val.roc_auc"}, "early_stop": "val.loss patience=1", "metrics": ["roc_auc"]}
    with pytest.raises(DataError, match=words):
        trained(tmp_path / "two", ignored(), epochs=3, **given)


def test_what_was_no_number_is_not_waited_for(tmp_path: Path) -> None:
    stop, best = {"early_stop": "val.loss patience=1"}, {"checkpoint": {"best": "train.loss"}}
    with pytest.raises(DataError, match=r"train\.early_stop goes by it"):
        trained(tmp_path, ignored(), epochs=4, **stop, **best)
    with (
        RunFolder.open(tmp_path) as run,
        pytest.raises(DataError, match=r"train\.early_stop goes by it"),
    ):
        train(perceptron(), section(epochs=4, **stop, **best), ignored(), run, resume=True)
    named = section(epochs=4, early_stop="train.loss patience=9", **best)
    with RunFolder.open(tmp_path) as run:
        assert train(perceptron(), named, ignored(), run, resume=True).epochs == 4


def test_another_value_that_is_named_behind_the_end(tmp_path: Path) -> None:
    trained(tmp_path, classes(), epochs=2)
    with RunFolder.open(tmp_path) as run, pytest.warns(UserWarning, match=r"chosen by val\.accuracy anew"):
        history = train(perceptron(), section(epochs=2, metrics=["accuracy"]), classes(), run, resume=True)
    assert (history.monitor, history.best) == ("val.accuracy", None)


def test_no_loss_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"val\.loss is nan .* train\.checkpoint\.best goes by it"):
        trained(tmp_path, ignored(), epochs=3)


def test_it_goes_on_by_another_value_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        trained(tmp_path, ignored(), epochs=3)
    with RunFolder.open(tmp_path) as run, pytest.warns(UserWarning, match=r"chosen by train\.loss anew"):
        history = train(perceptron(), section(epochs=3, checkpoint={"best": "train.loss"}), ignored(), run, resume=True)
    assert (history.epochs, history.best) == (3, min(r["train.loss"] for r in history.records[1:]))


def test_others_are_told_once(tmp_path: Path) -> None:
    history, said = trained(tmp_path, one_class(), epochs=3, metrics=["accuracy", "roc_auc"])
    assert history.monitor == "val.accuracy"
    assert said == ["val.roc_auc is nan in epoch 1; what is no number never counts as better"]


def measuring(values: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the evaluations find these losses."""
    found: Iterator[float] = iter(values)
    monkeypatch.setattr("netspec.runtime.train.loop.evaluate", lambda *_, **__: {"loss": next(found)})


def test_one_that_is_lost_on_the_way_leaves_the_best_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring([2.0, 1.0, nan, inf, 3.0], monkeypatch)
    history, said = trained(tmp_path, classes(), epochs=5)
    assert (history.best, history.best_epoch) == (1.0, 2)
    assert said == ["val.loss is nan in epoch 3; what is no number never counts as better"]


def test_one_that_is_too_large_at_first_may_come_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring([inf, 2.0], monkeypatch)
    history, _ = trained(tmp_path, classes(), epochs=2)
    assert (history.best, history.best_epoch) == (2.0, 2)


def test_without_a_finite_value_no_run_ends_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring([inf, inf], monkeypatch)
    with pytest.raises(Diverged, match=r"was never a finite number, so no .* The losses of the steps were"):
        trained(tmp_path, classes(), epochs=2)


def test_a_first_loss_that_is_none_is_not_the_learning_rates(tmp_path: Path) -> None:
    module = perceptron()
    with torch.no_grad():
        module.get_parameter("0.weight").fill_(1e38)
    with RunFolder.create(tmp_path, "") as run, pytest.raises(Diverged) as caught:
        train(module, section(epochs=1), classes(), run)
    assert str(caught.value).startswith("in step 1 the loss is ")
    assert "what the network begins with, or the data, gives it" in str(caught.value)
    assert "smaller lr" not in str(caught.value)
