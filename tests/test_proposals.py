"""`netspec init --data` says what it saw of data, and writes a spec that fits it and learns."""

from __future__ import annotations

import csv
import io
import json
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import netspec
from netspec.cli import main
from netspec.errors import DataError
from tests.cli.test_commands import run

RANDOM = np.random.default_rng(0)


def table(path: Path, header: list[str], rows: Sequence[Sequence[object]], separator: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerows([header, *rows])


def churn(folder: Path) -> list[str]:
    """Numbers and categories, and two classes with names."""
    draw = random.Random(0)
    drawn = [(draw.randint(18, 80), draw.choice("abc"), draw.randint(0, 30)) for _ in range(300)]
    rows = [[age, plan, calls, "yes" if calls > 15 and plan != "a" else "no"] for age, plan, calls in drawn]
    table(folder / "churn.csv", ["age", "plan", "calls", "gone"], rows)
    return ["--data", "churn.csv", "--target", "gone"]


def houses(folder: Path) -> list[str]:
    """A large number to be learnt, empty cells, columns that say nothing, semicolons, and names with blanks."""
    draw, rows = random.Random(0), []
    for i in range(200):
        area, rooms, town = draw.uniform(30, 200), draw.randint(1, 6), draw.choice(["Ulm", "Köln", "Bad Tölz"])
        price = round(3000 * area + 20000 * rooms + 50000 * (town == "Ulm"))
        shown = [round(area, 1), rooms if i % 17 else "NA", town if i % 23 else "", price]
        rows.append(
            [i + 1, *shown, f"2020-01-{1 + i % 28:02d}", f"note {i}", "EUR", f"{i},{i:03d}" if i % 3 == 0 else i]
        )
    header = ["id", "living area", "rooms", "town: of birth", "price", "sold on", "note", "currency", "taxes"]
    table(folder / "house prices.csv", header, rows, ";")
    return ["--data", "house prices.csv", "--target", "price"]


def categories(folder: Path) -> list[str]:
    """Categories alone, and a target that is found by its name."""
    draw = random.Random(0)
    drawn = [(draw.choice("abcd"), draw.choice("xyz")) for _ in range(200)]
    table(folder / "letters.csv", ["one", "other", "label"], [[a, b, int(a in "ab")] for a, b in drawn])
    return ["--data", "letters.csv"]


def parquet(folder: Path) -> list[str]:
    arrow = pytest.importorskip("pyarrow")
    x = RANDOM.normal(size=200)
    columns = {
        "x": x,
        "name": [f"n{i % 3}" for i in range(200)],
        "target": ["up" if each > 0 else "down" for each in x],
    }
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table(columns), folder / "t.parquet")
    return ["--data", "t.parquet"]


