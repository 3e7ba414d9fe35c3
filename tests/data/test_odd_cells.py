"""Cells of tables that read as numbers and are none, or none on one scale: each is refused with what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netspec.datasets.writing import Writing, guessed
from tests.data.test_columns import ROWS, read, refused, table


@pytest.mark.parametrize(
    ("signs", "cells", "words"),
    [
        ("currency", ["$5", "€7"], "is '$5', and another cell '€7': they are not on one scale"),
        ("percent", ["5%", "0.05"], "is '5%', and another cell '0.05': they are not on one scale"),
        (["kg", "lb"], ["5 kg", "7 lb"], "is '5 kg', and another cell '7 lb': they are not on one scale"),
        (["k", "M"], ["5k", "7M"], "they are not on one scale"),
    ],
)
def test_numbers_of_two_units_are_refused(signs: Any, cells: list[str], words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, table(cost=cells * (ROWS // 2)), signs=signs)


@pytest.mark.parametrize(
    ("signs", "cells", "right"),
    [
        ("currency", ["$5", "7"], [5, 7]),
        ("percent", ["5%", "0"], [5, 0]),
        (["CHF"], ["CHF 5", "7"], [5, 7]),
        (["km/h"], ["5 km/h", "7 km/h"], [5, 7]),
    ],
)
def test_numbers_of_one_unit_are_read(signs: Any, cells: list[str], right: list[float], tmp_path: Path) -> None:
    found = read(tmp_path, table(cost=cells * (ROWS // 2)), signs=signs).train.inputs[0]
    assert found[:2, 0].tolist() == right


def test_codes_that_begin_with_zero_are_no_amounts(tmp_path: Path) -> None:
    content = table(zip=["01234", "80331", "10115"] * (ROWS // 3))
    said = refused(tmp_path, content)
    assert "zip is '01234', which begins with 0 as codes do. Leave it out: drop=zip" in said
    assert read(tmp_path, content, categories="zip", numbers="size").names == ("numbers", "categories")
    assert read(tmp_path, content, numbers=["zip", "size"]).names == ("numbers",)


def test_dates_without_signs_are_dates(tmp_path: Path) -> None:
    content = table(day=[f"202401{1 + i:02}" for i in range(ROWS)])
    assert "day is '20240101': day holds dates. Write dates=day" in refused(tmp_path, content)
    found = read(tmp_path, content, dates="day", date_parts=["elapsed", "day"]).train.inputs[0]
    assert found[:3, 1:].tolist() == [[0, 1], [1, 2], [2, 3]]
    amounts = table(sold=[f"2024{i % 13:02}{i:02}" for i in range(ROWS)])  # there is no month 0
    assert read(tmp_path, amounts).names == ("numbers",)


def test_numbers_that_floats_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    content = table(time=[str(1_700_000_000_000 + 1000 * i) for i in range(ROWS)])
    said = refused(tmp_path, content)
    assert "time is '1700000000000': 24 different numbers would be 1 with the seven digits that floats have" in said


def test_a_number_can_mean_an_empty_cell(tmp_path: Path) -> None:
    content = table(depth=["1.5", "-999", "2.5", "NA"] * (ROWS // 4))
    found = read(tmp_path, content, empty=["NA", -999], missing="value", fill=7).train.inputs[0]
    assert found[:4, 0].tolist() == [1.5, 7, 2.5, 7]


def test_what_is_advised_for_an_empty_cell_is_no_null_of_yaml(tmp_path: Path) -> None:
    content = table(depth=["1.5", "null"] * (ROWS // 2))
    assert 'write empty: "null", and with missing=' in refused(tmp_path, content)
    assert read(tmp_path, content, empty="null", missing="mean").names == ("numbers",)


def test_an_empty_cell_of_the_target_is_not_advised_to_be_filled(tmp_path: Path) -> None:
    content = "x,kind\n" + "1,1.5\n2,\n3,2.5\n" * ROWS
    for missing in ("refuse", "median"):
        assert refused(tmp_path, content, missing=missing).endswith(
            "kind is empty, expected a finite number. What is to be learnt must be there: take out the rows without it."
        )


@pytest.mark.parametrize(
    ("cells", "known", "ways"),
    [
        (["994\u202f555\xa0€", "12\u202f040\xa0€"], Writing(), ["thousands=space signs=currency"]),
        (["0,625", "0,896"], Writing(), ["decimal=comma"]),
        (["1.17", "2.38"], Writing("comma"), ["decimal=point"]),
        (["1.170", "2.389"], Writing("comma"), ["decimal=point"]),
    ],
)
def test_the_option_that_is_advised_reads_the_cells(cells: list[str], known: Writing, ways: list[str]) -> None:
    found = guessed(cells, known)
    assert [way.options(known) for way in found] == ways
    assert all(way.number(cell) is not None for way in found for cell in cells)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + bytes(90), "is a packed file, such as a workbook of Excel, expected a table as text"),
        (b"\n<!DOCTYPE html><html></html>", "is a page of the web, expected a table as text"),
        (b"Report of 2024\n\na,b,kind\n1,2,x\n", "Delete what stands above the names of the columns"),
    ],
)
def test_files_that_are_no_table(content: bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, content)


def test_sixteen_bits_without_a_mark_are_guessed_and_told(tmp_path: Path) -> None:
    content = table(city=["Köln", "Bonn"] * (ROWS // 2))
    for codec in ("utf-16-le", "utf-16-be"):
        arrays = read(tmp_path, content.encode(codec))
        assert f"encoded in {codec} (guessed)" in arrays.told[0]
        assert arrays.learnt["columns"]["categories"] == {"city": ["Bonn", "Köln"]}


def test_utf8_is_not_read_as_bytes_of_western_letters(tmp_path: Path) -> None:
    arrays = read(tmp_path, table(city=["Köln", "Bonn"] * (ROWS // 2)).encode(), encoding="latin-1")
    assert "encoded in UTF-8, not in latin-1" in arrays.told[0]
    assert arrays.learnt["columns"]["categories"] == {"city": ["Bonn", "Köln"]}
