"""What each loss wants of prediction and target, statically and on the first batch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import netspec
from netspec.datasets.fit import described
from netspec.dims import BATCH, named
from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.losses.base import Loss
from netspec.runtime.train.loss import Objective
from netspec.runtime.train.run import train
from netspec.tensors import Dtype, Misfit, Tensor
from netspec.text.report import SpecError
from netspec.vocabulary import LOSSES
from tests.train.small import data, section

B, T = BATCH, named("T")
INT: Dtype = "int64"


def loss(row: str) -> Loss:
    return read_entry(row, ("train", "loss"), LOSSES)[0]


FITTING = [
    ("mse", [Tensor((B, 3))], Tensor((B, 3))),
    ("mse one_hot", [Tensor((B, 10))], Tensor((B,), INT)),
    ("mse one_hot", [Tensor((B, 10))], Tensor((B, 10))),
    ("bce_logits one_hot", [Tensor((B, 10, 4, 4))], Tensor((B, 4, 4), INT)),
    ("mse", [Tensor((B, T))], Tensor((B, 7))),
    ("ce", [Tensor((B, 10))], Tensor((B,), INT)),
    ("ce", [Tensor((B, 10))], Tensor((B, 10))),
    ("ce", [Tensor((B, 5, 8, 8))], Tensor((B, 8, 8), INT)),
    ("ce axis=-1", [Tensor((B, T, 50))], Tensor((B, T), INT)),
    ("nll weight=1x2x3", [Tensor((B, 3))], Tensor((B,), INT)),
    ("bce", [Tensor((B, 1))], Tensor((B, 1))),
    ("gaussian_nll", [Tensor((B, 4)), Tensor((B, 1))], Tensor((B, 4))),
    ("triplet", [Tensor((B, 4))] * 3, None),
    ("cosine_embedding", [Tensor((B, 4))] * 2, Tensor((B,), INT)),
    ("ctc", [Tensor((20, B, 11))], Tensor((B, 6), INT)),
    ("linear_cross_entropy 4 9 out_features=2", [Tensor((B, 4))], Tensor((B, 2), INT)),
]
MISFITS = [
    ("mse", [Tensor((B, 1))], Tensor((B,)), "the prediction is B x 1 and the target is B"),
    ("mse", [Tensor((B, 10))], Tensor((B,), INT), "the target holds class numbers"),
    ("mse one_hot", [Tensor((B, 10))], Tensor((B, 4)), "takes class numbers"),
    ("bce one_hot", [Tensor((B, 10))], Tensor((B, 4), INT), "one class number a place"),
    ("l1", [Tensor((B, 3))], Tensor((B, 3), INT), "takes a target of floats, it is int64"),
    ("ce", [Tensor((B, 10))], Tensor((B,)), "a probability for each class"),
    ("ce", [Tensor((B, 10))], Tensor((B, 1), INT), "the target is B x 1"),
    ("ce", [Tensor((B, 10), INT)], None, "takes a prediction of floats, it is int64"),
    ("ce", [Tensor((B, 1))], None, "has only one class"),
    ("ce", [Tensor((B,))], None, "batch x classes"),
    ("ce", [Tensor((B, 3))] * 2, None, "takes 1 prediction, the network has 2 outputs"),
    ("ce weight=1x2", [Tensor((B, 3))], None, "has weights for 2 classes, the prediction has 3"),
    ("bce", [Tensor((B,))], Tensor((B,), INT), "takes a target of floats"),
    ("triplet", [Tensor((B, 4))] * 2, None, "takes 3 predictions"),
    ("triplet", [Tensor((B, 4)), Tensor((B, 4)), Tensor((B, 5))], None, "outputs of one shape"),
    ("ctc blank=11", [Tensor((20, B, 11))], None, "has the blank 11"),
    ("adaptive_log_softmax 8 100 cutoffs=10", [Tensor((B, 4))], None, "declares 8 features"),
    ("adaptive_log_softmax 8 100 cutoffs=200", [Tensor((B, 8))], None, "begins at 200"),
]


@pytest.mark.parametrize(("row", "predictions", "target"), FITTING)
def test_fits(row: str, predictions: list[Tensor], target: Tensor | None) -> None:
    loss(row).expect(predictions, target)


@pytest.mark.parametrize(("row", "predictions", "target", "words"), MISFITS)
def test_misfits(row: str, predictions: list[Tensor], target: Tensor | None, words: str) -> None:
    with pytest.raises(Misfit) as caught:
        loss(row).expect(predictions, target)
    assert words in caught.value.message


def test_classes_on_the_last_axis_are_told_how_to_say_so() -> None:
    with pytest.raises(Misfit) as caught:
        loss("ce").expect([Tensor((B, T, 50))], Tensor((B, 32), INT))
    assert caught.value.hint == "If the classes are on the last axis, write axis=-1."


def test_mse_refuses_to_broadcast_before_the_first_step() -> None:
    """The tutorial's own slip: (B, 1) against (B,) would become B x B and still train."""
    net = nn.Linear(4, 1)
    before = net.weight.clone()
    with pytest.raises(SpecError, match="the prediction is 16 x 1 and the target is 16"):
        train(net, section(loss="mse"), data(torch.randn(32, 4), torch.randn(32)))
    assert torch.equal(net.weight, before)


