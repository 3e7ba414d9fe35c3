"""Metrics are exact over all batches together: scikit-learn gives the same."""

from __future__ import annotations

from math import exp, isnan
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn

from netspec.dims import BATCH
from netspec.language.calls import read_entry
from netspec.runtime.data.split import Split
from netspec.runtime.train.evaluate import evaluate
from netspec.runtime.train.loss import Objective
from netspec.tensors import Misfit, Tensor
from netspec.vocabulary import LOSSES, METRICS
from tests.train.small import section

Given = tuple[torch.Tensor, torch.Tensor]


def measured(row: str, scores: torch.Tensor, target: torch.Tensor, loss: str) -> Any:
    """The metric over three batches, the last one smaller."""
    metric, _ = read_entry(row, (), METRICS)
    objective = Objective(read_entry(loss, (), LOSSES)[0])
    found = evaluate(nn.Identity(), Split((scores,), target), objective, [metric], batch=1100)
    assert found is not None
    return found[metric.label]


@pytest.fixture
def chosen() -> Given:
    """Scores of five classes, of which one never occurs, with many ties."""
    generator = torch.Generator().manual_seed(3)
    scores = torch.randn(2500, 5, generator=generator).mul(2).round() / 2 - torch.tensor([0, 0, 0, 0, 90])
    noisy = scores + 3 * torch.randn(2500, 5, generator=generator)
    return scores, noisy.argmax(1)


@pytest.fixture
def yes() -> Given:
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn(2500, generator=generator).mul(3).round() / 3
    return scores, (scores + torch.randn(2500, generator=generator) > 0).float()


@pytest.fixture
def values() -> Given:
    generator = torch.Generator().manual_seed(5)
    target = torch.randn(2500, 3, generator=generator) * torch.tensor([1.0, 10.0, 100.0]) + 50
    return target + torch.randn(2500, 3, generator=generator), target


def test_accuracy_and_confusion(chosen: Given, yes: Given) -> None:
    scores, truth = chosen
    assert measured("accuracy", *chosen, "ce") == sk.accuracy_score(truth, scores.argmax(1))
    matrix = sk.confusion_matrix(truth, scores.argmax(1), labels=range(5)).tolist()
    assert measured("confusion", *chosen, "ce") == matrix
    scores, truth = yes
    assert measured("accuracy", *yes, "bce_logits") == sk.accuracy_score(truth, scores > 0)


def test_top_k() -> None:
    scores = torch.randn(2500, 5, generator=torch.Generator().manual_seed(3))
    truth = torch.arange(2500) % 5
    wanted = sk.top_k_accuracy_score(truth, scores, k=2)
    assert measured("topk 2", scores, truth, "ce") == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_averaged(name: str, average: str, chosen: Given) -> None:
    scores, truth = chosen
    wanted = getattr(sk, f"{name}_score")(truth, scores.argmax(1), average=average, zero_division=0)
    assert measured(f"{name} average={average}", *chosen, "ce") == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_binary(name: str, yes: Given) -> None:
    scores, truth = yes
    wanted = getattr(sk, f"{name}_score")(truth, scores > 0)
    assert measured(f"{name} average=binary", *yes, "bce_logits") == pytest.approx(wanted, abs=1e-12)


def test_roc_auc(chosen: Given, yes: Given) -> None:
    scores, truth = yes
    assert measured("roc_auc", *yes, "bce_logits") == pytest.approx(sk.roc_auc_score(truth, scores), abs=1e-12)
    scores, _ = chosen
    truth = torch.arange(2500) % 5
    wanted = sk.roc_auc_score(truth, scores.softmax(1).numpy().astype(np.float64), multi_class="ovr")
    assert measured("roc_auc", scores, truth, "ce") == pytest.approx(wanted, abs=1e-4)


def test_values(values: Given) -> None:
    predicted, target = (v.double() for v in values)
    assert measured("mae", *values, "mse") == pytest.approx(sk.mean_absolute_error(target, predicted), abs=1e-9)
    assert measured("mse", *values, "mse") == pytest.approx(sk.mean_squared_error(target, predicted), abs=1e-9)
    rmse = sk.mean_squared_error(target.flatten(), predicted.flatten()) ** 0.5
    assert measured("rmse", *values, "mse") == pytest.approx(rmse, abs=1e-9)
    wanted = sk.r2_score(target, predicted)
    assert measured("r2", *values, "mse") == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("count", [1, 10, 1000])
