"""What people hand in to `predict`: values on other scales, own photos, tables without a target, texts."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netspec
from netspec.api.run import Run
from netspec.cli import main
from netspec.cli import predict as cli
from netspec.datasets.files import Budget
from netspec.datasets.rows import FileRows
from netspec.errors import DataError
from netspec.runs.answers import FORMATS, records, table
from netspec.runs.prediction import Prediction

TRAIN = "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
GREY = "netspec: 1\ninput: 1x8x8\nlayers: [fc 3]\n"


def ended(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(tuple(map(str, arguments)))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def trained(folder: Path, spec: str) -> Path:
    """A run of a spec, beside its data."""
    (folder / "spec.yaml").write_text(spec)
    netspec.load(folder / "spec.yaml").train(folder / "run")
    return folder / "run"


def points(high: float, *shape: int, low: float = 0) -> Any:
    return np.random.default_rng(len(shape)).uniform(low, high, shape)


def over(folder: Path, x: Any, layers: str = GREY) -> Path:
    """A run over such inputs in three classes."""
    np.savez(folder / "data.npz", x=x, y=np.arange(len(x)) % 3)
    return trained(folder, f"{layers}data: npz data.npz\n{TRAIN}")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(
        tmp_path_factory.mktemp("digits"),
        f"netspec: 1\ninput: 1x8x8\nlayers: [fc 10]\ndata: {{source: digits, transform: standardize}}\n{TRAIN}",
    )


def asked(run: Path, x: Any, **options: bool) -> Prediction:
    np.save(run.parent / "new.npy", x)
    return Run.read(run).predict(run.parent / "new.npy", **options)


# --- the scale of values --------------------------------------------------------------------------


def test_scales_that_are_sure_are_converted_and_told(digits: Path) -> None:
    own = np.random.default_rng(0).integers(0, 17, (6, 1, 8, 8), dtype=np.uint8)
    right = asked(digits, own)
    assert right.told == ()
    assert np.allclose(asked(digits, own / 16).first, right.first, atol=1e-6)  # the floats that bytes become
    for same in (own.astype(np.float64), own.astype(np.int64)):
        found = asked(digits, same)
        assert np.allclose(found.first, right.first, atol=1e-6)
        assert "values from 0 to 16 are taken as 0 to 16, which the run's data has as bytes" in found.told[0]
    bright = (own.astype(int) * 255 // 16).astype(np.uint8)
    for full in (bright, bright.astype(np.float32), bright.astype(np.int32)):
        found = asked(digits, full)
        assert np.allclose(found.first, right.first, atol=0.1)
        assert (found.first.argmax(1) == right.first.argmax(1)).all()
        assert "values from 0 to 255 are taken as 0 to 255" in found.told[0]
    assert not np.allclose(asked(digits, bright, as_is=True).first, right.first, atol=0.1)


@pytest.mark.parametrize(
    ("own", "new", "right"),
    [
        ((points(1, 30, 1, 8, 8)), (points(256, 4, 1, 8, 8).astype(np.uint8)), lambda x: x / 255),
        ((points(256, 30, 1, 8, 8) // 1), (points(256, 4, 1, 8, 8).astype(np.uint8)), lambda x: x.astype(float)),
        ((points(1, 30, 1, 8, 8)), (points(2, 4, 1, 8, 8).astype(np.uint8)), lambda x: x.astype(float)),
        ((points(256, 30, 1, 8, 8).astype(np.uint8)), (points(255, 4, 1, 8, 8)), lambda x: x / 255),
        ((points(256, 30, 1, 8, 8).astype(np.uint8)), (points(256, 4, 1, 8, 8) // 1), lambda x: x.astype(np.uint8)),
    ],
    ids=["bytes for 0..1", "bytes for 0..255", "0 and 1 as bytes", "floats for bytes", "whole floats for bytes"],
)
def test_bytes_and_floats_meet(tmp_path: Path, own: Any, new: Any, right: Any) -> None:
    run = over(tmp_path, own)
    found = asked(run, new)
    assert "are taken as" in found.told[0]
    assert np.allclose(found.first, asked(run, right(new), as_is=True).first, atol=1e-5)


@pytest.mark.parametrize(
    ("own", "new", "advice"),
    [
        (points(17, 30, 1, 8, 8).astype(np.uint8), points(256, 4, 1, 8, 8).astype(np.uint8), "save x / 255 * 16"),
        (points(255, 30, 1, 8, 8).astype(np.float32), points(1, 4, 1, 8, 8), "save x * 255"),
        (points(1, 30, 1, 8, 8), points(255, 4, 1, 8, 8), "save x / 255."),
        (points(1, 30, 64), points(255, 4, 64), "save x / 255."),
        (points(16, 30, 1, 8, 8), points(255, 4, 1, 8, 8).astype(np.uint8), "save x / 255 * 16"),
    ],
    ids=["bytes of 0..16", "0..1 for floats of 0..255", "0..255 for 0..1", "flat", "bytes for floats of 0..16"],
)
def test_what_is_likely_wrong_is_refused_and_the_advice_helps(tmp_path: Path, own: Any, new: Any, advice: str) -> None:
    layers = GREY if own.ndim == 4 else GREY.replace("1x8x8", "64")
    run = over(tmp_path, own, layers)
    with pytest.raises(DataError, match="those that the run was trained on from") as caught:
        asked(run, new)
    assert advice in str(caught.value)
    divided, full = "/ 255" in advice, float(own.max()) if own.dtype == np.uint8 or own.max() > 1.5 else 1.0
    advised = new.astype(float) / (255 if divided else 1) * (255 if full > 200 else full)
    assert np.isfinite(asked(run, advised).first).all()
    assert np.isfinite(asked(run, new, as_is=True).first).all()


def test_values_that_were_normalised_are_refused_where_the_run_does_that(tmp_path: Path) -> None:
    (tmp_path / "bytes").mkdir()
    (tmp_path / "normal").mkdir()
    normal = np.random.default_rng(0).normal(size=(30, 1, 8, 8))
    raw = over(tmp_path / "bytes", points(256, 30, 1, 8, 8).astype(np.uint8))
    with pytest.raises(DataError, match="before they were normalised"):
        asked(raw, normal)
    run = over(tmp_path / "normal", normal)
    assert asked(run, normal[:1] * 2).told == ()
    assert "no value is below 0" in asked(run, points(1, 4, 1, 8, 8)).told[0]
    with pytest.raises(DataError, match=r"\(x - mean\) / std"):
        asked(run, points(256, 4, 1, 8, 8).astype(np.uint8))


def test_no_false_alarms(digits: Path, tmp_path: Path) -> None:
    """Dark and empty images, and rows of a table that lie outside of what the training part had."""
    assert asked(digits, np.zeros((2, 1, 8, 8), np.uint8)).told == ()
    assert asked(digits, np.zeros((2, 1, 8, 8))).told == ()
    own = np.zeros((1, 1, 8, 8), np.uint8)
    own[0, 0, 3, 3] = 2
    assert asked(digits, own).told == ()
    table = np.random.default_rng(0).lognormal(0, 2, (60, 3))
    run = over(tmp_path, table, GREY.replace("1x8x8", "3"))
    assert asked(run, table[:1] * 3).told == ()
    assert "Are they on the same scale?" in asked(run, table * 1000).told[0]


def test_numbers_that_an_embedding_does_not_know(tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(0, 20, (30, 5))
    run = over(tmp_path, tokens, "netspec: 1\ninput: int 5\nlayers: [embedding 20 4, flatten, fc 3]\n")
    assert asked(run, tokens[:2].astype(np.uint8)).first.shape == (2, 3)
    with pytest.raises(DataError, match=r"new\.npy: .* for 0 to 19, the file holds .* to 20, first in row 1"):
        asked(run, np.vstack([tokens[:1], np.full((2, 5), 20)]))


# --- photos ---------------------------------------------------------------------------------------


def test_arrays_that_are_larger_than_memory_stay_in_their_files(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = points(16, 9, 1, 8, 8).astype(np.uint8)
    whole = asked(digits, x).first
    read: list[int] = []
    fill = FileRows.read

    def counted(self: FileRows, rows: Any) -> Any:
        read.append(len(rows))
        return fill(self, rows)

    monkeypatch.setattr(FileRows, "read", counted)
    monkeypatch.setattr("netspec.runtime.data.handed.Budget", lambda: Budget(100))
    monkeypatch.setattr("netspec.runs.predict.batch_size", lambda samples, least: 2)
    assert np.allclose(asked(digits, x).first, whole)
    assert read[-5:] == [2, 2, 2, 2, 1]


def photo(path: Path, seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "L") -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(found).convert(mode).save(path)
    return np.asarray(Image.open(path))


def idx(path: Path, x: Any) -> None:
    path.write_bytes(bytes([0, 0, 8, x.ndim]) + struct.pack(f">{x.ndim}I", *x.shape) + x.tobytes())


def test_photos_for_every_source_of_images(tmp_path: Path) -> None:
    """They give what an array of their points gives, whatever the form in which the run's data has its images."""
    pixels = np.stack([photo(tmp_path / "own" / f"{i}.png", i) for i in range(3)])
    own = np.random.default_rng(1).integers(0, 256, (30, 8, 8), dtype=np.uint8)
    forms: dict[str, tuple[str, str, Any]] = {
        "planes": (GREY, "npz data.npz", lambda x: x[:, None]),
        "rows": (GREY, "{source: npz data.npz, transform: reshape 1x8x8}", lambda x: x.reshape(len(x), 64)),
        "flat": (GREY.replace("1x8x8", "64"), "npz data.npz", lambda x: x.reshape(len(x), 64)),
        "last": (GREY, "{source: npz data.npz, transform: channels_first}", lambda x: x[..., None]),
        "bare": (GREY.replace("1x8x8", "8x8"), "npz data.npz", lambda x: x),
        "idx": (GREY, "idx x.idx y.idx", lambda x: x[:, None]),
        "csv": (GREY.replace("1x8x8", "64"), "csv data.csv label", lambda x: x.reshape(len(x), 64).astype(float)),
    }
    for name, (layers, source, form) in forms.items():
        folder = tmp_path / name
        folder.mkdir()
        np.savez(folder / "data.npz", x=form(own), y=np.arange(30) % 3)
        idx(folder / "x.idx", own)
        idx(folder / "y.idx", (np.arange(30) % 3).astype(np.uint8))
        rows = [[f"p{i}" for i in range(64)] + ["label"], *([*x.ravel(), i % 3] for i, x in enumerate(own))]
        (folder / "data.csv").write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        run = trained(folder, f"{layers}data: {source}\n{TRAIN}")
        found = Run.read(run).predict(tmp_path / "own")
        assert np.allclose(found.first, asked(run, form(pixels)).first, atol=1e-5), name
        assert found.files == tuple(str(tmp_path / "own" / f"{i}.png") for i in range(3))
        assert "images are taken in grey, 8 x 8 points" in found.told[0]


