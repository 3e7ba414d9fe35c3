"""Parquet: the same columns as in a text, and what is said of files that are not whole."""

from __future__ import annotations

import resource
import tracemalloc
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netspec import optional as extras
from netspec.datasets.files import Budget, Files
from netspec.datasets.parquet import Parquet
from netspec.errors import DataError, UsageError
from tests.data.test_tables import read
from tests.data.writing import section


def write_parquet(path: Path, **columns: Any) -> None:
    pq.write_table(pa.table(columns), path)


def parquet(root: Path, **options: Any) -> Any:
    source = section({"source": {"parquet": {"path": "a.parquet", "target": "price", **options}}}).source
    return source.fitted(source.read(Files(root)), {})


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "a.parquet",
        size=[10.5, 20, 30],
        city=pa.array(["Rome", "Oslo", "Rome"]).dictionary_encode(),
        rooms=[2, 3, 1],
        kind=["flat", "house", "flat"],
        price=[100, 200.5, 150],
    )
    for options in ({}, {"target": "kind"}, {"target": "rooms", "numbers": ["size"]}, {"target": "city"}):
        ours, theirs = parquet(tmp_path, **options), read(tmp_path, **options)
        assert (ours.names, ours.classes, ours.learnt) == (theirs.names, theirs.classes, theirs.learnt)
        for a, b in zip(
            (*ours.train.inputs, ours.train.target), (*theirs.train.inputs, theirs.train.target), strict=True
        ):
            assert a.dtype == b.dtype
            assert a.tolist() == b.tolist()


def test_parquet_of_other_types_and_with_holes(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "big": [2**60 + 1, None, 2**60 + 2],
        "flag": [True, False, None],
        "share": [0.5, float("nan"), 1.5],
        "lists": [[1], [2], [3]],
        "price": [0, 1, 1],
    }
    write_parquet(tmp_path / "a.parquet", **columns)
    chosen = {"numbers": "share", "categories": ["flag", "big"]}
    arrays = parquet(tmp_path, **chosen, missing="mean")
    assert arrays.train.inputs[0].ravel().tolist() == [0.5, 1, 1.5]
    known = {"flag": ["", "false", "true"], "big": ["", "1152921504606846977", "1152921504606846978"]}
    assert arrays.learnt["columns"]["categories"] == known
    with pytest.raises(DataError, match=r"a\.parquet, row 1: share is empty, expected a finite number"):
        parquet(tmp_path, **chosen)
    with pytest.raises(DataError, match=r"lists holds list<.*>, expected numbers or texts"):
        parquet(tmp_path, missing="mean")
    write_parquet(tmp_path / "a.parquet", share=[1.0, float("inf")], price=[0, 1])
    with pytest.raises(DataError, match=r"row 1: share is 'inf', expected a finite number"):
        parquet(tmp_path)


def test_parquet_that_is_damaged_or_empty(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", size=[1.0] * 100, price=[1] * 100)
    content = (tmp_path / "a.parquet").read_bytes()
    for damaged, words in (
        (content[:-20], "is not a whole parquet file: its end is missing"),
        (content[:50], "is not a whole parquet file: its end is missing"),
        (b"", "is no parquet file: it is empty"),
        (b"nonsense" * 9, "is no parquet file: it does not begin as one"),
        (content[:-300] + b"\0" * 292 + content[-8:], "is damaged: "),
        (content[:20] + b"\xff" * 40 + content[60:], "is damaged: "),
    ):
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(DataError, match=rf"a\.parquet {words}"):
            parquet(tmp_path)
    write_parquet(tmp_path / "a.parquet", size=[], price=[])
    with pytest.raises(DataError, match="holds no rows"):
        parquet(tmp_path)


def test_a_package_that_is_missing_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.parquet").touch()

    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    with pytest.raises(UsageError, match=r"parquet needs the package pyarrow.*pip install 'netspec-torch\[parquet\]'"):
        parquet(tmp_path)


def test_a_small_file_of_very_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.datasets.parquet.MAX_CELLS", 5)
    write_parquet(tmp_path / "a.parquet", size=[1, 1, 1], price=[2, 2, 2])
    with pytest.raises(DataError, match="holds 6 cells, at most 5 are read"):
        parquet(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", size=pa.array([b"\xff", b"a"]), price=[1, 2])
    with pytest.raises(DataError, match="size holds binary, expected numbers or texts"):
        parquet(tmp_path)


def test_a_long_text_in_many_cells_is_held_once(tmp_path: Path) -> None:
    count, long = 200_000, "x" * 20_000  # 4 GB, if each cell had its own
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([long]))
    write_parquet(tmp_path / "a.parquet", city=same, price=[i + 0.5 for i in range(count)])
    assert (tmp_path / "a.parquet").stat().st_size < 2 * 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    arrays = parquet(tmp_path)
    assert arrays.learnt["columns"]["categories"] == {"city": [long]}
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 2**30


def test_a_table_that_unpacks_to_more_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "a.parquet", city=[f"{i:05}" * 100 for i in range(1000)], price=list(range(1000)))
    monkeypatch.setattr("netspec.datasets.parquet.Budget", lambda _: Budget(100_000))
    with pytest.raises(DataError, match=r"a.parquet takes \d\d\d,\d\d\d bytes of memory, of 100,000 that are allowed"):
        parquet(tmp_path)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_text_in_many_cells_is_held_and_read_once(kind: Any, tmp_path: Path) -> None:
    """A dictionary in a small file stands for more text than there is memory for, whatever the file calls its type."""
    rows, groups, long = 400, 50, "word " * 2_000  # 200 MB of text, and 40 million tokens, were it unpacked
    group = pa.table({"t": pa.array([long] * rows, kind), "y": [0.5, 1.5] * (rows // 2)})
    with pq.ParquetWriter(tmp_path / "a.parquet", group.schema) as writer:
        for _ in range(groups):
            writer.write_table(group)
    options = {"path": "a.parquet", "target": "y", "text": "t", "length": 8}
    source = section({"source": {"parquet": options}}).source
    before = pa.total_allocated_bytes()
    table = cast(Parquet, source).table(tmp_path / "a.parquet")
    assert pa.total_allocated_bytes() - before < 10 * 2**20
    assert len({id(text) for text in table.texts("t")}) <= groups
    tracemalloc.start()
    found = source.fitted(source.read(Files(tmp_path)), {})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.train.inputs[0].shape == (rows * groups, 8)
    assert most < 50 * 2**20


def test_nested_columns_are_refused_by_name_and_not_unpacked(tmp_path: Path) -> None:
    table = pa.table({"t": [["a"]] * 9, "x": [0.5] * 9, "y": [0.5] * 9})
    pq.write_table(table, tmp_path / "a.parquet")
    source = section({"source": {"parquet": {"path": "a.parquet", "target": "y", "numbers": "x"}}}).source
    assert source.read(Files(tmp_path)).train.inputs[0].shape == (9, 1)
    with pytest.raises(DataError, match="t holds list"):
        section({"source": {"parquet": {"path": "a.parquet", "target": "y"}}}).source.read(Files(tmp_path))
