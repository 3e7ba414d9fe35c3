"""Bad data is refused before the first step, with exit code 4 and the file and the row, whatever the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import netspec
from netspec.errors import DataError
from netspec.runtime.train.run import train
from tests.data.writing import idx_bytes, write_mnist
from tests.train.small import classes, perceptron, section

COUNT, ROW = 40, 17
X = np.random.RandomState(0).rand(COUNT, 3).astype(np.float32)
Y = np.arange(COUNT) % 3


def changed(array: Any, value: Any, place: Any = ROW) -> Any:
    array = array.copy()
    array[place] = value
    return array


def npz(folder: Path, x: Any, y: Any) -> str:
    np.savez(folder / "a.npz", x=x, y=y)
    return "npz a.npz"


def npy(folder: Path, x: Any, y: Any) -> str:
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", y)
    return "npy x.npy y.npy"


def csv(folder: Path, x: Any, y: Any) -> str:
    rows = [",".join(map(str, (*values, label))) for values, label in zip(x, y, strict=True)]
    (folder / "a.csv").write_text("\n".join(["a,b,c,y", *rows]))
    return "csv a.csv y"


def parquet(folder: Path, x: Any, y: Any) -> str:
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": y}), folder / "a.parquet")
    return "parquet a.parquet y"


Write = Callable[[Path, Any, Any], str]
PLACES: dict[Write, str] = {
    npz: "a.npz, array '{}', row {row}",
    npy: "{}.npy, row {row}",
    csv: "a.csv, line {line}",
    parquet: "a.parquet, row {row}",
}
"""How each source says where a row stands, in the input x or the target y."""


def refused(folder: Path, source: str, layers: str = "fc 3", loss: str = "ce", size: str = "3") -> str:
    """What is said of the data, when it is refused."""
    data = f"data: {{source: {source}}}\ntrain: {{loss: {loss}, optimizer: adam, epochs: 1}}\n"
    (folder / "net.yaml").write_text(f"netspec: 1\ninput: {size}\nlayers: [{layers}]\n{data}")
    with pytest.raises(DataError) as caught:
        netspec.load(folder / "net.yaml").train(folder / "run")
    assert caught.value.exit_code == 4
    assert not list((folder / "run").glob("*.safetensors")) + list((folder / "run").glob("*.jsonl"))
    return str(caught.value)


@pytest.mark.parametrize("write", PLACES, ids=lambda write: write.__name__)
def test_a_class_too_many(tmp_path: Path, write: Write) -> None:
    said = refused(tmp_path, write(tmp_path, X, changed(Y, 192)))
    assert "the network tells 3 classes apart, the data has" in said
    assert PLACES[write].format("y", row=ROW, line=ROW + 2) in said


@pytest.mark.parametrize("write", PLACES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, write: Write, value: float) -> None:
    said = refused(tmp_path, write(tmp_path, changed(X, value, (ROW, 1)), Y))
    assert PLACES[write].format("x", row=ROW, line=ROW + 2) in said


@pytest.mark.parametrize("write", PLACES, ids=lambda write: write.__name__)
def test_targets_that_a_loss_does_not_know(tmp_path: Path, write: Write) -> None:
    target = changed(X[:, :1], 1.5)
    source = write(tmp_path, X, target if write in (npz, npy) else target[:, 0])
    said = refused(tmp_path, source, "fc 1, sigmoid", "bce")
    assert PLACES[write].format("y", row=ROW, line=ROW + 2) in said
    assert "at least 0 and at most 1 is expected. 1 of" in said


@pytest.mark.parametrize("write", PLACES, ids=lambda write: write.__name__)
def test_truncated_files(tmp_path: Path, write: Write) -> None:
    source = write(tmp_path, X, Y)
    name = source.split()[1]
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-1] if write is not csv else content[:-2])
    assert name in refused(tmp_path, source)


def test_idx_and_mnist(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(idx_bytes(np.zeros((COUNT, 4, 4))))
    (tmp_path / "y").write_bytes(idx_bytes(changed(Y, 192)))
    assert "192 is first met in" in (said := refused(tmp_path, "idx x y", size="1x4x4"))
    assert f"y, row {ROW}." in said
    write_mnist(tmp_path / "m")
    labels = tmp_path / "m" / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\x0a")
    assert "train-labels-idx1-ubyte, row 29: the label is 10" in refused(tmp_path, "mnist m", "fc 10", size="1x28x28")


@pytest.mark.parametrize(("value", "words"), [(300, "Give it 301 vectors. 300"), (-2, "Count the numbers from 0. -2")])
def test_numbers_that_an_embedding_does_not_have(tmp_path: Path, value: int, words: str) -> None:
    numbers = changed(np.arange(COUNT * 3).reshape(COUNT, 3), value, (ROW, 1))
    said = refused(tmp_path, npz(tmp_path, numbers, Y), "embedding 200 4, fc 3", size="int 3")
    assert f"{words} is first met in {tmp_path}/a.npz, array 'x', row {ROW}." in said


def test_an_embedding_in_a_block_is_looked_at_too(tmp_path: Path) -> None:
    text = """netspec: 1
input: int 3
blocks: {words n: {look: embedding $n 4, out: flatten}}
layers: [words 100, fc 3]
"""
    data = f"data: {{source: {npz(tmp_path, np.full((COUNT, 3), 100), Y)}}}\ntrain: {{loss: ce, optimizer: adam}}\n"
    (tmp_path / "net.yaml").write_text(text + data)
    with pytest.raises(DataError, match="look has vectors for 0 to 99, the data holds numbers from 100 to 100"):
        netspec.load(tmp_path / "net.yaml").train()


def test_one_sample_alone_is_refused_where_a_norm_needs_two() -> None:
    with pytest.raises(DataError, match="65 samples in batches of 16 leave one alone in the last, and a BatchNorm"):
        train(perceptron(norm=True), section(batch=16), classes(65, val=0))
    train(perceptron(), section(batch=16), classes(65, val=0))


@pytest.mark.parametrize("begin", [1, 3])
def test_labels_that_begin_above_0_and_what_is_advised_for_them(begin: int, tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 2)).astype("f4"), np.arange(60) % 3
    text = "input: 2\nlayers: [fc 3]\ndata: {source: npz a.npz inputs=x target=y}\n"
    text += "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    (tmp_path / "net.yaml").write_text(text)
    np.savez(tmp_path / "a.npz", x=x, y=y + begin)
    with pytest.raises(netspec.NetspecError, match=f"write first={begin} in its source"):
        netspec.load(tmp_path / "net.yaml").train()
    (tmp_path / "net.yaml").write_text(text.replace("target=y", f"target=y first={begin}"))
    netspec.load(tmp_path / "net.yaml").train()
