"""What is learnt of the data stays with the run, and goes with the network wherever it is exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from netspec.cli import main
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from netspec.runtime.export.metadata import metadata
from tests.data.writing import idx_bytes, section, write_mnist

TABLE = "size,city,kind\n" + "".join(
    f"{i},{'Oslo' if i % 2 else 'Rome'},{'flat' if i < 30 else 'house'}\n" for i in range(60)
)
SPEC = """netspec: 1
inputs: {numbers: 1, cities: int 1}
layers:
  vectors: embedding(cities) 3 4 padding_idx=0
  flat: flatten
  both: concat(numbers flat)
  out: fc 2
data: {source: csv a.csv kind, transform: standardize, split: {val: 0.2}}
train: {loss: cross_entropy, optimizer: adamw lr=0.05, epochs: 10, metrics: [accuracy]}
"""


def write_all(folder: Path) -> None:
    """A small file for every source."""
    labels = np.arange(12) % 3
    write_mnist(folder / "mnist")
    (folder / "x").write_bytes(idx_bytes(np.zeros((12, 4, 4))))
    (folder / "y").write_bytes(idx_bytes(labels))
    np.savez(folder / "a.npz", x=np.zeros((12, 2)), y=labels, names=np.array(["ash", "oak", "yew"]))
    np.save(folder / "x.npy", np.zeros((12, 2)))
    np.save(folder / "y.npy", labels)
    (folder / "a.csv").write_text(TABLE)
    pq.write_table(pa.table({"size": range(4), "kind": ["house", "flat"] * 2}), folder / "a.parquet")
    (folder / "a.txt").write_text("abcabcabc")


CLASSES: dict[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "mnist mnist": tuple("0123456789"),
    "idx x y": tuple("012"),
    "npz a.npz classes=names": ("ash", "oak", "yew"),
    "npy x.npy y.npy": tuple("012"),
    "csv a.csv kind": ("flat", "house"),
    "parquet a.parquet kind": ("flat", "house"),
    "text a.txt 2": ("a", "b", "c"),
}


@pytest.mark.parametrize("source", CLASSES)
def test_every_source_gives_its_classes_to_the_exported_file(source: str, tmp_path: Path) -> None:
    write_all(tmp_path)
    data = load_data(section({"source": source, "split": {"val": 1}}), tmp_path)
    assert data.classes == CLASSES[source]
    assert json.loads(metadata("1", "Net", "", data.learnt)["netspec.classes"]) == list(CLASSES[source])


def test_what_was_kept_gives_the_very_same_batches(tmp_path: Path) -> None:
    write_all(tmp_path)
    read = section({"source": "csv a.csv kind", "transform": ["scale 0.1", "standardize"], "split": {"val": 0.2}})
    first = load_data(read, tmp_path)
    again = load_data(read, tmp_path, learnt=json.loads(json.dumps(first.learnt)))
    rows = torch.arange(len(first.train))
    (a, b), target = first.train.batch(rows)
    (c, d), other = again.train.batch(rows)
    assert torch.equal(a, c)
    assert torch.equal(b, d)
    assert torch.equal(target, other)


def test_classes_keep_their_numbers_whatever_other_data_lacks(tmp_path: Path) -> None:
    """A folder without one of the classes, or names in another order, must not shift the numbers."""
    names = np.array(["ash", "oak", "yew"])
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 2)), y=np.arange(6) % 3, names=names)
    read = section({"source": "npz a.npz classes=names", "split": {"val": 0}})
    learnt = load_data(read, tmp_path).learnt
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=np.array([0, 1, 1, 0]), names=names[[2, 0]])
    data = load_data(read, tmp_path, learnt=learnt)
    assert data.train.batch(torch.arange(4))[1].tolist() == [2, 0, 0, 2]
    assert data.classes == ("ash", "oak", "yew")
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2)), y=np.arange(4) % 2, names=np.array(["ash", "elm"]))
    with pytest.raises(DataError, match="the data has the class 'elm', the run was trained on ash, oak, yew"):
        load_data(read, tmp_path, learnt=learnt)


def command(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


def test_a_run_measures_and_exports_with_what_it_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_all(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    run = str(tmp_path / "run")
    command("train", str(tmp_path / "net.yaml"), "--run", run)
    kept: dict[str, Any] = json.loads((tmp_path / "run" / "data.json").read_text())
    assert kept["classes"] == ["flat", "house"]
    columns = {"numbers": {"size": None}, "categories": {"city": ["Oslo", "Rome"]}, "extents": {"size": [1, 30, 59]}}
    assert kept["columns"] == columns
    assert kept["transform"][0]["Normalize"]["std"] == pytest.approx(np.arange(60).std(), rel=0.1)
    (tmp_path / "a.csv").write_text("size,city,kind\n" + "55,Bonn,house\n" * 4)
    capsys.readouterr()
    command("eval", run, "data.split.val=0", "--part", "train", "--json")
    assert json.loads(capsys.readouterr().out)["train.accuracy"] == 1
    command("export", run, "data.split.val=0", "--onnx", "-o", str(tmp_path / "net.onnx"))
    said = {p.key: json.loads(p.value) for p in onnx.load(tmp_path / "net.onnx").metadata_props if p.value[0] in "[{"}
    assert said == {f"netspec.{key}": value for key, value in kept.items()}
    (tmp_path / "new.csv").write_text("city,size\nOslo,3\nBonn,58\n")
    (tmp_path / "a.csv").unlink()
    capsys.readouterr()
    command("predict", run, str(tmp_path / "new.csv"), "--json")
    assert [sample["class"] for sample in json.loads(capsys.readouterr().out)] == ["flat", "house"]
