"""Exported files in use: what they predict and how well, beside the run that they were written from."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.api.run import Run
from netspec.datasets.csv import CSV
from netspec.errors import DataError, UsageError
from netspec.records import Record
from netspec.runs.answers import json_pieces, records, table
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.predict_file import predicted
from netspec.runs.prediction import joined
from netspec.runtime.data import handed
from netspec.transforms.base import Maps, Moving, Transform
from netspec.transforms.geometry import ChannelsFirst, ChannelsLast, Crop, Layout, Pad, Reshape, Resize
from netspec.transforms.values import Normalize, Scale
from tests.train.test_handed import ended, trained

SGD = "optimizer: sgd lr=0.1, epochs: 1, device: cpu"
ROWS = "id,width,colour,kind\n" + "".join(f"r{i},{i % 7},{'rgb'[i % 3]},{'xyz'[i % 3]}\n" for i in range(60))
RUNS = {
    "digits": "input: 1x12x12\nlayers: [conv 4 k3, relu, fc 10]\n"
    "data: {source: digits, transform: [resize 12, standardize]}\n"
    f"train: {{loss: cross_entropy, metrics: [accuracy], {SGD}}}\n",
    "table": "inputs: {numbers: 1, categories: int 1}\n"
    "layers: {c: 'embedding(categories) 4 3, flatten', both: concat(numbers c), out: linear 3}\n"
    "data: {source: csv rows.csv target=kind id=id, transform: {numbers: standardize}}\n"
    f"train: {{loss: cross_entropy, metrics: [accuracy], {SGD}}}\n",
    "numbers": "input: int 2\nlayers: [embedding 8 4, fc 1]\n"
    "data: {source: csv rows.csv target=width id=id regression, scale_target: standard}\n"
    f"train: {{loss: mse, metrics: [mae], {SGD}}}\n",
    "answers": "input: 4\nlayers: [linear 1]\ndata: npz data.npz\n"
    f"train: {{loss: bce_logits, metrics: [accuracy], {SGD}}}\n",
    "tokens": "input: int 8\nlayers: [embedding 40 8, linear 40]\ndata: text book.txt 8\n"
    f"train: {{loss: cross_entropy axis=-1, metrics: [perplexity], {SGD}}}\n",
}


def write_data(folder: Path) -> None:
    chance = np.random.default_rng(0)
    (folder / "rows.csv").write_text(ROWS)
    (folder / "book.txt").write_text("the quick brown fox jumps over a lazy dog. " * 20)
    x = chance.normal(size=(40, 4)).astype("float32")
    np.savez(folder / "data.npz", x=x, y=(x.sum(1, keepdims=True) > 0).astype("float32"))
    np.save(folder / "new.npy", x[:9])


GIVEN = {"digits": "digits.npy", "table": "rows.csv", "numbers": "rows.csv", "answers": "new.npy",
         "tokens": "lines.txt"}  # fmt: skip


KINDS = [
    (name, kind)
    for name in GIVEN
    for kind in ("logits", "probabilities")
    if (name, kind) != ("numbers", "probabilities")
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name in GIVEN:
        folder = tmp_path_factory.mktemp(name)
        write_data(folder)
        np.save(folder / "digits.npy", np.random.default_rng(1).integers(0, 17, (70, 1, 8, 8)).astype("uint8"))
        (folder / "lines.txt").write_text("the quick fox\njumps over a dog\n")
        found[name] = trained(folder, f"netspec: 1\n{RUNS[name]}")
        for kind in ("logits", "probabilities")[: 1 if name == "numbers" else 2]:
            Run.read(found[name], [f"export.onnx.output={kind}"]).export(folder / f"{kind}.onnx")
    return found


def measured_alike(
    run: Path, file: str, close: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run and of a file that was written of it, eval tells the same, to so much."""
    monkeypatch.chdir(run.parent)
    said = []
    for what in (run, file):
        assert ended("eval", what, "--json", "--part", "train") == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[1].keys() == said[0].keys()
    for measure, value in said[0].items():
        assert said[1][measure] == (pytest.approx(value, rel=close, abs=close) if type(value) is float else value)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_file_says_what_its_run_says(runs: dict[str, Path], name: str, kind: str) -> None:
    folder = runs[name].parent
    wanted = Run.read(runs[name]).predict(folder / GIVEN[name])
    found = joined(predicted(OnnxModel.read(folder / f"{kind}.onnx"), [folder / GIVEN[name]]))
    assert found.classes == wanted.classes
    assert found.labels == wanted.labels
    assert found.told == wanted.told
    assert {n: list(column) for n, column in found.names.items()} == {n: list(c) for n, c in wanted.names.items()}
    for output, known in wanted.outputs.items():
        np.testing.assert_allclose(found.outputs[output], known, rtol=1e-4, atol=1e-5)
    if wanted.shares is not None and found.shares is not None:
        assert (found.shares.argmax(-1) == wanted.shares.argmax(-1)).all()


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_file_is_as_good_as_its_run(
    runs: dict[str, Path], name: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured_alike(runs[name], f"{kind}.onnx", 1e-4, monkeypatch, capsys)


def test_no_torch_is_imported(runs: dict[str, Path]) -> None:
    folder = runs["table"].parent
    code = """import sys
sys.modules["torch"] = None
from netspec.cli import main
for words in (["predict", "logits.onnx", "-", "--json"], ["eval", "logits.onnx", "--json"]):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as end:
        assert not end.code, end.code
    print(end="\\0")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=ROWS, capture_output=True, text=True, check=True, cwd=folder)
    said, measured = map(json.loads, done.stdout.split("\0")[:2])
    assert [each["id"] for each in said] == [f"r{i}" for i in range(60)]
    wanted = records(Run.read(runs["table"]).predict(folder / "rows.csv"))
    assert [each["class"] for each in said] == [each["class"] for each in wanted]
    assert measured == {f"val.{name}": pytest.approx(value, rel=1e-5) for name, value in
                        Run.read(runs["table"]).evaluate().items()}  # fmt: skip


def test_images_are_taken(runs: dict[str, Path], tmp_path: Path) -> None:
    for i in range(3):
        drawn = np.random.default_rng(i).integers(0, 255, (20, 16)).astype("uint8")
        Image.fromarray(drawn).save(tmp_path / f"{i}.png")
    folder = runs["digits"].parent
    wanted = Run.read(runs["digits"]).predict(tmp_path)
    found = joined(predicted(OnnxModel.read(folder / "logits.onnx"), [tmp_path]))
    assert found.files == wanted.files
    np.testing.assert_allclose(found.first, wanted.first, atol=1e-5)


def test_a_table_is_taken_from_standard_input(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = []
    for what in (runs["table"], runs["table"].parent / "logits.onnx"):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(ROWS.encode())))
        assert ended("predict", what, "-", "-o", tmp_path / "out.csv") == 0
        with (tmp_path / "out.csv").open() as stream:
            shown.append(list(csv.reader(stream)))
    capsys.readouterr()
    assert shown[0][0] == shown[1][0] == ["id", "class", "x", "y", "z"]
    assert [row[:2] for row in shown[0]] == [row[:2] for row in shown[1]]
    assert len(shown[0]) == 61


def test_all_batches_are_told_as_one(runs: dict[str, Path]) -> None:
    """70 samples are two batches; what is written of them in pieces is what is written of the whole."""
    path = runs["digits"].parent / "digits.npy"
    pieces = list(predicted(OnnxModel.read(runs["digits"].parent / "logits.onnx"), [path]))
    assert [len(each.first) for each in pieces] == [64, 6]
    assert json.loads("".join(json_pieces(pieces))) == json.loads(json.dumps(records(joined(pieces))))
    assert [row[0] for row in list(table(pieces[1]))[1:]] == list(range(64, 70))
    assert json.loads("".join(json_pieces([]))) == []


@pytest.mark.parametrize("by_file", [False, True])
def test_a_long_file_is_not_held(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_file: bool
) -> None:
    """What is read at a time is a batch, however many there are."""
    from netspec.datasets import rows, values
    from netspec.runs import predict as of_run
    from netspec.runtime.data import handed

    monkeypatch.setattr(handed, "HELD", 1000)
    monkeypatch.setattr(rows, "PIECE", 1000 * 16)
    monkeypatch.setattr(values, "SAMPLED", 1000 * 4)
    np.save(tmp_path / "long.npy", np.zeros((20_000, 4), "float32"))
    read: list[int] = []
    plain = rows.FileRows.read

    def counted(self: rows.FileRows, places: Any) -> Any:
        read.append(len(places))
        return plain(self, places)

    monkeypatch.setattr(rows.FileRows, "read", counted)
    if by_file:
        pieces = predicted(OnnxModel.read(runs["answers"].parent / "logits.onnx"), [tmp_path / "long.npy"])
    else:
        pieces = of_run.predicted(Run.read(runs["answers"]), [tmp_path / "long.npy"])
    next(pieces)
    begun = sum(read)
    next(pieces)
    assert sum(read) - begun <= 1024
    assert max(read) <= 1024


def test_what_does_not_fit_is_told_as_a_run_tells_it(runs: dict[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8, 1), "uint8"))
    told, file = [], OnnxModel.read(runs["digits"].parent / "logits.onnx")
    for predict in (Run.read(runs["digits"]).predict, lambda path: joined(predicted(file, [path]))):
        with pytest.raises(DataError) as error:
            predict(tmp_path / "x.npy")
        told.append(str(error.value))
    assert told[0] == told[1]
    assert "x.transpose(0, 3, 1, 2), which fits" in told[0]


STEPS: list[Record] = [
    *(Resize(size=size, mode=mode, antialias=smooth) for size in ((4, 5), (20, 30), (5, 26))
      for mode in ("bilinear", "bicubic", "area", "nearest") for smooth in (True, False)),
    Pad(padding=2), Pad(padding=(1, 0)), Crop(size=5), Reshape(sizes=(9, 3, 13)), ChannelsFirst(), ChannelsLast(),
    Normalize(mean=0.1, std=0.3), Normalize(mean=(0.1, 0.2, 0.3), std=(0.3, 0.4, 0.5)), Scale(factor=2, offset=-1),
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_steps_of_arrays_are_those_of_torch(step: Any) -> None:
    x = np.random.default_rng(0).random((2, 3, 9, 13), "float32")
    wanted, found = step.apply(torch.from_numpy(x)).numpy(), step.apply_array(x)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.mark.parametrize("step", [each for each in STEPS if isinstance(each, Moving | Layout)], ids=repr)
def test_targets_go_along_as_they_do_in_torch(step: Any) -> None:
    chance = np.random.default_rng(0)
    layout = isinstance(step, Layout)
    sizes = (2, 3, 9, 13) if layout else (2, 9, 13)
    for target, maps in (
        (chance.integers(0, 4, sizes), Maps()),
        (chance.random(sizes, "float32"), Maps(classes=False)),
        (chance.random((2, 3, 9, 13), "float32"), Maps(fill=None)),
    ):
        wanted, found = step.carry(torch.from_numpy(target), maps).numpy(), step.carry_array(target, maps)
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, atol=2e-6)


def test_a_step_that_only_torch_does_is_named() -> None:
    class Own(Transform):
        """Does something."""

        words = ("own",)

    with pytest.raises(UsageError, match="the transform own is only done with torch"):
        Own().apply_array(np.zeros(3))


TABLES = {
    "csv": "width;colour\n3;g\n5;zz\n",
    "tsv": "width\tcolour\n3\tg\n5\tzz\n",
    "json": '[{"width": 3, "colour": "g"}, {"width": 5, "colour": "zz"}]',
    "jsonl": '{"width": 3, "colour": "g"}\n{"colour": "zz", "width": 5}\n',
}


@pytest.mark.parametrize("form", TABLES)
@pytest.mark.parametrize("by", ["run", "logits.onnx"])
def test_tables_of_every_format_are_read(
    form: str,
    by: str,
    runs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever the run was trained on, in a file and on standard input."""
    given = runs["table"] if by == "run" else runs["table"].parent / by
    (tmp_path / "own.csv").write_text("colour,width\ng,3\nzz,5\n")
    assert ended("predict", given, tmp_path / "own.csv") == 0
    known = capsys.readouterr().out
    assert len(known.splitlines()) == 2
    (tmp_path / f"new.{form}").write_text(TABLES[form])
    assert ended("predict", given, tmp_path / f"new.{form}") == 0
    assert capsys.readouterr().out == known
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(TABLES[form].encode())))
    assert ended("predict", given, "-") == 0
    assert capsys.readouterr().out == known


