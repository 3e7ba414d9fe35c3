"""`eval` on other data than that of training: what may be on another scale is told, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.api.run import Run
from netspec.cli import main
from tests.train.test_handed import GREY, TRAIN, over, trained

ROWS = 40
TABLE = "input: 2\nlayers: [fc 1]\ndata: csv homes.csv price\n" + TRAIN.replace("cross_entropy", "mse")


def homes(path: Path, metres: float = 1, count: int = ROWS) -> None:
    draw = np.random.RandomState(1).rand(count, 2) * [100, 4] + [40, 1]
    lines = [f"{area * metres:.4f},{rooms:.2f},{area + rooms:.3f}" for area, rooms in draw]
    path.write_text("\n".join(["area,rooms,price", *lines, ""]))


def told(run: Path, capsys: pytest.CaptureFixture[str], *overrides: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["eval", str(run), *overrides, "--allow-outside"])
    assert ended.value.code == 0
    return capsys.readouterr().err


@pytest.mark.parametrize("factor", [10.76, 0.0001, 1000])
def test_numbers_of_a_table_on_another_scale_are_told(
    factor: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    homes(tmp_path / "homes.csv")
    run = trained(tmp_path, TABLE)
    assert told(run, capsys) == ""
    homes(tmp_path / "other.csv", factor)
    said = told(run, capsys, "data=csv other.csv price")
    assert said.count("numbers of area are as large as") == 1
    assert "in training as 4" in said
    assert "rooms" not in said


def test_a_few_rows_of_the_same_kind_are_not_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    homes(tmp_path / "homes.csv")
    run = trained(tmp_path, TABLE)
    homes(tmp_path / "other.csv", count=5)
    assert told(run, capsys, "data=csv other.csv price") == ""


IMAGES = np.random.RandomState(0).randint(0, 17, (30, 1, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize(
    ("own", "other", "words"),
    [
        (IMAGES, IMAGES * 15, "go from 0 to 240, those that the run was trained on from 0 to 16, of which 255 is 1.0"),
        (IMAGES / 16, IMAGES / 16 * 255, "go from 0 to 255, those that the run was trained on from 0 to 1"),
        (IMAGES / 16, IMAGES * 15, ""),
        (IMAGES / 16 * 255, IMAGES * 15, "go from 0 to 240, those that the run was trained on from 0 to 255"),
        (IMAGES * 15, IMAGES / 16 * 255, "trained on from 0 to 240, of which 255 is 1.0. Are they on the same scale?"),
        (IMAGES.astype(np.int64), IMAGES.astype(np.int64), ""),
    ],
)
def test_arrays_on_another_scale_are_told(
    own: np.ndarray[Any, Any], other: Any, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens = GREY.replace("input: ", "input: int ").replace("[fc", "[embedding 20 2, fc")
    run = over(tmp_path, own, tokens if own.dtype == np.int64 else GREY)
    assert told(run, capsys) == ""
    np.savez(tmp_path / "other.npz", x=other, y=np.arange(len(other)) % 3)
    said = told(run, capsys, "data=npz other.npz")
    assert words in said
    assert bool(said) == bool(words)


def test_python_is_told_by_what_it_gives(tmp_path: Path) -> None:
    run, lines = over(tmp_path, IMAGES / 16), list[str]()
    np.savez(tmp_path / "other.npz", x=IMAGES / 16 * 255, y=np.arange(30) % 3)
    found = Run.read(run, ["data=npz other.npz"]).evaluate(allow_outside=True, tell=lines.append)
    assert len(lines) == 1
    assert "loss" in found
