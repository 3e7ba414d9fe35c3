"""A table that a file is measured on is read a piece of its rows after the other, and is what it is when read whole."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from netspec.datasets import csv as csv_files
from netspec.datasets import piecewise
from netspec.datasets.base import Arrays
from netspec.datasets.columns import Texts
from netspec.datasets.csv import CSV
from netspec.datasets.files import Files
from netspec.datasets.json import JSON
from netspec.datasets.table import Tabular
from netspec.errors import DataError
from netspec.runtime.data.reading import read
from netspec.sections.data import DataSection
from tests.data.writing import section as written

COLUMNS = 9


def lines(count: int, start: int = 0) -> str:
    found = ["id,width,hole,colour,note,day,owner,kind,fit"]
    for i in range(start, start + count):
        hole, day = "" if i % 5 == 3 else i % 11 / 2, f"2024-{1 + i % 12:02}-{1 + i % 28:02}"
        note = f"{['red', 'green', 'blue'][i % 3]} number {i % 7}"
        found.append(f"r{i},{i % 7},{hole},{'rgb'[i % 3]},{note},{day},o{i % 9},{'xyz'[i % 3]},{['no', 'yes'][i % 2]}")
    return "\n".join(found) + "\n"


OPTIONS = (
    "numbers: [width, hole], categories: colour, text: note, length: 4, mask: tokens, dates: day, missing: {hole: mean}"
)
CASES = {
    "classes": f"{{csv: {{path: a.csv, target: kind, {OPTIONS}}}}}",
    "numbers": f"{{csv: {{path: a.csv, target: width, regression: true, {OPTIONS.replace('[width, hole]', 'hole')}}}}}",
    "yes and no": "{csv: {path: a.csv, target: [fit, width], numbers: hole, missing: mean}}",
    "several targets": f"{{csv: {{path: a.csv, target: {{one: kind, two: fit}}, {OPTIONS}}}}}",
    "labels": "{csv: {path: a.csv, target: note, several: space, numbers: width}}",
    "own files": "{csv: {path: a.csv, target: kind, numbers: width, val: b.csv, test: b.csv}}",
}
SPLITS = {"drawn": "{val: 0.2, test: 10}", "group": "{val: 0.3, group: owner}", "time": "{val: 0.3, time: day}",
          "fold": "{fold: 2 of 3}"}  # fmt: skip


def section(source: str, split: str) -> DataSection:
    return written(yaml.safe_load(f"{{source: {source}, split: {split}}}"))


def ways(where: Path, said: DataSection, monkeypatch: pytest.MonkeyPatch) -> tuple[Arrays, Arrays]:
    """The data read whole, and read in pieces, by what it has taught before."""
    first, _ = read(said, Files(where), {}, ())
    learnt = {**json.loads(json.dumps(first.learnt)), "classes": first.classes}
    learnt |= {"targets": {"lead": first.lead, "classes": first.classes_of}} if first.lead else {}
    whole, _ = read(said, Files(where), learnt, ())
    monkeypatch.setattr(csv_files, "PIECE", 16 * COLUMNS)
    monkeypatch.setattr(piecewise, "HELD", 500)
    monkeypatch.setattr(Tabular, "read_as", None)
    pieces, _ = read(said, Files(where), learnt, (), in_pieces=True)
    return whole, pieces


@pytest.mark.parametrize(
    ("source", "split"),
    [*((CASES["classes"], split) for split in SPLITS.values()),
     *((CASES[name], SPLITS["drawn"]) for name in CASES if name != "own files"),
     (CASES["own files"], "{}"), (CASES["classes"].replace("csv", "json").replace("a.json", "a.jsonl"), "{val: 9}")],
)  # fmt: skip
def test_pieces_are_the_whole(source: str, split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(lines(90))
    (tmp_path / "b.csv").write_text(lines(40, 1000))
    head, *rows = (line.split(",") for line in lines(90).splitlines())
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(dict(zip(head, row, strict=True))) for row in rows))
    whole, pieces = ways(tmp_path, section(source, split), monkeypatch)
    assert whole.parts.keys() == pieces.parts.keys()
    for name, part in whole.parts.items():
        other = pieces.parts[name]
        assert len(part.columns) == len(other.columns)
        for one, two in zip(part.columns, other.columns, strict=True):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one[:], two[:])
        places = [[each.origin.at(row) for row in range(len(each))] for each in (part, other)]
        assert places[0] == places[1]
        assert other.others.keys() == part.others.keys()
    for field in ("names", "classes", "classes_of", "lead", "learnt", "doubts"):
        assert getattr(pieces, field) == getattr(whole, field), field


def test_few_rows_are_held_as_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: the texts of three pieces, the first, the one that is read and the one before it."""
    (tmp_path / "a.csv").write_text(lines(400))
    alive, most = weakref.WeakSet[Texts](), [0]
    made = Texts.__init__

    def counted(self: Texts, cells: Any, *rest: Any) -> None:
        made(self, cells, *rest)
        alive.add(self)
        most[0] = max(most[0], sum(len(each.texts()) for each in alive))

    said = section(CASES["classes"], SPLITS["drawn"])
    first, _ = read(said, Files(tmp_path), {}, ())
    learnt = {**first.learnt, "classes": first.classes}
    gc.collect()
    monkeypatch.setattr(Texts, "__init__", counted)
    monkeypatch.setattr(csv_files, "PIECE", 16 * COLUMNS)
    read(said, Files(tmp_path), learnt, (), in_pieces=True)
    assert 0 < most[0] <= 3 * 16 * COLUMNS, most