@pytest.mark.parametrize(
    ("text", "told"),
    [('[{"width": 1, "kind": "x"}]', "standard input has no column 'colour'"), ("[{}", "standard input is no JSON"),
     ("[], colour\n1, g\n", "standard input has no column 'width'")],
)  # fmt: skip
def test_what_begins_as_json_on_standard_input(
    text: str, told: str, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    assert ended("predict", runs["table"].parent / "logits.onnx", "-") == 4
    assert told in capsys.readouterr().err


def test_decimals_of_the_training_are_not_those_of_json(tmp_path: Path) -> None:
    """A number in JSON is what it says, whatever sign stood before decimals in the table of training."""
    (tmp_path / "new.json").write_text('[{"width": 1.500, "size": "1.500"}]')
    source = CSV(path="a.csv", target="x", decimal="comma", thousands="point")
    (table,) = handed._read(source, tmp_path / "new.json")
    assert [x.tolist() for name in ("width", "size") if (x := table.column(name).floats()) is not None] == [
        [1.5],
        [1.5],
    ]


def test_standard_input_is_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handed, "MAX_TEXT", 20)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x\n" + b"1\n" * 50)))
    source = CSV(path="a.csv", target="x", window=3)
    with pytest.raises(DataError, match="standard input has more than 20 bytes, which are not read at once"):
        list(handed._on_input(source))