def photos(folder: Path) -> list[str]:
    """Class folders with blanks in their names, images of different sizes."""
    for name, colour in {"red": (200, 30, 30), "green": (30, 200, 30), "blue sky": (30, 30, 200)}.items():
        (folder / "my photos" / name).mkdir(parents=True)
        for i in range(12):
            height, width = RANDOM.integers(30, 60, 2)
            pixels = np.array(colour) + RANDOM.normal(0, 20, (height, width, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "my photos" / name / f"{i}.png")
    return ["--data", "my photos"]


def grey_parts(folder: Path) -> list[str]:
    """Folders for the parts, images in grey of one size that is no square."""
    for part in ("train", "val"):
        for label in range(2):
            place = folder / "digits" / part / str(label)
            place.mkdir(parents=True)
            for i in range(10):
                pixels = RANDOM.integers(0, 60, (20, 12))
                pixels[:, 4:8] += 150 * label
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{i}.png")
    return ["--data", "digits"]


def euros(folder: Path) -> list[str]:
    """Numbers as they are written in much of Europe, in a file that is no UTF-8."""
    draw, rows = random.Random(0), []
    for _ in range(200):
        size, rate = draw.uniform(1000, 9000), draw.uniform(0, 60)
        price = f"{3 * size + 100 * rate:,.2f}".translate(str.maketrans(",.", ".,"))
        rows.append([f"{size:.2f}".replace(".", ","), f"{rate:.1f}%".replace(".", ","), f"{price} \u20ac"])
    with (folder / "euros.csv").open("w", newline="", encoding="cp1252") as stream:
        csv.writer(stream, delimiter=";").writerows([["Größe", "rate", "price"], *rows])
    return ["--data", "euros.csv", "--target", "price"]


def reviews(folder: Path) -> list[str]:
    """Free text, and an id that says nothing."""
    draw, rows = random.Random(0), []
    for i in range(240):
        said = draw.choice(["good", "bad"])
        words = [
            draw.choice(["the", "a", "film", "was", "very", "and", "plot", "of"]) for _ in range(draw.randint(5, 12))
        ]
        words.insert(draw.randrange(5), said)
        rows.append([1000 + 7 * i, " ".join(words), "pos" if said == "good" else "neg"])
    table(folder / "reviews.csv", ["ReviewId", "words", "label"], rows)
    return ["--data", "reviews.csv"]


def tickets(folder: Path) -> list[str]:
    """Text beside numbers and categories."""
    draw, rows = random.Random(1), []
    for _ in range(240):
        hot, size, where = draw.choice(["urgent", "later"]), draw.randint(1, 9), draw.choice("ab")
        text = " ".join([draw.choice(["we", "see", "that", "it", "is", "on"]) for _ in range(6)] + [hot])
        rows.append([text, size, where, "yes" if hot == "urgent" and size > 2 else "no"])
    table(folder / "tickets.csv", ["body", "size", "where", "label"], rows)
    return ["--data", "tickets.csv"]


def masks(folder: Path) -> list[str]:
    """Images and their masks in two folders: bright squares, 255 in the mask."""
    for name in ("images", "masks"):
        (folder / "cells" / name).mkdir(parents=True)
    for i in range(40):
        pixels, mask = RANDOM.integers(0, 90, (20, 20, 3)), np.zeros((20, 20))
        top, left = RANDOM.integers(0, 12, 2)
        pixels[top : top + 8, left : left + 8] += 150
        mask[top : top + 8, left : left + 8] = 255
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "cells" / "images" / f"{i}.png")
        Image.fromarray(mask.astype(np.uint8)).save(folder / "cells" / "masks" / f"{i}.png")
    return ["--data", "cells"]


def vectors(folder: Path) -> list[str]:
    x = RANDOM.normal(size=(200, 5)).astype(np.float32) * 100
    np.savez(folder / "v.npz", x=x, y=(x[:, 0] > 0).astype(np.int64), names=np.array(["low", "high"]))
    return ["--data", "v.npz"]


