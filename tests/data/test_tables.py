"""Tables and .npy files: columns of numbers and categories, and what is said of cells that are neither."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.datasets import table
from netspec.datasets.files import Files
from netspec.errors import DataError
from tests.data.writing import section

TABLE = """size,city,rooms,kind,price
10.5,Rome,2,flat,100
20,Oslo,3,house,200.5
30,Rome,1,flat,150
"""


def read(root: Path, text: str = TABLE, name: str = "a.csv", **options: Any) -> Any:
    (root / name).write_text(text)
    source = {"csv": {"path": name, "target": "price", **options}}
    return section({"source": source}).source.read(Files(root))


def test_columns_are_numbers_where_all_of_them_are(tmp_path: Path) -> None:
    arrays = read(tmp_path)
    numbers, categories = arrays.train.inputs
    assert arrays.names == ("numbers", "categories")
    assert numbers.tolist() == [[10.5, 2], [20, 3], [30, 1]]
    assert categories.tolist() == [[1, 2], [0, 3], [1, 2]]
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


def test_a_test_part_has_the_codes_of_the_training_part(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("price;kind;rooms;city;size\n1;house;2;Oslo;3\n")
    arrays = read(tmp_path, TABLE.replace(",", ";"), separator=";", test="b.csv")
    assert arrays.test.inputs[1].tolist() == [[0, 3]]
    (tmp_path / "b.csv").write_text("price,kind,rooms,city,size\n1,house,2,Bonn,3\n")
    with pytest.raises(DataError, match=r"b\.csv, line 2: city is 'Bonn', which the training part does not have"):
        read(tmp_path, test="b.csv")


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
        (TABLE.replace("20,", ","), {"numbers": "size"}, "line 3: size is empty, expected a finite number"),
        (TABLE.replace("20,", "nan,"), {"numbers": "size"}, "line 3: size is 'nan', expected a finite number"),
        (TABLE.replace("Oslo", ""), {}, "line 3: city is empty"),
        (TABLE.replace("house", ""), {"target": "kind"}, "line 3: kind is empty"),
        (TABLE.replace("rooms", "size"), {}, "two columns called 'size'"),
        (TABLE.splitlines()[0], {}, "holds no rows"),
        ("", {}, "holds no rows"),
        ("price\n1\n2\n", {}, "has no column besides 'price'"),
        (TABLE + '1,"2\n', {}, "line 5"),
        (TABLE, {"separator": "ab"}, "expected one character"),
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
    monkeypatch.setattr(table, "MAX_TEXT", 1000)
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


def test_npy_that_is_truncated_or_none(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", np.zeros(4))
    content = (tmp_path / "y.npy").read_bytes()
    for damaged, words in ((content[:-1], "32 bytes, and holds 31"), (b"nonsense", "no readable header")):
        (tmp_path / "x.npy").write_bytes(damaged)
        with pytest.raises(DataError, match=words):
            section({"source": "npy x.npy y.npy"}).source.read(Files(tmp_path))
