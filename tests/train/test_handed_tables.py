"""Tables that people hand in to `predict`: in other encodings, with other columns, on standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from netspec.api.run import Run
from netspec.cli import main
from netspec.errors import DataError
from netspec.runs.predict import predict
from tests.train.test_handed import trained

SPEC = """\
netspec: 1
inputs: {numbers: 2, categories: int 1}
layers: {e: embedding(categories) 4 4, f: flatten, b: concat(numbers f), out: fc 1}
data: {source: {csv: {path: homes.csv, target: price, encoding: cp1252, decimal: comma, id: ref}}}
train: {loss: mse, optimizer: sgd lr=1e-6, epochs: 1, device: cpu}
"""
HEAD = "ref;area;rooms;city;price\n"
CITIES = ("Köln", "Zürich", "Genève")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("homes")
    rows = [f"R{i};{i},5;{i % 4};{CITIES[i % 3]};{3 * i},25\n" for i in range(40)]
    (folder / "homes.csv").write_bytes((HEAD + "".join(rows)).encode("cp1252"))
    return trained(folder, SPEC)


def values(run: Path, file: Path) -> list[float]:
    return [float(value) for value in predict(Run.read(run), [file]).first[:, 0]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_in_another_encoding_means_the_same(run: Path, tmp_path: Path, encoding: str) -> None:
    text = "ref;area;rooms;city\n" + "".join(f"{name};2,5;1;{name}\n" for name in CITIES)
    (tmp_path / "own.csv").write_bytes(text.encode("cp1252"))
    (tmp_path / "other.csv").write_bytes(text.encode(encoding))
    own = values(run, tmp_path / "own.csv")
    assert values(run, tmp_path / "other.csv") == own
    assert len(set(own)) == len(CITIES)


def test_a_text_that_training_did_not_have_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("area;rooms;city\n1,5;2;Bern\n1,5;2;Köln\n1,5;2;Basel\n", "utf-8")
    (told,) = predict(Run.read(run), [tmp_path / "new.csv"]).told
    assert "new.csv, line 2: city is 'Bern', which training did not have" in told
    assert "in 2 of 3 rows" in told


def test_all_columns_that_lack_are_named_at_once(run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("ref;rooms\na;1\n")
    with pytest.raises(DataError, match=r"has no columns 'area', 'city'\. It has: ref, rooms\."):
        predict(Run.read(run), [tmp_path / "new.csv"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1.5;2;Bern", "area is '1.5', expected a finite number. The run reads numbers such as 1234,5."),
        (";2;Bern", "area is empty, expected a finite number. The run has nothing to fill it with."),
        ("1,5;2;", "city is empty, expected a category. The run has nothing to fill it with."),
    ],
)
def test_no_option_is_advised_where_none_can_be_written(run: Path, tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "new.csv").write_text(f"area;rooms;city\n{row}\n")
    with pytest.raises(DataError) as caught:
        predict(Run.read(run), [tmp_path / "new.csv"])
    assert str(caught.value).endswith(words)


def test_a_table_on_standard_input(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "ref\tarea\trooms\tcity\nx\t1,5\t2\tKöln\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(rows.encode())))
    with pytest.raises(SystemExit) as caught:
        main(("predict", str(run), "-"))
    assert caught.value.code == 0
    (tmp_path / "new.csv").write_text(rows, "utf-8")
    assert capsys.readouterr().out == f"x: {values(run, tmp_path / 'new.csv')[0]:.4g}\n"


def test_a_table_is_of_the_form_that_its_file_has(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.csv").write_text("ref;area;rooms;city\nx;1,5;2;Köln\n", "utf-8")
    row = '{"ref": "x", "area": 1.5, "rooms": 2, "city": "Köln"}'  # the decimal sign of a table is none of JSON
    (tmp_path / "new.jsonl").write_text(row, "utf-8")
    (tmp_path / "new.JSON").write_text(f"[{row}]", "utf-8")
    wanted = values(run, tmp_path / "new.csv")
    assert values(run, tmp_path / "new.jsonl") == wanted == values(run, tmp_path / "new.JSON")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(row.encode())))
    with pytest.raises(SystemExit) as caught:
        main(("predict", str(run), "-"))
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"x: {wanted[0]:.4g}\n"


UNITS = """\
netspec: 1
input: 2
layers: [fc 1]
data: {source: {csv: {path: rates.csv, target: y, signs: [percent, currency]}}, transform: standardize}
train: {loss: mse, optimizer: sgd lr=1e-3, epochs: 1, device: cpu}
"""


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a column of percent and one of money."""
    folder = tmp_path_factory.mktemp("units")
    rows = "".join(f"{3 + i}%,${100 * i + 7},{i}.5\n" for i in range(40))
    (folder / "rates.csv").write_text(f"rate,price,y\n{rows}")
    return trained(folder, UNITS)


@pytest.mark.parametrize("row", ["0.05,$300", "5,$300", "5 kg,$300", '"0,05",$300', "5%,€300"])
def test_numbers_without_their_unit_or_in_another_are_refused(units: Path, tmp_path: Path, row: str) -> None:
    (tmp_path / "new.csv").write_text(f"rate,price\n6%,$200\n{row}\n", "utf-8")
    with pytest.raises(DataError, match=r"new.csv, line 3: (rate|price) is .* stand with [%$] beside them"):
        predict(Run.read(units), [tmp_path / "new.csv"])


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("5%,$300", ()),
        ("0%,$0", ()),
        ("5%,300", ("new.csv, line 2: price is '300', which is taken as $",)),
        ("0.05%,$300", ("numbers of rate are as large as 0.05, in training as 3 to 42",)),
        ("5%,$30000", ("numbers of price are as large as 3e+04",)),
    ],
)
def test_columns_on_another_scale_are_told(units: Path, tmp_path: Path, row: str, told: tuple[str, ...]) -> None:
    (tmp_path / "new.csv").write_text(f"rate,price\n{row}\n")
    found = predict(Run.read(units), [tmp_path / "new.csv"]).told
    assert len(found) == len(told)
    assert all(text in line for text, line in zip(told, found, strict=True))


def test_a_measured_table_has_the_units_of_training(units: Path, tmp_path: Path) -> None:
    rates = units.parent / "plain.csv"
    rates.write_text((units.parent / "rates.csv").read_text().replace("%", ""))
    with pytest.raises(DataError, match=r"plain.csv, line 2: rate is '3', .* stand with % beside them"):
        Run.read(units, ["data.source.csv.path=plain.csv"]).evaluate()
