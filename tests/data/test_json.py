"""Tables in JSON: the same columns as in a text, labels beside images, and what is said of files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netspec.datasets.files import Files
from netspec.errors import DataError
from tests.data.test_images import CLASSES, load, picture
from tests.data.test_tables import read
from tests.data.writing import section

ROWS: list[dict[str, Any]] = [
    {"size": 10.5, "city": "Rome", "rooms": 2, "kind": "flat", "price": 100},
    {"size": 20, "city": "Oslo", "rooms": 3, "kind": "house", "price": 200.5},
    {"size": 30, "city": "Rome", "rooms": 1, "kind": "flat", "price": 150},
]


def table(root: Path, content: str | bytes, **options: Any) -> Any:
    (root / "a.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    source = section({"source": {"json": {"path": "a.json", "target": "price", **options}}}).source
    return source.fitted(source.read(Files(root)), {})


@pytest.mark.parametrize("lined", [False, True], ids=["a list", "lines"])
def test_json_gives_what_csv_gives(lined: bool, tmp_path: Path) -> None:
    content = "\n".join(map(json.dumps, ROWS)) + "\n\n" if lined else json.dumps(ROWS, indent=2)
    for options in ({}, {"target": "kind"}, {"target": "rooms", "numbers": ["size"]}, {"target": "city"}):
        ours, theirs = table(tmp_path, content, **options), read(tmp_path, **options)
        assert (ours.names, ours.classes, ours.learnt) == (theirs.names, theirs.classes, theirs.learnt)
        for a, b in zip(
            (*ours.train.inputs, ours.train.target), (*theirs.train.inputs, theirs.train.target), strict=True
        ):
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()


def test_null_and_a_key_that_lacks_are_empty_cells(tmp_path: Path) -> None:
    content = (
        '\ufeff[{"a": null, "flag": true, "price": 1.50}, {"a": 3, "price": 2}, {"a": 5, "flag": false, "price": 4}]'
    )
    chosen = {"numbers": "a", "categories": "flag", "missing": {"a": "mean", "flag": "category"}}
    found = table(tmp_path, content, **chosen)
    assert found.train.inputs[0][:, 0].tolist() == [4, 3, 5]
    assert found.train.target[:, 0].tolist() == [1.5, 2, 4]
    with pytest.raises(DataError, match=r"a.json, row 1: a is empty"):
        table(tmp_path, content, numbers="a", categories="flag")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"price": 1}, 3]', "row 2 is a single value, expected an object"),
        ('{"price": 1}\n[2]', "line 2 is a list, expected an object"),
        ('[{"price": {"eur": 1}}]', "row 1: price is an object, expected a text or a number"),
        ('[{"price": 1, "price": 2}]', "'price' stands twice in one row"),
        ('[{"price": 1},]', "is no JSON"),
        ('{"price": 1}\n{"price": }', "line 2 is no JSON at column 11"),
        ('[{"price": NaN}]', "NaN is no number, write null"),
        ('{"price": [1, 2]}', "is one object with price, expected a list of rows"),
        ("[]", "holds no rows"),
        ("", "holds no rows"),
        ("[" * 100_000, "expected rows of plain values"),
        (b"\xff\xfe\xfd", "is not UTF"),
        ('[{"size": 1}]', "price"),
    ],
)
def test_what_is_no_table_is_told(content: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        table(tmp_path, content)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["labels.json", "labels.JSONL"])
def test_labels_beside_images_stand_in_json_too(name: str, tmp_path: Path) -> None:
    rows = [{"file": f"{i}.png", "label": CLASSES[i % 2]} for i in range(4)]
    for i, row in enumerate(rows):
        picture(tmp_path / row["file"], seed=i)
    content = json.dumps(rows) if name == "labels.json" else "\n".join(map(json.dumps, rows))
    (tmp_path / name).write_text(content)
    data = load(tmp_path, f"images {name}", split={"val": 0})
    assert data.classes == CLASSES
    assert data.train.target.tolist() == [0, 1, 0, 1]
