"""Targets: classes, numbers, several columns, labels in a cell, and whole numbers where a loss compares floats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netspec
from netspec.datasets.files import Files
from netspec.errors import DataError
from netspec.runs.data import data_of
from netspec.runtime.data.loading import load_data
from netspec.text.report import SpecError
from tests.data.writing import section

FILMS = """size,genre,drama,funny,stars,price
1,drama|war,yes,no,3,1.5
2,war,no,No,5,2
3,,no,YES,1,2.5
4,comedy | war,no,yes,2,3
"""


def read(root: Path, text: str = FILMS, **options: Any) -> Any:
    (root / "a.csv").write_text(text)
    source = section({"source": {"csv": {"path": "a.csv", "numbers": "size", **options}}}).source
    return source.fitted(source.read(Files(root)), {})


def test_labels_in_a_cell(tmp_path: Path) -> None:
    for sign in ("pipe", "|"):
        arrays = read(tmp_path, target="genre", several=sign)
        assert arrays.classes == ("comedy", "drama", "war")
        assert arrays.train.target.tolist() == [[0, 1, 1], [0, 0, 1], [0, 0, 0], [1, 0, 1]]
        assert arrays.train.target.dtype == np.float32
        assert "  target: 3 labels, each 1 or 0: comedy, drama, war" in arrays.told


def test_labels_keep_their_places(tmp_path: Path) -> None:
    read(tmp_path, target="genre", several="pipe")
    wanted = section({"source": "csv a.csv genre several=pipe numbers=size", "split": {"val": 0}})
    learnt = json.loads(json.dumps(load_data(wanted, tmp_path).learnt))
    (tmp_path / "a.csv").write_text("size,genre\n1,war|comedy\n")
    data = load_data(wanted, tmp_path, learnt=learnt)
    assert data.train.target.tolist() == [[1, 0, 1]]
    assert data.classes == ("comedy", "drama", "war")
    (tmp_path / "a.csv").write_text("size,genre\n1,war|love\n")
    with pytest.raises(DataError, match="line 2: genre lists 'love', which the training part does not have"):
        load_data(wanted, tmp_path, learnt=learnt)


def test_several_columns_are_labels_or_numbers(tmp_path: Path) -> None:
    arrays = read(tmp_path, target=["drama", "funny"])
    assert arrays.classes == ("drama", "funny")
    assert arrays.train.target.tolist() == [[1, 0], [0, 0], [0, 1], [0, 1]]
    arrays = read(tmp_path, target=["price", "stars", "drama"], regression=True)
    assert arrays.classes is None
    assert arrays.train.target.tolist() == [[1.5, 3, 1], [2, 5, 0], [2.5, 1, 0], [3, 2, 0]]
    assert "  target: price, stars, drama, numbers" in arrays.told
    assert read(tmp_path, target=["price", "stars"]).train.target.shape == (4, 2)
    gives = section({"source": {"csv": {"path": "a", "target": ["p", "q"], "numbers": "x"}}}).gives()
    assert str(gives.target) == "B x 2"
    with pytest.raises(DataError, match=r"line 2: genre is 'drama.war', expected a finite number"):
        read(tmp_path, target=["price", "genre"])
    with pytest.raises(DataError, match="several= goes with one column of labels, the target names 2"):
        read(tmp_path, target=["drama", "funny"], several="pipe")
    with pytest.raises(DataError, match=r"no column 'fun'\. Did you mean 'funny'"):
        read(tmp_path, target=["drama", "fun"])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([f"${i}" for i in range(30)], "Write signs=currency to read them; regression=false takes each"),
        ([f"{i},5" for i in range(30)], "Write decimal=comma to read them"),
        (
            [str(i * 7) for i in range(30)],
            "t is '0', one of 30 whole numbers in 30 rows. Write regression to take them",
        ),
        ([str(i % 200) for i in range(900)], "one of 200 whole numbers in 900 rows"),
        ([f"2026-01-{i + 1:02}" for i in range(30)], "A date is no target"),
        ([f"name {i}" for i in range(30)], "30 of the 30 cells of t differ. Is this the right column?"),
        (["1.5"] * 29 + ["n/a"], "line 31: t is 'n/a', other cells of t are numbers. If that is an empty cell, write"),
        (["1.5"] * 29 + ["one"], "line 31: t is 'one', other cells of t are numbers"),
    ],
)
def test_what_is_hardly_a_class_is_told(cells: list[str], words: str, tmp_path: Path) -> None:
    text = "size;t\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, target="t")
    assert words in str(caught.value)
    arrays = read(tmp_path, text, target="t", regression=False)
    assert len(arrays.classes) == len(set(cells))


def test_whole_numbers_of_few_kinds_are_classes_and_told(tmp_path: Path) -> None:
    text = "size;t\n" + "".join(f"{i};{i % 5}\n" for i in range(60))
    assert "  target: t, 5 classes: 0, 1, 2, 3, 4" in read(tmp_path, text, target="t").told
    assert read(tmp_path, text, target="t", regression=True).train.target.shape == (60, 1)


SPEC = """netspec: 1
input: 2
layers: [fc {outputs}]
data: {source: npz a.npz, split: {val: 8}}
train: {loss: LOSS, optimizer: sgd lr=0.01, epochs: 1}
"""
LABELS = np.arange(40) % 2


@pytest.mark.parametrize(
    ("target", "outputs", "loss", "given"),
    [
        (np.stack([LABELS, 1 - LABELS, LABELS], 1), 3, "bce_logits", (40, 3)),
        (np.stack([LABELS, 1 - LABELS, LABELS], 1).astype(np.uint8), 3, "multilabel_soft_margin", (40, 3)),
        (np.stack([LABELS, 1 - LABELS], 1).astype(bool), 2, "mse", (40, 2)),
        (LABELS.astype(bool), 1, "bce_logits", (40, 1)),
        (LABELS * 2 - 1, 1, "soft_margin", (40, 1)),
        (np.arange(40) * 1000 - 7, 1, "huber", (40, 1)),
        (np.arange(40) + 10**9, 1, "l1", (40, 1)),
    ],
)
def test_whole_numbers_and_booleans_where_floats_are_meant(
    target: np.ndarray[Any, Any], outputs: int, loss: str, given: tuple[int, ...], tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 2)), y=target)
    text = SPEC.replace("{outputs}", str(outputs)).replace("LOSS", loss)
    spec = netspec.loads(text).at(tmp_path)
    data = data_of(spec.over(["data.split.val=0"]), False)
    assert data.train.target.dtype == torch.float32
    assert data.train.target.shape == given
    assert data.train.target.flatten()[:5].tolist() == target.flatten()[:5].astype(np.float32).tolist()
    assert spec.train().history.records


def test_numbers_of_classes_stay_what_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 2)), y=np.arange(40) % 4)
    text = SPEC.replace("{outputs}", "4")
    assert data_of(netspec.loads(text.replace("LOSS", "cross_entropy")).at(tmp_path), False).classes == tuple("0123")
    with pytest.raises(SpecError, match="Write mse one_hot, which makes numbers of them; or take cross_entropy"):
        netspec.loads(text.replace("LOSS", "mse")).at(tmp_path).train()
    np.savez(tmp_path / "a.npz", x=np.zeros((40, 2)), y=np.arange(40) % 4 - 1)
    with pytest.raises(DataError, match=r"a\.npz, array 'y', row \d+ .*: the target is -1, at least 0"):
        netspec.loads(text.replace("LOSS", "cross_entropy")).at(tmp_path).train()
    (tmp_path / "a.csv").write_text("a,b,y\n" + "1,2,x\n2,1,y\n" * 20)
    named = text.replace("npz a.npz", "csv a.csv y").replace("LOSS", "mse").replace("fc 4", "fc 1")
    with pytest.raises(SpecError, match="compares numbers, the target holds class numbers"):
        netspec.loads(named).at(tmp_path).train()


def test_labels_train(tmp_path: Path) -> None:
    rows = [f"{i % 2},{i // 2 % 2},{'one ' * (i % 2)}{'two' * (i // 2 % 2)}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["a,b,tags", *rows]))
    text = """netspec: 1
input: 2
layers: [fc 8, relu, fc 2]
data: {source: csv a.csv tags several=space, split: {val: 0.2}}
train: {loss: bce_logits, optimizer: adamw lr=0.05, epochs: 20, metrics: [accuracy]}
"""
    trained = netspec.loads(text).at(tmp_path).train()
    assert trained.history.records[-1]["val.accuracy"] > 0.95