def test_what_grows_is_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(lines(90))
    _, pieces = ways(tmp_path, section(CASES["classes"], "{val: 0.2}"), monkeypatch)
    assert [isinstance(column, np.ndarray) for column in pieces.train.inputs] == [False, False, False, True]  # a mask
    assert isinstance(pieces.train.target, np.ndarray)  # what is held out is drawn by it


def test_doubts_are_of_all_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(lines(90))
    said = section(CASES["own files"].replace("val: b.csv, test: b.csv", "test: b.csv"), "{}")
    (tmp_path / "b.csv").write_text(lines(90))
    learnt = read(said, Files(tmp_path), {}, ())[0]
    (tmp_path / "b.csv").write_text("width,kind\n" + "".join(f"{1000 + i},x\n" for i in range(99)))
    monkeypatch.setattr(csv_files, "PIECE", 16)
    found, _ = read(said, Files(tmp_path), {**learnt.learnt, "classes": learnt.classes}, (), in_pieces=True)
    assert [line.split(": ", 1)[1] for line in found.doubts] == [
        "numbers of width are as large as 1000 to 1098, in training as 1 to 6. Are they on the same scale?"
    ]


def test_words_and_numbers_in_one_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(lines(90))
    said = section(CASES["yes and no"], "{}")
    first, _ = read(said, Files(tmp_path), {}, ())
    changed = lines(90).splitlines()
    (tmp_path / "a.csv").write_text("\n".join([*changed[:40], *(f"{x.rpartition(',')[0]},3.5" for x in changed[40:])]))
    monkeypatch.setattr(csv_files, "PIECE", 13 * COLUMNS)
    with pytest.raises(DataError, match=r"line 2: fit is 'no', and .*line 41: fit is '3.5', expected numbers alone"):
        read(said, Files(tmp_path), {**first.learnt, "classes": first.classes}, (), in_pieces=True)


def test_windows_are_read_whole(tmp_path: Path) -> None:
    source = CSV(path="a.csv", target="width", window=3)
    assert source.in_pieces(Files(tmp_path), {"columns": {}}, ()) is None
    assert JSON(path="a.json", target="width").in_pieces(Files(tmp_path), {}, ()) is None
