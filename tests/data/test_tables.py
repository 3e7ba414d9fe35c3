"""Tables: columns of numbers and categories, what is learnt of them, and what is said of cells that are neither."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.datasets import csv
from netspec.datasets.files import Files
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data
from tests.data.writing import section

TABLE = """size,city,rooms,kind,price
10.5,Rome,2,flat,100
20,Oslo,3,house,200.5
30,Rome,1,flat,150
"""


def read(root: Path, text: str = TABLE, name: str = "a.csv", **options: Any) -> Any:
    (root / name).write_text(text)
    source = section({"source": {"csv": {"path": name, "target": "price", **options}}}).source
    return source.fitted(source.read(Files(root)), {})


def loaded(root: Path, learnt: Any = None, split: Any = None, **options: Any) -> Data:
    source = {"csv": {"path": "a.csv", "target": "price", **options}}
    return load_data(section({"source": source, "split": split or {"val": 0}}), root, learnt=learnt)


def test_columns_are_numbers_where_all_of_them_are(tmp_path: Path) -> None:
    arrays = read(tmp_path)
    numbers, categories = arrays.train.inputs
    assert arrays.names == ("numbers", "categories")
    assert numbers.tolist() == [[10.5, 2], [20, 3], [30, 1]]
    assert categories.tolist() == [[2, 3], [1, 4], [2, 3]]
    assert arrays.learnt["columns"]["categories"] == {"city": ["Oslo", "Rome"], "kind": ["flat", "house"]}
    assert arrays.train.target.tolist() == [[100], [200.5], [150]]
    assert (numbers.dtype, categories.dtype, arrays.train.target.dtype) == (np.float32, np.int64, np.float32)
    assert arrays.classes is None


def test_classes_are_named_by_their_texts(tmp_path: Path) -> None:
    arrays = read(tmp_path, target="kind", numbers=["size", "rooms"])
    assert arrays.names == ("numbers",)
    assert arrays.classes == ("flat", "house")
    assert arrays.train.target.tolist() == [0, 1, 0]
    whole = read(tmp_path, target="rooms", numbers="size")
    assert (whole.classes, whole.train.target.tolist()) == (("1", "2", "3"), [1, 2, 0])
    assert read(tmp_path, target="rooms", regression=True).train.target.tolist() == [[2], [3], [1]]


def test_texts_of_one_value_keep_one_order(tmp_path: Path) -> None:
    """Texts that are the same number sort the same way in every process, whatever the order of a set."""
    text = "a,price\n" + "".join(f"1,{n}\n" for n in ("01", "1", "+1", "001", "10", "-2"))
    assert read(tmp_path, text).classes == ("-2", "+1", "001", "01", "1", "10")


def test_what_is_known_before_reading() -> None:
    source = {"csv": {"path": "a", "target": "y", "numbers": ["a", "b"], "categories": "c", "regression": True}}
    gives = section({"source": source}).gives()
    assert gives.inputs is not None
    assert gives.target is not None
    assert [(str(x), x.dtype) for x in (*gives.inputs, gives.target)] == [
        ("B x 2", "float32"),
        ("B x 1", "int64"),
        ("B x 1", "float32"),
    ]


def test_files_of_their_own_for_validation_and_test(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("price;kind;rooms;city;size\n1;house;2;Oslo;3\n")
    (tmp_path / "t.csv").write_text("price;kind;rooms;city;size\n1;house;2;Bonn;3\n2;flat;2;Rome;3\n")
    text = TABLE.replace(",", ";")
    arrays = read(tmp_path, text, separator=";", val="v.csv", test="t.csv")
    assert arrays.val.inputs[1].tolist() == [[1, 4]]
    assert arrays.test.inputs[1].tolist() == [[0, 4], [2, 3]]
    (tmp_path / "a.csv").write_text(text)
    data = loaded(tmp_path, separator=";", val="v.csv", test="t.csv", split={"val": None})
    assert data.val is not None
    assert data.test is not None
    assert (len(data.train), len(data.val), len(data.test)) == (3, 1, 2)


CITIES = "size,city,price\n" + "".join(f"{i},{'Rome' if i % 2 else 'Oslo'},{i % 3}\n" for i in range(20))


def test_categories_are_learnt_from_the_training_part_alone(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CITIES)
    held = loaded(tmp_path, split={"val": 4}).val
    assert held is not None
    first = int(held.inputs[0][0, 0])
    lines = CITIES.splitlines()
    lines[1 + first] = f"{first},Bonn,{first % 3}"
    (tmp_path / "a.csv").write_text("\n".join(lines))
    data = loaded(tmp_path, split={"val": 4})
    assert data.learnt["columns"]["categories"] == {"city": ["Oslo", "Rome"]}
    assert data.val is not None
    assert data.val.inputs[1][:, 0].tolist().count(0) == 1
    assert data.val.inputs[1][0] == 0
    assert set(data.train.inputs[1][:, 0].tolist()) == {1, 2}


def test_a_run_sees_other_data_as_its_own(tmp_path: Path) -> None:
    """Columns, categories, classes and fills are those that were learnt, whatever the other file holds."""
    (tmp_path / "a.csv").write_text("code,city,price\n7,Rome,dear\n9,Oslo,cheap\n,Rome,dear\n")
    first = loaded(tmp_path, missing="mean")
    learnt = json.loads(json.dumps(first.learnt))
    (tmp_path / "a.csv").write_text("code,city,price\n1,3,dear\n,Oslo,dear\n")
    second = loaded(tmp_path, learnt, missing="mean")
    assert second.classes == first.classes == ("cheap", "dear")
    assert second.train.inputs[0].tolist() == [[1], [8]]
    assert second.train.inputs[1].tolist() == [[0], [1]]
    assert second.train.target.tolist() == [1, 1]
    assert second.learnt == first.learnt
    (tmp_path / "a.csv").write_text("code,city,price\n1,Rome,odd\n")
    with pytest.raises(DataError, match=r"line 2: price is 'odd', which the training part does not have"):
        loaded(tmp_path, learnt)


def test_standardize_is_kept_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CITIES)
    read_ = section({"source": "csv a.csv price", "transform": "standardize", "split": {"val": 0}})
    first = load_data(read_, tmp_path)
    learnt = json.loads(json.dumps(first.learnt))
    (tmp_path / "a.csv").write_text("size,city,price\n1000,Oslo,1\n0,Oslo,0\n")
    (numbers, _), _ = load_data(read_, tmp_path, learnt=learnt).train.batch(torch.arange(2))
    mean, deviation = np.arange(20).mean(), np.arange(20).std()
    assert torch.allclose(numbers[:, 0], torch.tensor([(1000 - mean) / deviation, -mean / deviation]).float())


def test_empty_cells_are_filled_where_the_spec_says_so(tmp_path: Path) -> None:
    text = "size,city,price\n1,Rome,1\n,?,2\n2,,1\nNA,Oslo,2\n9,Rome,1\n"
    mean = read(tmp_path, text, missing="mean", empty=["NA", "?"])
    assert mean.train.inputs[0].ravel().tolist() == [1, 4, 2, 4, 9]
    assert mean.train.inputs[1].ravel().tolist() == [3, 1, 1, 2, 3]
    taught = {"numbers": {"size": 4.0}, "categories": {"city": ["", "Oslo", "Rome"]}, "extents": {"size": [1, 2, 9]}}
    assert mean.learnt["columns"] == taught
    assert read(tmp_path, text, missing="median", empty=["NA", "?"]).train.inputs[0].ravel().tolist() == [1, 2, 2, 2, 9]
    with pytest.raises(DataError, match="the training part has no number in size to fill cells with"):
        read(tmp_path, "size,price\n,1\n,2\n", numbers="size", missing="mean")


def test_gzip_byte_order_mark_and_quotes(tmp_path: Path) -> None:
    text = '\ufeffa,price\n"1","x, y"\n2,"two\nlines"\n'
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    arrays = section({"source": "csv a.csv.gz price"}).source.read(Files(tmp_path))
    assert arrays.classes == ("two\nlines", "x, y")


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (TABLE + "1,2\n", {}, "a.csv, line 5: 2 columns, the first line names 5. Is the separator ',' right?"),
        (TABLE, {"target": "prize"}, "has no column 'prize'. Did you mean 'price'?"),
        (TABLE, {"numbers": ["size", "city"]}, "line 2: city is 'Rome', expected a finite number"),
        (TABLE.replace("20,", ","), {}, "line 3: size is empty, expected a finite number. Write missing: mean"),
        (TABLE.replace("20,", "nan,"), {}, "line 3: size is 'nan', expected a finite number"),
        (TABLE.replace("20,", "2_0,"), {}, "line 3: size is '2_0', other cells of size are numbers"),
        (TABLE.replace("20,", "2_0,"), {"numbers": ["size"]}, "line 3: size is '2_0', expected a finite number"),
        (TABLE.replace("20,", "\u0662,"), {"numbers": ["size"]}, "expected a finite number"),
        (TABLE.replace("20,", "x,"), {}, "line 3: size is 'x', other cells of size are numbers. Say in the spec which"),
        (TABLE.replace("Oslo", ""), {}, "line 3: city is empty"),
        (TABLE.replace("house", ""), {"target": "kind"}, "line 3: kind is empty"),
        (TABLE.replace("rooms", "size"), {}, "two columns are called 'size'"),
        (TABLE.splitlines()[0], {}, "holds no rows"),
        ("", {}, "holds no rows"),
        ("price\n1\n2\n", {}, "has no column besides 'price'"),
        (TABLE + '1,"2\n', {}, "line 5"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, text: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text, **options)
    assert words in str(caught.value)


def test_text_of_another_encoding_or_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes("a,price\n1,Zürich\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8: byte 0xfc on line 2"):
        section({"source": "csv a.csv price"}).source.read(Files(tmp_path))
    monkeypatch.setattr(csv, "MAX_TEXT", 1000)
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"a,price\n" + b"1,2\n" * 1_000_000))
    with pytest.raises(DataError, match="more than 1,000 bytes"):
        section({"source": "csv a.csv price"}).source.read(Files(tmp_path))


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(4, 3))
    np.save(tmp_path / "y.npy", np.array([0, 1, 1, 2], np.uint8))
    arrays = section({"source": "npy x.npy y.npy"}).source.read(Files(tmp_path))
    assert (arrays.names, arrays.classes, arrays.train.inputs[0].dtype) == (("x",), ("0", "1", "2"), np.float32)
    twice = {"inputs": ["x.npy"] * 2, "target": "y.npy", "test_inputs": ["x.npy"] * 2, "test_target": "y.npy"}
    arrays = section({"source": {"npy": twice}}).source.read(Files(tmp_path))
    assert arrays.test is not None
    assert (len(arrays.train.inputs), len(arrays.test)) == (2, 4)


def test_npy_with_parts_in_files_of_their_own(tmp_path: Path) -> None:
    for name, count, width in (("a", 5, 3), ("b", 4, 3), ("c", 3, 2)):
        np.save(tmp_path / f"{name}.npy", np.zeros((count, width)))
        np.save(tmp_path / f"{name}y.npy", np.arange(count))
    parts = {"val_inputs": "b.npy", "val_target": "by.npy"}
    data = load_data(section({"source": {"npy": {"inputs": "a.npy", "target": "ay.npy", **parts}}}), tmp_path)
    assert data.val is not None
    assert (len(data.train), len(data.val), data.test) == (5, 4, None)
    parts = {"test_inputs": "c.npy", "test_target": "cy.npy"}
    with pytest.raises(DataError, match=r"c\.npy holds 2 of float32 a sample, .*a\.npy holds 3 of float32 a sample"):
        load_data(section({"source": {"npy": {"inputs": "a.npy", "target": "ay.npy", **parts}}}), tmp_path)
    half = section({"source": {"npy": {"inputs": "a.npy", "target": "ay.npy", "val_target": "by.npy"}}}).source
    with pytest.raises(DataError, match="npy: val_inputs and val_target come together"):
        half.read(Files(tmp_path))


def test_npy_that_is_truncated_or_none(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.zeros(4))
    content = (tmp_path / "y.npy").read_bytes()
    for damaged, words in ((content[:-1], "32 bytes, and holds 31"), (b"nonsense", "no readable header")):
        (tmp_path / "x.npy").write_bytes(damaged)
        with pytest.raises(DataError, match=words):
            section({"source": "npy x.npy y.npy"}).source.read(Files(tmp_path))


def test_a_number_that_float32_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 4: price is '1e39', expected a finite number"):
        read(tmp_path, TABLE.replace("flat,150", "flat,1e39"))


@pytest.mark.filterwarnings("error")
def test_classes_of_thousands_of_digits_are_texts(tmp_path: Path) -> None:
    arrays = read(tmp_path, f"size,kind\n1,{'8' * 5000}\n2,{'9' * 5000}\n", target="kind")
    assert len(arrays.classes) == 2