def test_labels_out_of_range_name_their_row() -> None:
    y = torch.tensor([0, 1] * 16)
    y[21] = 192
    with pytest.raises(DataError, match=r"row 21 \(train part\): the target is 192, at least 0 and at most 1"):
        train(nn.Linear(4, 2), section(), data(torch.randn(32, 4), y))


def test_validation_labels_are_looked_at_before_the_first_step() -> None:
    net = nn.Linear(4, 2)
    before = net.weight.clone()
    y = torch.tensor([0, 1] * 16)
    y[-1] = 2
    with pytest.raises(DataError, match=r"row 3 \(val part\): the target is 2"):
        train(net, section(), data(torch.randn(32, 4), y, val=4))
    assert torch.equal(net.weight, before)


def test_what_is_ignored_is_in_range() -> None:
    train(
        nn.Linear(4, 2),
        section(loss="ce ignore_index=-1", epochs=1),
        data(torch.randn(4, 4), torch.tensor([0, 1, -1, 0])),
    )


def test_inputs_that_are_not_finite_name_their_row() -> None:
    x = torch.randn(32, 4)
    x[13, 2] = float("nan")
    with pytest.raises(DataError, match=r"row 13 \(train part\): a value is not a finite number"):
        train(nn.Linear(4, 2), section(), data(x, torch.zeros(32, dtype=torch.long)))


@pytest.mark.parametrize("row", ["mse one_hot", "bce_logits one_hot", "l1 one_hot", "huber one_hot"])
def test_class_numbers_are_spread_as_torch_spreads_them(row: str) -> None:
    scores, target = torch.randn(6, 4, 3), torch.randint(0, 4, (6, 3))
    spread = torch.nn.functional.one_hot(target, 4).movedim(-1, 1).float().contiguous()
    plain = Objective(loss(row.removesuffix(" one_hot")))
    assert torch.equal(Objective(loss(row))(scores, target), plain(scores, spread))
    assert loss(row).target_kind == "class"
    assert loss(row).target_range([described(scores)], described(target)) == (0, 3)


LENGTHS = """netspec: 1
input: Tx4
layers: [linear 1]
data: npz d.npz
train: {epochs: 1, loss: mse, optimizer: sgd lr=0.1}
"""


def test_what_only_the_first_batch_shows_has_its_line(tmp_path: Path) -> None:
    """A length that only the run knows, in training and where a run is evaluated on other data."""
    (tmp_path / "s.yaml").write_text(LENGTHS)
    x, y = np.ones((20, 9, 4), "f4"), np.ones((20, 7, 1), "f4")
    np.savez(tmp_path / "d.npz", x=x, y=y)
    spec = netspec.load(tmp_path / "s.yaml")
    with pytest.raises(SpecError, match=r"s\.yaml:5:26  error\[loss-target\]  mse compares equal shapes"):
        spec.train(tmp_path / "run")
    np.savez(tmp_path / "d.npz", x=x[:, :7], y=y)
    spec.train(tmp_path / "other")
    np.savez(tmp_path / "d.npz", x=x, y=y)
    with pytest.raises(SpecError, match=r"spec\.yaml:5:26  error\[loss-target\]  mse compares equal shapes"):
        netspec.Run.read(tmp_path / "other").evaluate()