def pictures(folder: Path) -> list[str]:
    """Channels last, bytes, with arrays for the validation part."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for part, count in (("train", 60), ("val", 20)):
        labels = np.arange(count) % 2
        x = RANDOM.integers(0, 60, (count, 14, 14, 3)) + 150 * labels[:, None, None, None]
        arrays |= {f"pictures_{part}": x.astype(np.uint8), f"labels_{part}": labels}
    np.savez_compressed(folder / "p.npz", allow_pickle=False, **arrays)
    return ["--data", "p.npz"]


def maps(folder: Path) -> list[str]:
    """Images without channels, of whole numbers."""
    labels = np.arange(120) % 3
    x = RANDOM.integers(0, 4, (120, 8, 8)) + 6 * labels[:, None, None]
    np.savez(folder / "m.npz", x=x, y=labels)
    return ["--data", "m.npz"]


def tokens(folder: Path) -> list[str]:
    x = RANDOM.integers(0, 50, (300, 6))
    np.savez(folder / "t.npz", tokens=x, y=(x < 25).sum(1) // 4)
    return ["--data", "t.npz"]


def single_numbers(folder: Path) -> list[str]:
    """Targets far from 0, without an axis of their own."""
    x = RANDOM.normal(size=(200, 4)).astype(np.float32)
    np.save(folder / "a b.npy", x)
    np.save(folder / "y.npy", x.sum(1) * 300 + 1e5)
    return ["--data", "a b.npy", "--data", "y.npy"]


def several_numbers(folder: Path) -> list[str]:
    x = RANDOM.normal(size=(200, 4)).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", x[:, :2] * 30 + 7)
    return ["--data", "x.npy", "--data", "y.npy"]


def several_inputs(folder: Path) -> list[str]:
    x, z = RANDOM.normal(size=(200, 4)), RANDOM.normal(size=(200, 2, 3))
    np.savez(folder / "two.npz", x=x, z=z, goal=x[:, 0] * 4 + z[:, 0, 0])
    return ["--data", "two.npz", "--target", "goal"]


CASES: list[tuple[Callable[[Path], list[str]], str, float, list[str]]] = [
    (churn, "accuracy", 0.85, ["300 rows and 4 columns", "2 classes: no (", "plan: categories, 3 of them"]),
    (
        houses,
        "r2",
        0.8,
        [
            "to be learnt: price, a number",
            "id: left out, it numbers the rows",
            "sold on: dates, as elapsed, month, day, weekday",
            "note: left out, 200 texts that hardly repeat",
            "currency: left out, always 'EUR'",
            "taxes: left out, numbers that decimal=comma",
        ],
    ),
    (categories, "accuracy", 0.9, ["to be learnt: label, 2 classes"]),
    (parquet, "accuracy", 0.8, ["to be learnt: target, 2 classes: down ("]),
    (photos, "accuracy", 0.7, ["36 images in colour, of different sizes", "3 classes: blue sky (12), green (12)"]),
    (grey_parts, "accuracy", 0.8, ["20 images in shades of grey, of 20 x 12", "a folder for its own val part"]),
    (vectors, "accuracy", 0.8, ["x: 5 of float32", "2 classes: 0 ("]),
    (pictures, "accuracy", 0.9, ["pictures: 14 x 14 x 3 of uint8", "arrays for its own val part"]),
    (maps, "accuracy", 0.8, ["x: 8 x 8 of int64", "3 classes: 0 (40)"]),
    (tokens, "accuracy", 0.7, ["tokens: 6 of int64"]),
    (single_numbers, "r2", 0.8, ["a b: 4 of float32", "1 number, "]),
    (several_numbers, "r2", 0.8, ["2 numbers, "]),
    (euros, "r2", 0.8, ["Größe: numbers, 1", "rate: numbers, 0", "to be learnt: price, a number"]),
    (reviews, "accuracy", 0.9, ["words: texts, of some 9 words", "ReviewId: left out, it has another number"]),
    (tickets, "accuracy", 0.9, ["body: texts", "size: numbers", "where: categories"]),
    (masks, "accuracy", 0.9, ["40 images with a mask each, of 20 x 20", "2 of them, for the values 0, 255"]),
    (several_inputs, "r2", 0.7, ["z: 2 x 3 of float32"]),
]


@pytest.mark.parametrize(("made", "metric", "least", "seen"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_spec_for_data_fits_it_and_learns(
    made: Callable[[Path], list[str]], metric: str, least: float, seen: list[str], tmp_path: Path
) -> None:
    begun = run("init", "first.yaml", *made(tmp_path), cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    for text in seen:
        assert text in begun.stderr
        assert text in (tmp_path / "first.yaml").read_text("utf-8")
    assert "next: netspec train first.yaml" in begun.stderr
    checked = run("check", "first.yaml", "--strict", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    trained = run("train", "first.yaml", "train.epochs=15", "train.threads=1", "--run", "run", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    measured = json.loads(run("eval", "run", "--json", cwd=tmp_path).stdout)
    assert measured[f"val.{metric}"] >= least, measured


def test_what_data_is_called_stays_a_comment(tmp_path: Path) -> None:
    """No name or text of the data's becomes a line of the spec, and every name is written so that it is read again."""
    odd = [
        "x\nlayers: [fc 1]",
        "true",
        "a: b",
        "- c",
        "#d",
        'e"',
        "2020",
        "1e3",
        "f\u2028g",
        "US$",
        "[h]",
        "\x85",
        "label",
    ]
    rows = [[i / 7, *((i * k) % 7 + k / 10 for k in range(12, 1, -1)), f"{i % 2}\nname: Other"] for i in range(40)]
    table(tmp_path / "odd.csv", odd, rows)
    assert run("init", "first.yaml", "--data", "odd.csv", cwd=tmp_path).returncode == 0
    checked = run("check", "first.yaml", "--strict", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.startswith("first.yaml: Odd fits together: 10 -> 2")
    trained = run("train", "first.yaml", "train.epochs=1", "--run", "run", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr


def test_without_a_file_it_is_printed(tmp_path: Path) -> None:
    done = run("init", *churn(tmp_path), cwd=tmp_path)
    assert done.returncode == 0
    assert "target: gone" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["churn.csv"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--data", "churn.csv"], "what is to be learnt? Say so: --target NAME, one of age, plan, calls, gone"),
        (["--data", "churn.csv", "--target", "gon"], "has no column 'gon'. Did you mean 'gone'?"),
        (["--data", "parts"], "parts/train holds img and gt, which are images and their masks. Name it itself"),
        (["--data", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--data", "notes.txt"], "a folder of images or a file that ends in one of .csv"),
        (["--data", "churn.csv", "--data", "churn.csv"], "only .npy files are named several at a time"),
        (["--data", "x.npy"], "Name that of the targets too: --data x.npy --data y.npy"),
        (["--data", "x.npy", "--data", "mask.npy"], "for which there is no proposal"),
        (["--data", "one.npz"], "inputs and a target are expected"),
        (["--data", "holes.csv", "--target", "b"], "holes.csv, line 3: b is empty, and so in 1 of 3 rows"),
        (["--data", "same.csv", "--target", "b"], "b is always 'x': there is nothing to learn"),
        (["--data", "same.csv", "--target", "a"], "has no column to learn 'a' from: b: always 'x'; c: always '2.5'"),
        (["--data", "same.csv", "--target", "c"], "c is always '2.5': there is nothing to learn"),
        (["--data", "x.npy", "--data", "one_hot.npy"], "the target is one-hot. Save the classes' numbers"),
        (["--data", "x.npy", "--data", "few.npy"], "classes from 0 to 9,000, of which 9 occur. Number them from 0"),
        (["--data", "nan.npz"], "array 'x', row 0: found nan"),
        (["--data", "."], "does not lie in the folder of the spec"),
        (["--target", "gone"], "--target is for --data"),
        (["--data", "churn.csv", "--from", "resnet18"], "--from and --data each name a spec"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_what_there_is_no_proposal_for(arguments: list[str], text: str, tmp_path: Path) -> None:
    churn(tmp_path)
    (tmp_path / "notes.txt").write_text("some words")
    for name in ("img", "gt"):
        (tmp_path / "parts" / "train" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "parts" / "train" / name / "1.png")
    (tmp_path / "holes.csv").write_text("a,b\n1,x\n2,\n3,y\n")
    (tmp_path / "same.csv").write_text("a,b,c\n1,x,2.5\n2,x,2.5\n3,x,2.5\n")
    np.save(tmp_path / "one_hot.npy", np.eye(9))
    np.save(tmp_path / "few.npy", np.append(np.arange(8), 9000))
    np.savez(tmp_path / "nan.npz", x=np.full((9, 3), np.nan), y=np.arange(9))
    np.save(tmp_path / "x.npy", np.zeros((9, 3)))
    np.save(tmp_path / "mask.npy", np.zeros((9, 8, 8)))
    np.savez(tmp_path / "one.npz", x=np.zeros((9, 3)))
    done = run("init", "first.yaml", *arguments, cwd=tmp_path)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "first.yaml").exists()


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "target"), [("plan\n", "plan"), ("\n", "gone"), ("no such\nage\n", "age")])
def test_what_is_to_be_learnt_is_asked(
    typed: str, target: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    churn(tmp_path)
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    done = run("init", "first.yaml", "--data", "churn.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"to be learnt: {target}, " in done.stderr


def test_who_does_not_answer_is_told_how_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    churn(tmp_path)
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    done = run("init", "first.yaml", "--data", "churn.csv", cwd=tmp_path)
    assert (done.returncode, "--target NAME" in done.stderr) == (2, True), done.stderr


def test_no_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom netspec.cli import main\ntry: main(sys.argv[1:])\nfinally: assert 'torch' not in sys.modules"
    )
    command = [sys.executable, "-c", code, "init", "first.yaml", *photos(tmp_path)]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_data_elsewhere_is_told_where_its_spec_goes(tmp_path: Path) -> None:
    (tmp_path / "my data").mkdir()
    (tmp_path / "specs").mkdir()
    churn(tmp_path / "my data")
    done = run("init", "specs/first.yaml", "--data", "my data/churn.csv", "--target", "gone", cwd=tmp_path)
    assert done.returncode == 2
    command = shlex.split(done.stderr.partition("Write the spec beside it: netspec ")[2])
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0
    assert run(*shlex.split(done.stderr.partition("next: netspec ")[2]), "train.epochs=1", cwd=tmp_path).returncode == 0


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "first.yaml").write_text("mine")
    done = run("init", "first.yaml", *churn(tmp_path), cwd=tmp_path)
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert (tmp_path / "first.yaml").read_text() == "mine"


def test_the_data_itself_is_never_replaced(tmp_path: Path) -> None:
    arguments = churn(tmp_path)
    before = (tmp_path / "churn.csv").read_bytes()
    done = run("init", "churn.csv", *arguments, "--force", cwd=tmp_path)
    assert (done.returncode, "is what this command reads" in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "churn.csv").read_bytes() == before


def test_a_link_to_a_stream_gets_the_spec_alone(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to("/dev/null")
    arguments = churn(tmp_path)
    there = sorted(tmp_path.iterdir())
    done = run("init", "nowhere", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(tmp_path.iterdir()) == there


def dated(folder: Path) -> str:
    """Dates, codes, money that reads two ways, and years of two digits."""
    head = ["date", "zip", "income", "born", "y"]
    rows = [
        [
            f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}",
            f"0{1000 + i % 3}",
            f"${1 + i % 9},000",
            f"{13 + i % 9}.02.{i % 100:02d}",
        ]
        for i in range(60)
    ]
    table(folder / "d.csv", head, [[*row, i % 2] for i, row in enumerate(rows)])
    return "d.csv"


def tagged(folder: Path) -> str:
    tags = ["red|blue", "blue", "green|red", "green", "blue|green", "red"]
    table(folder / "d.csv", ["x", "tags"], [[i % 7, tags[i % 6]] for i in range(60)])
    return "d.csv"


def saved(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "d.npz", **arrays)
    return "d.npz"


SMALL = RANDOM.normal(size=(30, 5))
GRID = RANDOM.normal(size=(12, 3, 8, 8))
NUMBERS = np.arange(30) % 3
PROPOSED: dict[str, tuple[Callable[[Path], str], str, list[str]]] = {
    "dates": (
        dated,
        "y",
        [
            "date: dates, as elapsed, month, day, weekday",
            "zip: left out, codes that begin with 0",
            "income: left out, numbers that decimal=comma signs=currency or thousands=comma signs=currency would read",
            "born: left out, dates whose years have two digits",
        ],
    ),
    "tags": (tagged, "tags", ["3 labels, of which a cell lists several: blue, green, red"]),
    "from 1": (lambda folder: saved(folder, x=SMALL, y=1 + NUMBERS), "y", ["3 classes: 1 (10), 2 (10), 3 (10)"]),
    "yes or no": (lambda folder: saved(folder, x=SMALL, y=NUMBERS > 1), "y", ["to be learnt: yes or no"]),
    "labels": (lambda folder: saved(folder, x=SMALL, y=SMALL[:, :3] > 0), "y", ["3 labels, each yes or no"]),
    "grids": (lambda folder: saved(folder, x=GRID, y=GRID[:, 0] > 0), "y", ["yes or no for each point"]),
    "classes of points": (
        lambda folder: saved(folder, x=GRID, y=np.digitize(GRID[:, :1], [-0.5, 0.5])),
        "y",
        ["3 classes for each point"],
    ),
}


@pytest.mark.parametrize("case", PROPOSED)
def test_what_is_proposed_trains(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, target, seen = PROPOSED[case]
    with pytest.raises(SystemExit) as caught:
        main(("init", str(tmp_path / "first.yaml"), "--data", str(tmp_path / made(tmp_path)), "--target", target))
    told = capsys.readouterr().err
    assert caught.value.code == 0, told
    for text in seen:
        assert text in told
    spec = netspec.load(tmp_path / "first.yaml", ["train.epochs=1", "train.device=cpu"])
    train = spec.experiment.train
    assert train is not None
    assert train.early_stop is not None
    assert train.early_stop.monitor == train.best  # it says that the weights of the best epoch are kept
    assert spec.train(tmp_path / "run").history
    assert netspec.Run.read(tmp_path / "run").evaluate("val")


def test_the_hint_for_labels_from_1_leads_to_a_run(tmp_path: Path) -> None:
    saved(tmp_path, x=SMALL, y=1 + NUMBERS)
    text = "netspec: 1\ninput: 5\nlayers: [fc 3]\ndata: npz d.npz\n"
    (tmp_path / "a.yaml").write_text(
        text + "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    )
    with pytest.raises(DataError, match="the data begins with 1: write first=1 in its source") as caught:
        netspec.load(tmp_path / "a.yaml").train()
    assert "tells 3 classes apart" in str(caught.value)
    found = netspec.load(tmp_path / "a.yaml", ["data=npz d.npz first=1"])
    found.train(tmp_path / "run")
    np.save(tmp_path / "new.npy", SMALL)
    assert netspec.Run.read(tmp_path / "run").predict(tmp_path / "new.npy").classes == ("1", "2", "3")
    with pytest.raises(DataError, match="row 0: the label is 1, and first=2 says that none is less"):
        netspec.load(tmp_path / "a.yaml", ["data=npz d.npz first=2"]).train()
