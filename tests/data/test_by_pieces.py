"""Tables and texts that are read a piece at a time are what they are when they are read whole, in the same memory."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from netspec.api.run import Run
from netspec.datasets import csv as csv_files
from netspec.datasets import remarks, values
from netspec.datasets import rows as data_rows
from netspec.datasets.csv import CSV
from netspec.datasets.growing import Folder, GrowingWords, grown
from netspec.errors import DataError
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.predict_file import predicted
from netspec.runs.prediction import joined
from netspec.runtime.data import handed
from tests.train.test_handed import trained

LINES = ["size,kind", '1,"a, b"', "2,ä", '3,"two\nlines"', "", '4," said ""so"" "', "5,€"]
FORMS: dict[str, tuple[Callable[[str], bytes], dict[str, Any]]] = {
    "plain": (lambda text: text.encode(), {}),
    "no end of line": (lambda text: text.rstrip("\n").encode(), {}),
    "windows": (lambda text: text.replace("\n", "\r\n").encode(), {}),
    "old mac": (lambda text: text.replace("\n", "\r").encode(), {}),
    "mark": (lambda text: text.encode("utf-8-sig"), {}),
    "utf-16": (lambda text: text.encode("utf-16"), {}),
    "utf-16 without a mark": (lambda text: text.replace("€", "e").encode("utf-16-le"), {}),
    "cp1252": (lambda text: text.encode("cp1252"), {"encoding": "cp1252"}),
    "not cp1252": (lambda text: text.encode(), {"encoding": "cp1252"}),
    "packed": (lambda text: gzip.compress(text.encode()), {}),
    "separator": (lambda text: text.replace(",", ";").encode(), {}),
    "said": (lambda text: b"sep=,\n" + text.encode(), {}),
}


@pytest.mark.parametrize("head", [7, 8, 65_536])
@pytest.mark.parametrize("form", FORMS)
def test_pieces_are_the_whole(form: str, head: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, options = FORMS[form]
    path = tmp_path / "a.csv"
    path.write_bytes(make("\n".join(LINES) + "\n"))
    source = CSV(path="a.csv", target="size", **options)
    whole = source.table(path)
    monkeypatch.setattr(csv_files, "PIECE", 4)
    if head < 10 and form not in ("separator", "said", "utf-16 without a mark"):
        monkeypatch.setattr(csv_files, "HEAD", head)
    pieces = list(source.tables(path))
    assert [len(each) for each in pieces] == [2, 2, 1]
    for name, column in whole.columns.items():
        assert [text for each in pieces for text in each.texts(name)] == list(column.texts())
    places = [each.origin.at(row) for each in pieces for row in range(len(each))]
    assert places == [whole.origin.at(row) for row in range(len(whole))]
    assert {each.notes for each in pieces} == {whole.notes}


@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n", b"a,b\n1,2,3\n", b'a,b\n1,"2\n', b'a,b\n1,"2"3\n', b"a,a\n1,2\n", b"1,2\n3,4\n", b"a,b\n1,\xff\n",
     b"PK\x03\x04", b"a,b\n" + b"1,2\n" * 9 + b"1\n"],
)  # fmt: skip
def test_what_is_wrong_is_told_alike(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "PIECE", 4)
    (tmp_path / "a.csv").write_bytes(content)
    told = []
    for read in (CSV(path="a.csv", target="a").table, lambda path: list(CSV(path="a.csv", target="a").tables(path))):
        with pytest.raises(DataError) as error:
            read(tmp_path / "a.csv")
        told.append(str(error.value))
    assert told[0] == told[1]


@pytest.mark.parametrize("most", [10, 10_000])
def test_what_grows_is_one_column(most: int) -> None:
    rows = [np.arange(n * 6, dtype="float32").reshape(n, 2, 3) for n in (3, 1, 5)]
    (column,) = grown(([each] for each in rows), most)
    np.testing.assert_array_equal(column[:], np.concatenate(rows))
    np.testing.assert_array_equal(column[np.array([8, 0, 4])], np.concatenate(rows)[[8, 0, 4]])
    words = GrowingWords(Folder(), most)
    known = [f"zeile {i} ä\n" for i in range(9)]
    for start in range(0, 9, 2):
        words.extend(known[start : start + 2])
    assert list(words) == known
    assert words[3:7] == known[3:7]
    assert words[-1] == known[-1]
    assert len(words) == 9


SPECS = {
    "table": "inputs: {numbers: 2, categories: int 1}\n"
    "layers: {c: 'embedding(categories) 8 3, flatten', both: concat(numbers c), out: linear 3}\n"
    "data: {source: csv rows.csv target=kind id=id missing=mean, transform: {numbers: standardize}}\n",
    "text": "input: int 4\nlayers: [embedding 40 8, linear 40]\ndata: text book.txt 4\n",
}
TRAIN = "train: {loss: cross_entropy%s, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"


def rows(count: int) -> str:
    head = "id,width,empty,colour,kind\n"
    return head + "".join(
        f"r{i},{i % 7},{'' if i % 40 else i % 9},{'rgb'[i % 3]},{'xyz'[i % 3]}\n" for i in range(count)
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name, text in SPECS.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "rows.csv").write_text(rows(60))
        (folder / "book.txt").write_text("the quick brown fox jumps over a lazy dog. " * 20)
        axis = " axis=-1" * (name == "text")
        found[name] = trained(folder, f"netspec: 1\n{text}{TRAIN % axis}")
        Run.read(found[name]).export(folder / "net.onnx")
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held of samples has a bound, which is less than there are in these tests."""
    for module, name, value in (
        (handed, "HELD", 400),
        (handed, "LINES", 16),
        (csv_files, "PIECE", 5 * 16),
        (csv_files, "HEAD", 512),
        (remarks, "KEPT", 64),
        (data_rows, "PIECE", 1000),
        (values, "SAMPLED", 64),
    ):
        monkeypatch.setattr(module, name, value)


NEW = {"table": ("new.csv", rows), "text": ("new.txt", lambda count: "the lazy fox\n" * count)}


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("by", ["run", "file", "standard input"])
def test_the_answers_are_the_same(
    runs: dict[str, Path], name: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / NEW[name][0]
    path.write_text(NEW[name][1](100))
    said = []
    for piece in (2**18, 5 * 16):
        monkeypatch.setattr(csv_files, "PIECE", piece)
        monkeypatch.setattr(handed, "LINES", piece)
        monkeypatch.setattr(handed, "HELD", 400 if piece < 100 else 2**26)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(path.read_bytes())))
        if by == "run":
            said.append(Run.read(runs[name]).predict(path))
        else:
            file = Path("-") if by == "standard input" else path
            said.append(joined(predicted(OnnxModel.read(runs[name].parent / "net.onnx"), [file])))
    whole, pieces = said
    np.testing.assert_array_equal(pieces.first, whole.first)
    names = {key: list(column) for key, column in whole.names.items()}
    assert {key: list(column) for key, column in pieces.names.items()} == names
    assert pieces.told == whole.told
    assert len(pieces.first) == 100


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", NEW)
def test_ten_times_as_many_take_no_more_memory(runs: dict[str, Path], name: str, tmp_path: Path) -> None:
    model, peaks = OnnxModel.read(runs[name].parent / "net.onnx"), []
    for count in (200, 200, 2000):  # the first time modules are imported
        path = tmp_path / NEW[name][0]
        path.write_text(NEW[name][1](count))
        tracemalloc.start()
        told = sum(len(piece.first) for piece in predicted(model, [path]))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert told == count
    assert peaks[2] < 1.5 * peaks[1], peaks
