"""Columns of tables: which becomes what, which are refused as they may be several things, and that advice works."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.api.spec import load, loads
from netspec.cli import main
from netspec.datasets import table as tables
from netspec.datasets.dates import ISO, numbers, ways
from netspec.datasets.files import Files
from netspec.datasets.writing import Writing, guessed
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from tests.data.writing import section
from tests.effort import computing

ROWS = 24


def table(**columns: list[str]) -> str:
    """A table with these columns, a plain column of numbers and a target of two classes."""
    count = len(next(iter(columns.values())))
    columns = {**columns, "size": [str(i % 7) for i in range(count)], "kind": ["a", "b"] * (count // 2)}
    rows = zip(*columns.values(), strict=True)
    return "\n".join(";".join(cells) for cells in (columns, *rows)) + "\n"


def read(root: Path, content: str | bytes, /, **options: Any) -> Any:
    (root / "a.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    source = section({"source": {"csv": {"path": "a.csv", "target": "kind", **options}}}).source
    return source.fitted(source.read(Files(root)), {})


def refused(root: Path, content: str | bytes, /, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(root, content, **options)
    return str(caught.value)


WAYS: dict[str, tuple[dict[str, Any], Callable[[int], float]]] = {
    "0,{0}42": ({"decimal": "comma"}, lambda i: float(f"0.{i}42")),
    "{0}4,172": ({"thousands": "comma"}, lambda i: float(f"{i}4172")),
    "1 23{0}": ({"thousands": "space"}, lambda i: float(f"123{i}")),
    "1'23{0}": ({"thousands": "quote"}, lambda i: float(f"123{i}")),
    "1.23{0},5": ({"decimal": "comma", "thousands": "point"}, lambda i: float(f"123{i}.5")),
    "${0}4.17": ({"signs": "currency"}, lambda i: float(f"{i}4.17")),
    "-{0} €": ({"signs": "currency"}, lambda i: -float(i)),
    "{0}%": ({"signs": "percent"}, float),
    "{0}.5 kg": ({"signs": "kg"}, lambda i: float(f"{i}.5")),
    "USD {0}": ({"signs": "USD"}, float),
    "{0} percent": ({"signs": "percent"}, float),
}


@pytest.mark.parametrize("form", WAYS)
def test_numbers_with_signs_are_refused_with_the_option_that_reads_them(form: str, tmp_path: Path) -> None:
    options, value = WAYS[form]
    cells = [form.format(i % 9 + 1) for i in range(ROWS)]
    said = refused(tmp_path, table(price=cells))
    assert f"a.csv, line 2: price is {cells[0]!r}" in said
    assert "read as numbers but for such signs" in said
    for name, word in options.items():
        assert f"{name}={word}" in said
    arrays = read(tmp_path, table(price=cells), **options)
    assert arrays.train.inputs[0][:, 0] == pytest.approx([value(i % 9 + 1) for i in range(ROWS)])
    assert "  numbers (2): price, size" in arrays.told
    assert "regression=false" in refused(tmp_path, table(price=cells), numbers="size", target="price")
    arrays = read(tmp_path, table(price=cells), numbers="size", target="price", regression=True, **options)
    assert arrays.train.target[0, 0] == pytest.approx(value(1))


def test_signs_of_several_columns_are_named_together(tmp_path: Path) -> None:
    text = table(price=[f"${i}" for i in range(ROWS)], share=[f"{i}%" for i in range(ROWS)])
    said = refused(tmp_path, text)
    assert said.count("signs=[currency, percent]") == 2
    arrays = read(tmp_path, text, signs=["currency", "percent"])
    assert arrays.train.inputs[0][5].tolist() == [5, 5, 5]


def test_a_number_of_two_readings_is_told_both_ways(tmp_path: Path) -> None:
    said = refused(tmp_path, table(price=["1,234", "2,345"] * 12))
    assert "Write decimal=comma or thousands=comma" in said
    assert read(tmp_path, table(price=["1,234"] * ROWS), decimal="comma").train.inputs[0][0, 0] == pytest.approx(1.234)
    assert read(tmp_path, table(price=["1,234"] * ROWS), thousands="comma").train.inputs[0][0, 0] == 1234


def test_what_is_no_number_for_all_its_digits() -> None:
    for cells in (
        ["A1", "B2"],
        ["v1", "v2"],
        ["12:30", "1:15"],
        ["555-1234", "555-2222"],
        ["(5)", "6"],
        ["3 5", "4 6"],
    ):
        assert not guessed(cells, Writing()), cells
    assert Writing(thousands="comma").number("1,23") is None
    assert Writing(decimal="comma").number("1.5") is None
    assert Writing(signs=("kg",)).number("5 km") is None


@pytest.mark.parametrize(
    ("cells", "words", "options"),
    [
        ([f"C{i:03}" for i in range(ROWS)], "24 of the 24 cells of name differ", {"drop": "name"}),
        ([f"C{i:03}" for i in range(ROWS)], "keep it for predictions: id=name", {"id": "name"}),
        ([f"t{i // 2}" for i in range(13)] + ["x"] * 11, "", {}),
        ([f"p{i}" for i in range(20)] + ["p1"] * 4, "20 of the 24 cells of name differ", {"drop": "name"}),
        ([f"2026-01-{i + 1:02}" for i in range(ROWS)], "name holds dates. Write dates=name", {"dates": "name"}),
        ([f"{i + 1:02}.01.2026 10:00" for i in range(ROWS)], "name holds dates", {"dates": "name"}),
        (["a fine film that I like"] * 10 + [f"not so good as the {i}" for i in range(14)], "text=name", {}),
        (["1"] * 20 + ["NA"] * 4, "line 22: name is 'NA', other cells of name are numbers. If that is an", {}),
        (["1"] * 20 + ["?"] * 4, 'If that is an empty cell, write empty: "?"', {"empty": "?", "missing": "mean"}),
        (["1"] * 20 + ["one"] * 4, "Say in the spec which columns are numbers", {"drop": "name"}),
    ],
)
def test_columns_that_may_be_several_things(
    cells: list[str], words: str, options: dict[str, Any], tmp_path: Path
) -> None:
    text = table(name=cells)
    if words:
        assert words in refused(tmp_path, text)
    if options or not words:
        assert read(tmp_path, text, **options).told


def test_all_odd_columns_are_told_at_once(tmp_path: Path) -> None:
    text = table(code=[f"C{i}" for i in range(ROWS)], since=[f"2026-01-{i + 1:02}" for i in range(ROWS)])
    assert len(refused(tmp_path, text).splitlines()) == 2


def test_a_thousand_categories_occur_several_times_each(tmp_path: Path) -> None:
    assert "1,200 of the 3,000 cells of name differ" in refused(
        tmp_path, table(name=[f"n{i % 1200}" for i in range(3000)])
    )
    assert read(tmp_path, table(name=[f"n{i % 1200}" for i in range(6000)])).names == ("numbers", "categories")


def test_a_cell_may_be_a_document(tmp_path: Path) -> None:
    options: dict[str, Any] = {"text": "name", "length": 4}
    arrays = read(tmp_path, table(name=["word " * 40_000, "b"] * 2), **options)
    assert arrays.train.inputs[0].tolist() == [[2, 2, 2, 2], [3, 0, 0, 0]] * 2


def test_few_rows_say_nothing_of_how_many_differ(tmp_path: Path) -> None:
    assert read(tmp_path, table(name=["x", "y", "z", "w"])).names == ("numbers", "categories")


@pytest.mark.parametrize("name", ["id", "Id", "ID", "customer_id", "PassengerId", "uuid"])
def test_numbers_that_only_tell_rows_apart(name: str, tmp_path: Path) -> None:
    text = table(**{name: [str(1000 + 7 * i) for i in range(ROWS)]})
    assert f"{name} has another whole number in each row, as an id has. Leave it out: drop={name}" in refused(
        tmp_path, text
    )
    arrays = read(tmp_path, text, id=name)
    assert arrays.learnt["columns"]["ids"] == [name]
    assert f"  left out: {name} (kept for predictions)" in arrays.told
    assert arrays.train.inputs[0].shape == (ROWS, 1)
    source = section({"source": {"csv": {"path": "a.csv", "target": "kind", "id": name}}}).source
    assert isinstance(source, tables.Tabular)
    assert source.ids(source.table(tmp_path / "a.csv"))[name][2] == "1014"
    assert read(tmp_path, text, numbers=[name, "size"]).train.inputs[0].shape == (ROWS, 2)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_a_column_that_counts_the_rows_is_left_out(name: str, tmp_path: Path) -> None:
    arrays = read(tmp_path, table(**{name: [str(i) for i in range(ROWS)]}))
    assert f"  left out: {name or 'Unnamed: 0'} (an index)" in arrays.told
    assert arrays.train.inputs[0].shape == (ROWS, 1)
    assert read(tmp_path, table(**{name: ["3", "1"] * 12})).train.inputs[0].shape == (ROWS, 2)
    shuffled = read(tmp_path, table(**{name: [str(i * 7 % ROWS + 100) for i in range(ROWS)]}))
    assert shuffled.train.inputs[0].shape == (ROWS, 2 if name == "index" else 1)


def test_an_empty_column_is_left_out(tmp_path: Path) -> None:
    assert "  left out: note (empty)" in read(tmp_path, table(note=[""] * ROWS)).told


def test_a_column_has_one_use(tmp_path: Path) -> None:
    text = table(name=["x", "y"] * 12)
    assert "kind is named by categories and by target" in refused(tmp_path, text, categories=["name", "kind"])
    assert "size is named by numbers and by drop" in refused(tmp_path, text, numbers="size", drop="size")
    assert "no column 'nam'. Did you mean 'name'?" in refused(tmp_path, text, drop="nam")
    assert "left out" in refused(tmp_path, text, drop=["name", "size"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 2}, "csv: horizon= does nothing without window="),
        ({"series": "name"}, "csv: series= does nothing without window="),
        ({"mask": "padding"}, "csv: mask= does nothing without text="),
        ({"date_order": "day"}, "csv: date_order= does nothing without dates="),
        ({"fill": 1, "missing": "mean"}, "csv: fill= does nothing without missing=value"),
        ({"dates": "name", "date_order": "day", "date_format": "%d"}, "Drop date_order="),
        ({"window": 2, "regression": False}, "so not with text=, several= or regression=false"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, table(name=["x", "y"] * 12), **options)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (table(x=["1", "2"]).replace(";", "\t"), "tab (guessed)"),
        (table(x=["1", "2"]).replace(";", "|"), "pipe (guessed)"),
        (table(x=["1", "2"]), "semicolon (guessed)"),
        ("sep=;\n" + table(x=["1", "2"]), "semicolon"),
        ('"sep=;"\n' + table(x=["1", "2"]), "semicolon"),
        ("\ufeffsep=;\r\n" + table(x=["1", "2"]).replace("\n", "\r\n"), "semicolon"),
        (table(x=["1", "2"]).replace("1", '"1"'), "semicolon (guessed)"),
        (table(x=["1", "2"]).encode("utf-16"), "encoded in utf-16"),
        (table(x=["1", "2"]).replace(";", ","), ""),
    ],
)
def test_separators_marks_and_ends_of_line(content: str | bytes, note: str, tmp_path: Path) -> None:
    arrays = read(tmp_path, content)
    assert arrays.train.inputs[0].tolist() == [[1, 0], [2, 1]]
    assert note in arrays.told[0]
    assert arrays.classes == ("a", "b")


def test_lines_are_counted_from_the_first_whatever_stands_there(tmp_path: Path) -> None:
    text = 'sep=;\nsize;name;kind\n1;"two\nlines";a\nx;y;b\n'
    assert "a.csv, line 5: size is 'x', expected a finite number" in refused(tmp_path, text, numbers="size")


def test_commas_in_texts_do_not_make_columns(tmp_path: Path) -> None:
    text = "size;name;kind\n" + "1;well, then, no;a\n2;no;b\n" * 4
    assert read(tmp_path, text, drop="name").names == ("numbers",)


def test_an_encoding_is_named_and_read(tmp_path: Path) -> None:
    content = table(city=["Zürich", "Köln"] * 4).encode("cp1252")
    said = refused(tmp_path, content)
    assert (
        "is not UTF-8: byte 0xfc on line 2. If it reads 'Zürich;0;a' there, write encoding=cp1252, or save it as UTF-8."
        in said
    )
    assert read(tmp_path, content, encoding="cp1252").learnt["columns"]["categories"] == {"city": ["Köln", "Zürich"]}
    assert "is not ASCII: byte 0xfc on line 2" in refused(tmp_path, content, encoding="ascii")


def test_a_file_without_names_is_told(tmp_path: Path) -> None:
    said = refused(tmp_path, "5.1,3.5,1\n4.9,3,0\n", target="1")
    assert "line 1: 5.1, 3.5, 1 are numbers, expected the names of the columns" in said


# --- dates ----------------------------------------------------------------------------------------


def test_dates_are_parts_and_elapsed_days(tmp_path: Path) -> None:
    text = table(since=["2026-01-31", "2026-03-01", "2026-02-01 12:00", "2025-12-31"])
    arrays = read(tmp_path, text, dates="since")
    assert arrays.train.inputs[0].tolist() == [
        [0, 31, 1, 31, 5],
        [1, 60, 3, 1, 6],
        [2, 32.5, 2, 1, 6],
        [3, 0, 12, 31, 2],
    ]
    assert "  numbers (5): size, since elapsed, since month, since day, since weekday" in arrays.told
    parts = ["hour", "minute", "year", "yearday"]
    assert read(tmp_path, text, dates="since", date_parts=parts).train.inputs[0][2].tolist() == [2, 12, 0, 2026, 32]


def test_day_and_month_are_told_apart_or_asked_for(tmp_path: Path) -> None:
    text = table(since=["03/04/2021", "05/06/2021"])
    assert "day or month may stand first. Write date_order=day or date_order=month." in refused(
        tmp_path, text, dates="since"
    )
    for order, month in (("day", 4), ("month", 3)):
        arrays = read(tmp_path, text, dates="since", date_order=order, date_parts="month")
        assert arrays.train.inputs[0][0].tolist() == [0, month]
    text = table(since=["13/04/2021", "05/06/2021"])
    assert read(tmp_path, text, dates="since", date_parts="month").train.inputs[0][1, 1] == 6
    said = refused(tmp_path, table(since=["2021-04-13", "soon"]), dates="since")
    assert "line 3: since is 'soon', expected dates that are all written alike" in said
    text = table(since=["13h04 2021", "05h06 2021"])
    arrays = read(tmp_path, text, dates="since", date_format="%dh%m %Y", date_parts="day")
    assert arrays.train.inputs[0][:, 1].tolist() == [13, 5]


@pytest.mark.parametrize(
    ("cells", "way"),
    [
        (["2021-01-02T10:30:00Z"], ISO),
        (["2021/3/4"], "%Y/%m/%d"),
        (["4 Mar 2021", "14 Apr 2021"], "%d %b %Y"),
        (["March 4, 2021", "June 5, 2021"], "%B %d, %Y"),
        (["12/31/2020 1:05 PM"], "%m/%d/%Y %I:%M %p"),
        (["31.12.20"], "%d.%m.%y"),
    ],
)
def test_ways_of_writing_dates(cells: list[str], way: str) -> None:
    assert ways(cells) == [way]


def test_a_zone_is_heeded() -> None:
    assert numbers("2021-01-02T01:30:00+02:00", ISO, ("day", "hour")) == [1, 23]


# --- what is learnt -------------------------------------------------------------------------------


def test_dates_and_fills_are_learnt_from_the_training_part_and_kept(tmp_path: Path) -> None:
    cells = [f"2026-01-{i % 28 + 1:02}" for i in range(ROWS)]
    cells[3] = ""
    (tmp_path / "a.csv").write_text(table(since=cells, price=[str(i) for i in range(ROWS - 1)] + [""]))
    options = {"dates": "since", "missing": "median"}
    wanted = section({"source": {"csv": {"path": "a.csv", "target": "kind", **options}}, "split": {"val": 8}})
    first = load_data(wanted, tmp_path)
    learnt = json.loads(json.dumps(first.learnt))
    (tmp_path / "a.csv").write_text(table(since=["2027-01-01", ""], price=["", "1"]))
    alone = section({"source": {"csv": {"path": "a.csv", "target": "kind", **options}}, "split": {"val": 0}})
    second = load_data(alone, tmp_path, learnt=learnt)
    start = learnt["columns"]["dates"]["since"]["start"]
    assert second.train.inputs[0][0, 2] == 20819 - start
    assert second.train.inputs[0][0, 0] == learnt["columns"]["numbers"]["price"]
    assert second.train.inputs[0][1, 2:].tolist() == pytest.approx(learnt["columns"]["dates"]["since"]["fills"])
    assert second.learnt["columns"] == first.learnt["columns"]


def test_missing_value_and_category(tmp_path: Path) -> None:
    text = table(price=["1", "", "3", "4"], city=["x", "y", "", "x"])
    arrays = read(tmp_path, text, missing="value", fill=-1)
    assert arrays.train.inputs[0][:, 0].tolist() == [1, -1, 3, 4]
    assert "  empty cells of numbers, in 1 row, take -1" in arrays.told
    assert arrays.learnt["columns"]["categories"] == {"city": ["", "x", "y"]}
    assert "line 3: price is empty, expected a finite number. Write missing: mean" in refused(
        tmp_path, text, missing="category"
    )
    assert "line 4: city is empty, expected a category. Write missing: category" in refused(
        tmp_path, table(city=["x", "y", "", "x"])
    )
    assert read(tmp_path, table(city=["x", "y", "", "x"]), missing="category").names == ("numbers", "categories")
    text = table(price=["1", "", "3", "4"], city=["x", "y", "", "x"])
    assert "Write missing: {price: median, city: category} to" in refused(tmp_path, text, missing={"price": "median"})
    assert "Write missing: {city: category, price: mean} to" in refused(tmp_path, text, missing={"city": "category"})


@pytest.mark.parametrize("step", ["augment: [flip]", "transform: [crop 2]"])
def test_check_refuses_steps_for_images_on_a_table(tmp_path: Path, step: str) -> None:
    (tmp_path / "t.csv").write_text(table(price=["1", "2", "3", "4"]))
    text = f"netspec: 1\ninput: 2\nlayers: [fc 2]\ndata: {{source: csv t.csv kind, {step}}}\n"
    with pytest.raises(DataError, match="takes images of channels x height x width"):
        loads(text).at(tmp_path).look()


# --- what a person is told ------------------------------------------------------------------------

SPEC = """netspec: 1
inputs: {numbers: 2, categories: int 1}
layers: {e: embedding(categories) 4 2, f: flatten, both: concat(numbers f), out: fc 2}
data: {source: csv a.csv kind, split: {val: 0.25}}
train: {loss: cross_entropy, optimizer: sgd lr=0.01, epochs: 1}
"""


def homes() -> str:
    draw = random.Random(0)
    return table(price=[str(draw.random()) for _ in range(ROWS)], city=["Rome", "Oslo", "Bonn"] * 8)


def test_a_look_says_which_column_became_what(tmp_path: Path) -> None:
    spec = loads(SPEC).at(tmp_path)
    assert spec.look() == ()
    (tmp_path / "a.csv").write_text(homes())
    head, *lines = spec.look()
    assert head == f"{tmp_path}/a.csv: 24 rows, columns separated by semicolon (guessed)"
    assert lines == [
        "  numbers (2): price, size",
        "  categories (1): city 3",
        "  all categories are one embedding of 4 rows, 0 for any other text",
        "  target: kind, 2 classes: a, b",
        "  the network's inputs: {numbers: 2, categories: int 1}",
    ]


def test_inputs_that_do_not_fit_are_told_with_the_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(homes())
    spec = loads(SPEC.replace("numbers: 2", "numbers: 5")).at(tmp_path)
    for ask in (spec.look, spec.train):
        with pytest.raises(DataError) as caught:
            ask()
        said = str(caught.value)
        assert "the data gives 2, numbers takes 5" in said
        assert "  numbers (2): price, size" in said
        assert "  the network's inputs: {numbers: 2, categories: int 1}" in said
    one = loads("netspec: 1\ninput: 3\nlayers: [fc 2]\n" + SPEC[SPEC.index("data:") :]).at(tmp_path)
    with pytest.raises(
        DataError, match=r"the data has 2 inputs, the network takes 1: .*\n(.*\n)* +numbers \(2\): price"
    ):
        one.train()


@pytest.mark.parametrize(
    ("outputs", "loss", "extra", "code", "words"),
    [
        (1, "mse", "", 3, "error[loss-target] mse compares numbers, the target holds class numbers"),
        (1, "mse", "", 3, "Where 3 to 5 are amounts, give the source regression."),
        (1, "bce_logits", "", 3, "says yes or no, the data has 3 classes"),
        (2, "cross_entropy", "", 3, "error[class-count] the network tells 2 classes apart, the data has 3"),
        (3, "cross_entropy", "  positive: 4\n", 4, "positive says which of two classes is meant by yes"),
        (3, "cross_entropy", "", 0, "target: level, 3 classes: 3, 4, 5"),
    ],
)
def test_a_check_holds_the_target_against_the_loss(
    outputs: int, loss: str, extra: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("x,level\n" + "".join(f"{i / 7},{3 + i % 3}\n" for i in range(ROWS)))
    spec = f"netspec: 1\ninput: 1\nlayers: [fc {outputs}]\ndata:\n  source: csv a.csv level\n{extra}"
    (tmp_path / "a.yaml").write_text(f"{spec}train: {{loss: {loss}, optimizer: adam}}\n")
    assert command("check", str(tmp_path / "a.yaml")) == code
    assert words in " ".join(capsys.readouterr().out.split())


def test_categories_are_declared_as_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("city,kind\n" + "".join(f"{'xyz'[i % 3]},{'ab'[i % 2]}\n" for i in range(ROWS)))
    for size in (1, 5):
        text = f"netspec: 1\ninput: {size}\nlayers: [fc 2]\ndata: csv a.csv kind\n"
        with pytest.raises(DataError, match="Declare input: int 1"):
            loads(f"{text}train: {{loss: cross_entropy, optimizer: adam}}\n").at(tmp_path).look()


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_check_and_train_say_it_and_check_ends_with_the_code_of_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    path = str(tmp_path / "net.yaml")
    assert command("check", path) == 0
    assert "numbers (2)" not in capsys.readouterr().out
    (tmp_path / "a.csv").write_text(homes())
    assert command("check", path) == 0
    assert "  numbers (2): price, size\n  categories (1): city 3\n" in capsys.readouterr().out
    assert command("train", path, "--run", str(tmp_path / "run")) == 0
    assert "  numbers (2): price, size\n  categories (1): city 3\n" in capsys.readouterr().err
    (tmp_path / "a.csv").write_text(homes().replace("0.", "0,"))
    for arguments in (["check", path], ["train", path, "--run", str(tmp_path / "other")]):
        assert command(*arguments) == 4
        assert "Write decimal=comma to read them" in "".join(capsys.readouterr())
    (tmp_path / "wrong.yaml").write_text("netspec: 1\ninput: 4\nlayers: [fcc 3]\n")
    assert command("check", path, str(tmp_path / "wrong.yaml")) == 3
    said = capsys.readouterr().out
    assert "Write decimal=comma to read them" in said
    assert said.endswith("\n1 error\n\n2 specs, 2 with errors\n")
    assert command("check", path, "--json") == 4
    (problem,) = json.loads(capsys.readouterr().out)
    assert (problem["code"], problem["line"], problem["severity"]) == ("data", 4, "error")
    assert "price is '0,8444218515250481'" in problem["message"]


def test_a_large_table_is_left_to_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_text(homes())
    monkeypatch.setattr(tables, "GLANCE", 10)
    assert loads(SPEC).at(tmp_path).look() == ()


@pytest.mark.parametrize("path", ["../a.csv", "folder", "nothing.csv", f"{'x' * 3000}.csv", "a.csv.gz"])
def test_what_a_check_may_not_open_is_left_to_the_run(path: str, tmp_path: Path) -> None:
    (tmp_path / "folder" / "folder").mkdir(parents=True)
    (tmp_path / "a.csv").write_text("no table")
    (tmp_path / "folder" / "a.csv.gz").write_bytes(gzip.compress(b"no table"))
    text = SPEC.replace("csv a.csv kind", f"{{csv: {{path: {path}, target: kind}}}}")
    assert loads(text).at(tmp_path / "folder").look() == ()


def test_very_many_columns_take_no_more_than_their_number(tmp_path: Path) -> None:
    names = ["kind", *(f"c{i}" for i in range(10_000))]
    with computing(60):
        arrays = read(tmp_path, "\n".join([",".join(names), *(",".join(str(i) for _ in names) for i in range(2))]))
    assert arrays.train.inputs[0].shape == (2, 10_000)


def test_line_breaks_in_names_of_classes_are_escaped(tmp_path: Path) -> None:
    """A class cannot say a line of its own in what check tells."""
    rows = "".join(f'{i % 7},{i * 3 % 5},"{"yes" if i % 2 else "no"}\nname: Other"\n' for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,kind\n{rows}")
    (tmp_path / "s.yaml").write_text("input: 2\nlayers: [fc 2]\ndata: csv t.csv kind\n")
    told = load(tmp_path / "s.yaml").look()
    assert any("no\\nname: Other" in line for line in told)
    assert not any("\n" in line for line in told)


HOLED = "age,city,size,price\n1,Rome,,0.5\n,,2,1.5\n4,Oslo,3,2.5\n1,Rome,4,3.5\n"


def test_each_column_has_its_own_way_with_empty_cells(tmp_path: Path) -> None:
    found = read(tmp_path, HOLED, target="price", missing={"age": "median", "city": "category", "size": -1})
    assert found.train.inputs[0].tolist() == [[1, -1], [1, 2], [4, 3], [1, 4]]
    assert found.train.inputs[1].ravel().tolist() == [3, 1, 2, 3]
    assert "  empty cells of numbers of age, take the median of their column" in found.told
    assert "  empty cells of numbers of size, take -1" in found.told
    assert "line 2: size is empty" in refused(
        tmp_path, HOLED, target="price", missing={"age": "mean", "city": "category"}
    )
    assert "line 3: city is empty" in refused(
        tmp_path, HOLED, target="price", missing={"age": "mean", "size": "value"}, fill=3
    )


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"agge": "median"}, "missing names agge, which is none of the columns that are taken as inputs. Did you mean"),
        ({"price": "median"}, "missing names price, which is none of the columns that are taken as inputs"),
        ({"age": "category"}, "missing names age, a column of numbers: category is for categories"),
        ({"city": "median"}, "missing names city, which holds no numbers: median is none of it. Write category."),
        ({"city": 3}, "missing names city, which holds no numbers"),
    ],
)
def test_ways_that_do_not_fit_their_columns(missing: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, HOLED, target="price", missing=missing)


def test_what_fills_a_column_is_learnt_on_the_training_part_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(HOLED)
    source = section(
        {
            "source": {
                "csv": {
                    "path": "a.csv",
                    "target": "price",
                    "missing": {"age": "mean", "city": "category", "size": "median"},
                }
            }
        }
    ).source
    found = source.fitted(source.read(Files(tmp_path)), {})
    assert found.learnt["columns"]["numbers"] == {"age": 2.0, "size": 3.0}
    (tmp_path / "new.csv").write_text("age,city,size\n,,\n")
    numbers, categories = map(np.asarray, source.samples([tmp_path / "new.csv"], found.learnt))
    assert numbers.tolist() == [[2, 3]]
    assert categories.tolist() == [[1]]


def test_years_of_two_digits_are_refused_unless_they_are_declared(tmp_path: Path) -> None:
    text = table(since=[f"{i % 28 + 1:02d}.05.{(60 + i) % 100:02d}" for i in range(ROWS)])
    said = refused(tmp_path, text, dates="since", date_order="day")
    assert "since is '01.05.60', whose year has two digits" in said
    assert 'date_format: "%d.%m.%y" takes 69 to 99 for 1969 to 1999, and 00 to 68 for 2000 to 2068' in said
    found = read(tmp_path, text, dates="since", date_format="%d.%m.%y", date_parts="year")
    assert found.train.inputs[0][:10, -1].tolist() == [2060 + i if i < 9 else 1969 for i in range(10)]
    assert any("of their years 69 to 99 for 1969" in line for line in found.told)
