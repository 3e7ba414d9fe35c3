"""Words about tables that end in what to write, each followed: lists in cells, columns called alike, infinities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import netspec
from netspec.cli import main
from netspec.errors import DataError
from netspec.text.report import SpecError

TRAIN = "train: {loss: LOSS, optimizer: adamw lr=0.01, epochs: 1, batch: 8, threads: 1}\n"
ROWS = [(i / 7, ["red|blue", "red", "blue", "green|red"][i % 4]) for i in range(24)]


def spec(folder: Path, table: str, source: str, outputs: int, loss: str) -> netspec.Spec:
    (folder / "a.csv").write_text(table)
    (folder / "a.yaml").write_text(
        f"input: 1\nlayers: [fc {outputs}]\ndata: {{source: {source}}}\n{TRAIN.replace('LOSS', loss)}"
    )
    return netspec.load(folder / "a.yaml")


@pytest.mark.parametrize(("sign", "word"), [("|", "pipe"), (";", "semicolon"), (",", "comma")])
def test_cells_that_list_labels_are_told_how_they_are_read(sign: str, word: str, tmp_path: Path) -> None:
    table = "size\ttags\n" + "".join(f"{size}\t{tags.replace('|', sign)}\n" for size, tags in ROWS)
    plain = spec(tmp_path, table, "csv a.csv tags", 3, "bce_logits")
    with pytest.raises(SpecError, match=rf"lists several labels, write several={word}\. Write bce_logits one_hot"):
        plain.look()
    with pytest.raises(SpecError, match=f"write several={word}"):
        plain.train()
    mended = spec(tmp_path, table, f"csv a.csv tags several={word}", 3, "bce_logits")  # as advised
    assert "target: 3 labels, each 1 or 0: blue, green, red" in "\n".join(mended.look())
    assert mended.train().history.records


def test_names_with_signs_are_no_lists(tmp_path: Path) -> None:
    table = "size;who\n" + "".join(f"{i / 7};{['Wu, Li', 'Re, An', 'Yu, Bo'][i % 3]}\n" for i in range(24))
    with pytest.raises(SpecError) as refused:
        spec(tmp_path, table, "csv a.csv who", 3, "bce_logits").look()
    assert "several" not in str(refused.value)


def test_values_of_several_labels_are_shown_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "size;tags\n" + "".join(f"{size};{tags}\n" for size, tags in ROWS)
    spec(tmp_path, table, "csv a.csv tags several=pipe", 3, "bce_logits").train(tmp_path / "run")
    (tmp_path / "new.csv").write_text("size\n1.5\n")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "run"), str(tmp_path / "new.csv")])
    assert ended.value.code == 0
    words = capsys.readouterr().out.replace(",", "").split()
    assert words[1::2] == ["blue", "green", "red"]


@pytest.mark.parametrize(("head", "line"), [("size,size,kind", 1), ("sep=,\nsize,size,kind", 2)])
def test_columns_called_alike_are_told_at_their_line(head: str, line: int, tmp_path: Path) -> None:
    text = f"{head}\n" + "".join(f"{i},{i},{'ab'[i % 2]}\n" for i in range(8))
    with pytest.raises(DataError, match=rf"a\.csv, line {line}: two columns are called 'size'\. Give each a name"):
        spec(tmp_path, text, "csv a.csv kind", 2, "cross_entropy").look()


def test_an_infinite_number_is_told_what_it_may_be(tmp_path: Path) -> None:
    text = "size,kind\n" + "".join(f"{'inf' if i == 3 else i},{'ab'[i % 2]}\n" for i in range(12))
    with pytest.raises(DataError, match=r"line 5: size is 'inf'.*write empty=inf, and with missing="):
        spec(tmp_path, text, "csv a.csv kind", 2, "cross_entropy").look()
    mended = spec(tmp_path, text, "csv a.csv kind empty=inf missing=median", 2, "cross_entropy")  # as advised
    assert any("in 1 row, take the median" in line for line in mended.look())


def ages(folder: Path, unit: str) -> netspec.Spec:
    """A spec over a table of images, each with a number and what stands beside it."""
    rows = []
    for i in range(8):
        Image.new("RGB", (6, 6), (i * 20,) * 3).save(folder / f"{i}.png")
        rows.append(f"{i}.png,{i * 2.5}{unit}\n")
    (folder / "ages.csv").write_text("file,age\n" + "".join(rows))
    (folder / "ages.yaml").write_text(
        "input: 3x6x6\nlayers: [fc 1]\ndata: {source: images ages.csv labels=age regression}\n"
        + TRAIN.replace("LOSS", "l1")
    )
    return netspec.load(folder / "ages.yaml")


def test_a_table_of_images_is_advised_no_option_that_it_has_not(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2: age is '0\.0 years', expected a finite number") as refused:
        ages(tmp_path, " years").train()
    assert "signs" not in str(refused.value)
    assert "reads numbers such as 1234.5" in str(refused.value)


def test_numbers_of_images_are_called_by_their_column(tmp_path: Path) -> None:
    ages(tmp_path, "").train(tmp_path / "run")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tmp_path / "run"), str(tmp_path / "3.png"), "-o", str(tmp_path / "out.csv")])
    assert ended.value.code == 0
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "file,age"


def test_names_of_classes_in_arrays_are_told_how_they_become_numbers(tmp_path: Path) -> None:
    names = np.array(["oak", "ash"])[np.arange(12) % 2]
    np.savez(tmp_path / "a.npz", x=np.zeros((12, 1), np.float32), y=names)
    named = spec(tmp_path, "", "npz a.npz", 2, "cross_entropy")
    with pytest.raises(DataError, match=r"numbers by numpy\.unique\(y, return_inverse=True\)"):
        named.look()
    np.savez(tmp_path / "a.npz", x=np.zeros((12, 1), np.float32), y=np.unique(names, return_inverse=True)[1])
    assert named.train().history.records  # as advised


@pytest.mark.parametrize("sign", ["{}-", "{} -", "({})", "\u2212{}", "\u2013{}"])
@pytest.mark.parametrize("number", ["12.5", "12,5", "1,250"])
def test_a_minus_is_never_left_out_of_a_number(number: str, sign: str, tmp_path: Path) -> None:
    """Advice that would read 12- as 12 is worse than none."""
    cells = [(sign.format(number) if i % 2 else number).replace("12", f"{i + 10}") for i in range(16)]
    text = "size;kind\n" + "".join(f"{cell};{'ab'[i % 2]}\n" for i, cell in enumerate(cells))
    with pytest.raises(DataError, match=r"line 3: size is .*as some write a number below 0\. Write it with a minus"):
        spec(tmp_path, text, "csv a.csv kind", 2, "cross_entropy").look()
    plain = [cell.strip("-()\u2212\u2013 ").replace(",", ".") for cell in cells]
    mended = "".join(f"{'-' * (i % 2)}{cell};{'ab'[i % 2]}\n" for i, cell in enumerate(plain))
    (column, *_) = spec(tmp_path, f"size;kind\n{mended}", "csv a.csv kind", 2, "cross_entropy").look()[1:]
    assert column == "  numbers (1): size"  # as advised
    with pytest.raises(SpecError, match="no part of a number; a minus is"):
        spec(tmp_path, text, '{csv: {path: a.csv, target: kind, signs: "-"}}', 2, "cross_entropy")


@pytest.mark.parametrize("cells", [["B-", "A", "C-"], ["10-19", "20-29", "30-39"], ["A1-", "A2-", "B1-"]])
def test_grades_and_ranges_are_categories(cells: list[str], tmp_path: Path) -> None:
    text = "size;kind\n" + "".join(f"{cells[i % 3]};{'ab'[i % 2]}\n" for i in range(24))
    with pytest.raises(DataError) as refused:
        spec(tmp_path, text, "csv a.csv kind", 2, "cross_entropy").look()
    assert "categories (1): size 3" in str(refused.value)
