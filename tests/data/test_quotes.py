"""What is told of quotes that hold no cell, and of paths with blanks: where it begins, and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from netspec import loads
from netspec.datasets import csv
from netspec.errors import DataError
from netspec.text.report import SpecError

HEAD = "size,town,price\n"


def table(folder: Path, text: str) -> int:
    (folder / "a.csv").write_text(text, newline="")
    return len(csv.CSV(path="a.csv", target="price").table(folder / "a.csv"))


@pytest.mark.parametrize(
    ("text", "line", "words", "mended"),
    [
        (f'{HEAD}1,"Rome,2\n2,Oslo,3\n3,Bonn,4\n', 2, "never closed. Close it, or take it out", ('"Rome', '"Rome"')),
        (f'{HEAD}1,Rome,2\n\n2,"Oslo,3\n3,Bonn,4\n', 4, "never closed", ('"Oslo', "Oslo")),
        (f'{HEAD}1,"Ro\nme",2\n2,"Oslo,3\n3,Bonn,4\n', 4, "never closed", ('"Oslo', "Oslo")),
        (f'sep=;\r\n{HEAD}1,"a ""b""",2\r\n2,"Oslo,3\r\n'.replace(",", ";"), 4, "never closed", ('"Oslo', "Oslo")),
        (f'{HEAD}1,"Rome,2\n2,"Oslo",3\n3,Bonn,4\n', 2, "closed on line 3, before 'Oslo\",3'", ('"Rome', "Rome")),
        (f'{HEAD}1,Rome,2\n2,"Os"lo,3\n', 3, "goes on behind its quotes with 'lo,3'", ('"Os"', "Os")),
        (f'{HEAD}1,Rome,2\n2,"Os"lo,3\n', 3, "write those within it twice", ('"Os"lo', '"""Os""lo"')),
        ('size,"town,price\n1,Rome,2\n', 1, "never closed", ('"', "")),
    ],
)
def test_a_quote_is_told_where_it_opens(
    text: str, line: int, words: str, mended: tuple[str, str], tmp_path: Path
) -> None:
    with pytest.raises(DataError) as refused:
        table(tmp_path, text)
    assert f"a.csv, line {line}: " in str(refused.value)
    assert words in str(refused.value)
    assert table(tmp_path, text.replace(*mended))  # as advised


def test_quotes_within_a_cell_without_quotes_are_its_own(tmp_path: Path) -> None:
    assert table(tmp_path, f'{HEAD}1,5" pipe,2\n2,Os"lo",3\n') == 2


SPEC = "input: 3\nlayers: [fc 1]\n"


@pytest.mark.parametrize(
    ("row", "long"),
    [
        ("images my photos", "{images: {path: my photos}}"),
        ("images the best photos grey", "{images: {path: the best photos}}"),
        ("text old books.txt", "{text: {path: old books.txt}}"),
    ],
)
def test_a_path_with_blanks_in_a_row_is_told_the_long_form(row: str, long: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        loads(f"{SPEC}data: {{source: {row}}}\n")
    assert f"A path with blanks is written long: {long}" in str(refused.value)
    word = row.split()[0]
    try:
        loads(f"{SPEC}data: {{source: {long}}}\n")  # as advised
    except SpecError as error:  # the network is another one's
        assert "unknown-argument" not in str(error), word


def test_an_argument_that_is_only_misspelt_is_no_path() -> None:
    with pytest.raises(SpecError) as refused:
        loads(f"{SPEC}data: {{source: images photos size=3 greay}}\n")
    assert "written long" not in str(refused.value)


@pytest.mark.parametrize("row", ["npz my arrays.npz", "npy my arrays.npz"])
def test_the_beginning_of_a_name_with_blanks_is_told(row: str, tmp_path: Path) -> None:
    (tmp_path / "my arrays.npz").write_bytes(b"")
    spec = loads(f"{SPEC}data: {{source: {row}}}\ntrain: {{loss: mse, optimizer: adam, epochs: 1}}\n").at(tmp_path)
    with pytest.raises(DataError, match=r"There is 'my arrays\.npz': a path with blanks is written long"):
        spec.train()