def test_photos_of_any_size_and_colour_are_brought_to_those_of_the_run(digits: Path, tmp_path: Path) -> None:
    photo(tmp_path / "wide.jpg", 3, (40, 64), "RGB")
    grey = np.asarray(Image.open(tmp_path / "wide.jpg").convert("L").resize((8, 8), Image.Resampling.BILINEAR))
    found = Run.read(digits).predict(tmp_path / "wide.jpg")
    assert any("0 to 255" in line for line in found.told)
    near = asked(digits, grey[None, None].astype(np.uint8)).first
    assert np.abs(found.first - near).max() < 0.1
    (tmp_path / "colours").mkdir()
    own = np.random.default_rng(1).integers(0, 256, (30, 3, 8, 8), dtype=np.uint8)
    run = over(tmp_path / "colours", own, GREY.replace("1x8x8", "3x8x8"))
    pixels = photo(tmp_path / "a.png", 5, mode="L")
    found = Run.read(run).predict(tmp_path / "a.png")
    assert np.allclose(found.first, asked(run, np.stack([pixels] * 3)[None]).first, atol=1e-6)
    assert "in colours, 8 x 8" in found.told[0]


def test_photos_of_another_size_for_a_run_over_folders(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        for i in range(6):
            photo(tmp_path / "photos" / name / f"{i}.png", i, mode="RGB")
    run = trained(tmp_path, f"netspec: 1\ninput: 3x8x8\nlayers: [fc 2]\ndata: images photos\n{TRAIN}")
    photo(tmp_path / "new" / "a.png", 1, (20, 30), "RGB")
    photo(tmp_path / "new" / "b.png", 1, (9, 9), "RGB")
    found = Run.read(run).predict(tmp_path / "new")
    assert found.first.shape == (2, 2)
    assert found.told == ("images are brought to 8 x 8 points, the size of the run's own",)


def test_photos_that_cannot_be_what_a_run_takes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = over(tmp_path, np.random.default_rng(0).normal(size=(30, 3)), GREY.replace("1x8x8", "3"))
    photo(tmp_path / "a.png")
    assert ended("predict", run, tmp_path / "a.png") == 4
    assert "the run takes 3 a sample, which is no image" in capfd.readouterr().err


def test_light_and_dark_that_are_swapped_are_told(digits: Path, tmp_path: Path) -> None:
    """The digits are light on dark."""
    ink = np.full((20, 20), 255, np.uint8)
    ink[5:15, 9:11] = 0
    for name, drawn in (("paper.png", ink), ("board.png", 255 - ink)):
        Image.fromarray(drawn).save(tmp_path / name)
    paper, board = (Run.read(digits).predict(tmp_path / name).told for name in ("paper.png", "board.png"))
    assert any("are light and dark swapped?" in line for line in paper)
    assert not any("swapped" in line for line in board)


def test_a_bad_photo_is_named(digits: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    assert ended("predict", digits, tmp_path / "a.png", tmp_path / "b.png") == 4
    assert "b.png (image 1)" in capfd.readouterr().err


# --- tables and texts -----------------------------------------------------------------------------

TABLE = "id,size,colour,price,label\n" + "".join(
    f"n{i},{i % 7},{('red', 'blue')[i % 2]},{i},{('no', 'yes')[i % 3 == 0]}\n" for i in range(40)
)
MIXED = (
    "netspec: 1\ninputs: {numbers: 2, categories: int 1}\n"
    "layers:\n  e: embedding(categories) 5 2\n  f: flatten\n  both: concat(numbers f)\n  out: linear 2\n"
    f"data: {{source: {{csv: {{path: data.csv, target: label, numbers: [size, price], categories: colour}}}}}}\n{TRAIN}"
)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "data.csv").write_text(TABLE)
    return trained(folder, MIXED)


def test_tables_in_another_order_without_the_target(mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("size,colour,price\n1,red,3\n2,green,5\n")
    (tmp_path / "b.csv").write_text("price,note,colour,size\n3,x,red,1\n5,y,green,2\n")
    (tmp_path / "c.csv").write_text("price,colour\n3,red\n")
    run = Run.read(mixed)
    plain, turned = run.predict(tmp_path / "a.csv"), run.predict(tmp_path / "b.csv")
    assert np.array_equal(plain.first, turned.first)
    assert ["colour is 'green'" in line for line in plain.told] == [True]
    assert "b.csv: note left aside" in turned.told[0]
    with pytest.raises(DataError, match=r"c\.csv has no column 'size'"):
        run.predict(tmp_path / "c.csv")


def test_lines_of_text_for_a_run_over_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "book.txt").write_text("the cat sat on the mat. " * 40)
    run = trained(
        tmp_path,
        "netspec: 1\ninput: int T\nlayers: [embedding 16 8, linear 11]\ndata: text book.txt 12\n"
        "train: {loss: cross_entropy axis=-1, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n",
    )
    (tmp_path / "new.txt").write_text("the cat sat\non the mat.\n")
    held = Run.read(run)
    found = held.predict(tmp_path / "new.txt")
    assert found.first.shape == (2, 11, len(found.classes or ()))  # as the network has it: places, then classes
    assert np.allclose(found.first.sum(-1), 1, atol=1e-5)
    assert np.array_equal(held.predict("the cat sat").first, found.first[:1])
    assert ended("predict", run, tmp_path / "new.txt", "--json") == 0
    listed = json.loads(capfd.readouterr().out)
    assert listed[1]["line"].endswith("new.txt, line 2")
    assert len(listed[0]["class"]) == 11
    place = [shares[4] for shares in listed[0]["probabilities"].values()]
    assert np.allclose(place, found.first[0, 4])
    assert listed[0]["class"][4] == list(listed[0]["probabilities"])[int(np.argmax(place))]
    assert ended("predict", run, tmp_path / "new.txt") == 0
    assert capfd.readouterr().out.splitlines()[0].endswith("new.txt, line 1: " + " ".join(listed[0]["class"]))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the cat sat\non the mat.\n")))
    assert ended("predict", run, "-", "-o", tmp_path / "out.npy") == 0
    assert np.array_equal(np.load(tmp_path / "out.npy"), found.first)
    with pytest.raises(DataError, match=r"line 1: 'z' does not occur"):
        held.predict("zzz zzz")
    (tmp_path / "uneven.txt").write_text("the cat\nthe\n")
    with pytest.raises(DataError, match=r"uneven\.txt, line 2 has 3 tokens, expected 7"):
        held.predict(tmp_path / "uneven.txt")
    with pytest.raises(DataError, match="not a file"):
        held.predict(tmp_path / "nowhere.txt")


# --- what is given back ---------------------------------------------------------------------------


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_csv_and_json_name_each_sample(digits: Path, mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(TABLE)
    assert ended("predict", mixed, tmp_path / "new.csv", "-o", tmp_path / "out.csv") == 0
    found, given = Run.read(mixed).predict(tmp_path / "new.csv"), rows(tmp_path / "out.csv")
    assert list(given[0]) == ["row", "class", "no", "yes"]
    assert [int(row["row"]) for row in given] == list(range(40))
    assert np.array_equal([[float(row[name]) for name in ("no", "yes")] for row in given], found.first)
    assert [row["class"] for row in given] == [("no", "yes")[i] for i in found.first.argmax(1)]
    for i in range(3):
        photo(tmp_path / "own" / f"{i}.png", i)
    for name in ("out.csv", "out.json", "OUT.CSV"):
        assert ended("predict", digits, tmp_path / "own", "-o", tmp_path / name) == 0
    given, listed = rows(tmp_path / "out.csv"), json.loads((tmp_path / "out.json").read_text())
    assert (
        [row["file"] for row in given]
        == [one["file"] for one in listed]
        == [str(tmp_path / "own" / f"{i}.png") for i in range(3)]
    )
    assert [row["class"] for row in given] == [one["class"] for one in listed]
    assert given[0]["7"] == str(listed[0]["probabilities"]["7"])


def test_values_in_a_csv_are_called_by_the_target(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(TABLE)
    run = trained(
        tmp_path,
        "netspec: 1\ninput: 1\nlayers: [linear 1]\n"
        "data: {source: {csv: {path: data.csv, target: price, numbers: size, regression: true}}}\n"
        "train: {loss: mse, optimizer: sgd lr=0.001, epochs: 1, device: cpu}\n",
    )
    assert ended("predict", run, tmp_path / "data.csv", "-o", tmp_path / "out.csv") == 0
    (row, *_), listed = rows(tmp_path / "out.csv"), tmp_path / "out.json"
    assert list(row) == ["row", "price"]
    assert ended("predict", run, tmp_path / "data.csv", "-o", listed) == 0
    assert json.loads(listed.read_text())[0] == {"row": 0, "price": pytest.approx(float(row["price"]))}


def test_names_that_meet_stay_apart() -> None:
    found = Prediction({"out": np.array([[0.75, 0.25]])}, ("class", "file"), {"file": ("a.png",)})
    assert list(table(found)) == [
        ["file", "class", "probability of class", "probability of file"],
        ["a.png", "class", 0.75, 0.25],
    ]
    values = Prediction({"row": np.array([[0.5]])}, None)
    assert list(table(values)) == [["row_", "row"], [0, 0.5]]
    assert records(values) == [{"row_": 0, "row": [0.5]}]


@pytest.mark.parametrize("name", ["out.xlsx", "out.txt", "out", "out.csv.gz"])
def test_a_name_of_no_format_is_refused_before_anything_runs(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Even the run is not looked at."""
    assert tuple(FORMATS) == cli.FORMATS
    assert ended("predict", tmp_path / "nowhere", "x.npy", "-o", tmp_path / name) == 2
    assert "is not called .csv or .json or .npy or .npz" in capfd.readouterr().err


def test_maps_of_classes_keep_their_axes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Scores of B x classes x places stay so, and no table is written of them."""
    x = points(1, 30, 2, 5)
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(150).reshape(30, 5) % 3)
    run = trained(tmp_path, f"netspec: 1\ninput: 2x5\nlayers: [conv1d 3 k1]\ndata: npz data.npz\n{TRAIN}")
    found = asked(run, x[:4])
    assert found.first.shape == (4, 3, 5)
    assert np.allclose(found.first.sum(1), 1, atol=1e-5)
    assert ended("predict", run, tmp_path / "new.npy", "-o", tmp_path / "out.json") == 0
    listed = json.loads((tmp_path / "out.json").read_text())
    assert listed[0]["class"] == [str(i) for i in found.first[0].argmax(0)]
    assert ended("predict", run, tmp_path / "new.npy", "-o", tmp_path / "out.csv") == 2
    assert "no row of a table can hold: name a .json, .npy or .npz file" in capfd.readouterr().err
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("own", "channels", "step", "advice"),
    [
        ((6, 3, 9, 12), (9, 12, 3), "", "x.transpose(0, 3, 1, 2)"),
        ((6, 9, 12, 3), (3, 9, 12), "channels_first", "x.transpose(0, 2, 3, 1)"),
        ((6, 1, 9, 12), (9, 12), "", "x[:, None]"),
        ((6, 9, 12), (1, 9, 12), "", "x.squeeze(1)"),
        ((6, 9, 12), (9, 12, 1), "", "x.squeeze(-1)"),
    ],
)
def test_arrays_with_other_axes_are_told_what_to_save(
    own: tuple[int, ...], channels: tuple[int, ...], step: str, advice: str, tmp_path: Path
) -> None:
    data = points(1, *own)
    np.savez(tmp_path / "data.npz", x=data, y=np.arange(len(data)) % 3)
    taken = "9x12" if len(own) == 3 else f"{3 if 3 in own else 1}x9x12"
    spec = f"netspec: 1\ninput: {taken}\nlayers: [flatten, fc 3]\n"
    run = Run.read(trained(tmp_path, f"{spec}data: {{source: npz data.npz, transform: [{step}]}}\n{TRAIN}"))
    x = points(1, 4, *channels)
    np.save(tmp_path / "new.npy", x)
    with pytest.raises(DataError, match=re.escape(f"Save {advice}, which fits.")):
        run.predict(tmp_path / "new.npy")
    np.save(tmp_path / "new.npy", eval(advice, {"x": x}))
    assert len(run.predict(tmp_path / "new.npy").first) == 4


@pytest.mark.parametrize(
    ("shape", "advice"), [((9, 12, 3), "x.transpose(2, 0, 1)[None]"), ((3, 9, 12), "x[None]"), ((9, 12), "")]
)
def test_one_sample_without_an_axis_for_more_is_told_what_to_save(
    shape: tuple[int, ...], advice: str, tmp_path: Path
) -> None:
    run = Run.read(over(tmp_path, points(1, 6, 3, 9, 12), GREY.replace("1x8x8", "3x9x12")))
    np.save(tmp_path / "new.npy", points(1, *shape))
    words = f"Save {advice}, which fits." if advice else "The first axis of a file's array counts the samples."
    with pytest.raises(DataError, match=re.escape(words)):
        run.predict(tmp_path / "new.npy")


def test_what_is_no_number_is_not_given_back(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = over(tmp_path, np.random.default_rng(0).normal(size=(30, 3)), "netspec: 1\ninput: 3\nlayers: [exp, fc 3]\n")
    np.save(tmp_path / "new.npy", np.array([[0, 0, 0], [0, 200, 0]], "float32"))
    assert ended("predict", run, tmp_path / "new.npy") == 4
    assert "is not finite for row 1, one of 1 such samples" in capfd.readouterr().err


def test_images_of_other_bits_are_refused_or_told(tmp_path: Path) -> None:
    """A run over images of 16 bits, asked about others that are stored in 16 bits and use fewer."""
    for name in ("a", "b"):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for i in range(6):
            own = np.random.default_rng(i).integers(2**14, 2**16, (8, 8)).astype(np.uint16)
            own[0, 0] = 2**16 - 1
            Image.fromarray(own).save(tmp_path / "scans" / name / f"{i}.png")
    run = trained(tmp_path, GREY.replace("fc 3", "fc 2") + SCANS)
    for bits in (10, 12):
        Image.fromarray((own >> (16 - bits)).astype(np.uint16)).save(tmp_path / f"{bits}.png")
        with pytest.raises(DataError, match="the run was trained on from"):
            Run.read(run).predict(tmp_path / f"{bits}.png")
    Image.fromarray((own >> 2).astype(np.uint16)).save(tmp_path / "14.png")
    (told,) = Run.read(run).predict(tmp_path / "14.png").told
    assert "go up to 0.25 of white, those of training to 1: are both of as many bits?" in told
    Image.fromarray((own >> 8).astype(np.uint8)).save(tmp_path / "8.png")
    (told,) = Run.read(run).predict(tmp_path / "8.png").told
    assert "are taken as 0.0 to 1.0" in told
    Image.fromarray(own).save(tmp_path / "16.png")
    assert Run.read(run).predict(tmp_path / "16.png").told == ()


SCANS = """\
data: {source: {images: {path: scans, grey: true}}}
train: {loss: cross_entropy, optimizer: sgd lr=0.01, epochs: 1, device: cpu}
"""