@pytest.mark.parametrize(
    "row", ["ce axis=-1 label_smoothing=0.1", "ce axis=-1 ignore_index=3 weight=1x2x3x4x5", "nll axis=-1"]
)
def test_classes_on_the_last_axis_are_compared_where_they_lie(row: str) -> None:
    objective = Objective(loss(row))
    scores, target = torch.randn(2, 7, 3, 5).log_softmax(-1), torch.randint(5, (2, 7, 3))
    given, classes = objective.criteria[0].loss.inputs([scores], target)
    assert given.shape == (42, 5)
    assert given.data_ptr() == scores.data_ptr()
    assert classes.shape == (42,)
    moved = objective.module(scores.movedim(-1, 1), target)
    assert torch.allclose(objective(scores, target), moved)


def test_so_are_probabilities_of_the_classes() -> None:
    objective = Objective(loss("ce"))
    scores, target = torch.randn(2, 5, 3), torch.rand(2, 5, 3)
    assert objective.criteria[0].loss.inputs([scores], target)[0] is scores


SIGNS = torch.tensor([1.0, -1.0, 0.0, 1.0])
STRAYS = [
    ("soft_margin", [torch.rand(4)], SIGNS, "row 2 (train part): the target is 0.0, -1 or 1 is expected"),
    ("hinge", [torch.rand(4)], SIGNS, "Labels of 0 and 1 become -1 and 1 by 2 * y - 1"),
    ("cosine_embedding", [torch.rand(4, 3)] * 2, SIGNS, "1 of the 4 values there are wrong"),
    ("cosine_embedding", [torch.rand(4, 3)] * 2, SIGNS > 0, "the target is False, -1 or 1 is expected"),
    ("margin_ranking", [torch.rand(4)] * 2, SIGNS / 2, "the target is 0.5, -1 or 1 is expected"),
    ("ctc", [torch.rand(9, 2, 5)], torch.tensor([[3, 2, 0], [1, 0, 2]]), "nothing but blanks behind a blank"),
    ("multilabel_margin", [torch.rand(2, 3)], torch.tensor([[2, -1, -1], [-1, 0, -1]]), "nothing but -1 behind a -1"),
]


@pytest.mark.parametrize(("row", "given", "target", "words"), STRAYS)
def test_targets_that_torch_takes_for_something_else(
    row: str, given: list[torch.Tensor], target: torch.Tensor, words: str
) -> None:
    samples = data(torch.zeros(len(target), 1), target)
    with pytest.raises(DataError, match=re.escape(words)):
        Objective(loss(row)).check(tuple(given), target, {"train": samples.train})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("hinge target=0", "hinge compares with 0, -1 or 1 is expected"),
        ("bce_logits target=3", "at least 0 and at most 1 is expected"),
        ("cross_entropy target=4", "the number of a class, at least 0 and at most 3 is expected"),
        ("cross_entropy target=1.5", "cross_entropy compares with 1.5"),
    ],
)
def test_a_number_that_stands_for_all_targets_is_one_of_them(row: str, words: str) -> None:
    text = "netspec: 1\ninput: 8\nlayers: {a: fc 4}\ntrain: {loss: {a: %s}, optimizer: adam}\n"
    with pytest.raises(SpecError, match=words):
        netspec.loads(text % row)
    assert netspec.loads(
        text % row.replace("=0", "=-1").replace("=3", "=0.5").replace("=1.5", "=1").replace("=4", "=3")
    )


def test_a_class_that_stands_for_all_is_that_of_each_place() -> None:
    spec = netspec.loads(
        "netspec: 1\ninputs: {x: int T}\nlayers: {e: embedding 9 4, a: linear 5}\n"
        "train: {loss: {a: cross_entropy axis=-1 target=2}, optimizer: adam}\n"
    )
    assert spec.experiment.train is not None
    objective = Objective(spec.experiment.train.terms, names=["a"])
    scores = torch.randn(2, 3, 5)
    ((criterion, given),) = objective.present(scores)
    expected = nn.functional.cross_entropy(scores.flatten(0, 1), torch.full((6,), 2))
    torch.testing.assert_close(criterion(given, criterion.compared(given, scores, torch.zeros(2))), expected)