@pytest.mark.parametrize("number", [0.0, 1.0, 0.1, -1e6 / 3])
def test_r2_of_a_constant_target_is_no_number(number: float, count: int) -> None:
    target = torch.stack([torch.full((count,), number), torch.arange(float(count))], 1)
    predicted = torch.stack([torch.arange(float(count)), torch.arange(float(count))], 1)
    assert isnan(measured("r2", predicted, target, "mse"))
    assert isnan(measured("r2", target, target, "mse"))
    assert isnan(measured("r2", predicted[:, :1], target[:, :1], "mse"))


def test_r2_of_a_target_that_hardly_varies() -> None:
    target = 2000 + torch.linspace(0, 0.1, 50).double()[:, None]
    assert measured("r2", target + 0.01, target, "mse") == pytest.approx(sk.r2_score(target, target + 0.01), rel=1e-3)


def test_perplexity_skips_what_is_ignored(chosen: Given) -> None:
    scores, truth = chosen
    truth = truth.clone()
    truth[::7] = -1
    kept = truth != -1
    wanted = exp(sk.log_loss(truth[kept], scores[kept].double().softmax(1), labels=range(5)))
    assert measured("perplexity", scores, truth, "ce ignore_index=-1") == pytest.approx(wanted, rel=1e-6)


def test_perplexity_of_shares_of_the_classes(chosen: Given) -> None:
    scores, truth = chosen
    shares = torch.nn.functional.one_hot(truth, 5).float() * 0.9 + 0.02
    wanted = exp(torch.nn.functional.cross_entropy(scores.double(), shares.double()).item())
    assert measured("perplexity", scores, shares, "ce") == pytest.approx(wanted, rel=1e-6)


def test_differences_are_told_in_the_numbers_of_the_target(yes: Given) -> None:
    scores, truth = yes
    assert measured("mse", *yes, "bce_logits") == pytest.approx(sk.brier_score_loss(truth, scores.sigmoid()), rel=1e-6)
    rates = scores.abs() + 1
    for row, given in (("poisson", rates.log()), ("poisson log_input=false", rates), ("kl reduction=sum", rates.log())):
        assert measured("mae", given, truth, row) == pytest.approx(sk.mean_absolute_error(truth, rates), rel=1e-6)
    error = sk.mean_absolute_error(-truth, scores)
    assert measured("mae", scores, -truth, "kl log_target reduction=sum") == pytest.approx(error)
    assert measured("r2", rates.log(), rates, "poisson") == pytest.approx(1)


@pytest.mark.parametrize(
    ("row", "loss", "words"),
    [
        ("accuracy", "hinge", "takes distances, which are less where it is yes"),
        ("roc_auc", "hinge", "takes distances"),
        ("mae", "soft_margin", "takes labels of -1 and 1"),
        ("mae", "ctc", "measures numbers or yes or no, ctc takes another kind of target"),
        ("r2", "multilabel_margin", "takes another kind of target"),
        ("rmse", "cosine_embedding", "takes another kind of target"),
    ],
)
def test_what_would_be_measured_the_other_way_round_is_refused(row: str, loss: str, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        read_entry(row, (), METRICS)[0].expect(read_entry(loss, (), LOSSES)[0], Tensor((BATCH,)))


@pytest.mark.parametrize(
    "row", ["ce", "ce weight=1x2x3x4x5", "ce ignore_index=2", "ce reduction=sum", "nll", "multi_margin"]
)
def test_the_loss_is_the_loss_of_all_samples_at_once(row: str, chosen: Given) -> None:
    scores, truth = chosen
    objective = Objective(read_entry(row, (), LOSSES)[0])
    found = evaluate(nn.Identity(), Split((scores,), truth), objective, batch=1100)
    assert found is not None
    whole = objective(scores, truth).item() / (len(truth) if "sum" in row else 1)
    assert found["loss"] == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("row", ["f1", "precision average=weighted", "recall average=micro"])
def test_many_classes_take_memory_for_each_and_not_for_each_pair(row: str) -> None:
    scores = torch.zeros(2, 50_000)
    scores[0, 7] = scores[1, 49_999] = 1
    found = section(loss="ce", metrics=row)
    counts = found.metrics[0].count(scores, torch.tensor([7, 3]), found.loss)
    assert sum(count.numel() for count in counts.values()) <= 3 * 50_000
    assert found.metrics[0].value(counts) > 0


def test_a_table_of_very_many_classes_is_refused() -> None:
    found = section(loss="ce", metrics="confusion")
    found.metrics[0].expect(found.loss, Tensor((BATCH, 1000)))
    with pytest.raises(Misfit, match=r"would be a table of 50,000 x 50,000, at most 1,000"):
        found.metrics[0].expect(found.loss, Tensor((BATCH, 50_000)))
