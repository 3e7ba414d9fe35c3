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
