"""Tables in the file: characters, bytes, words and categories go in as they are, and become numbers there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from netspec.api.run import Run
from netspec.emit.onnx.cells import Cells
from netspec.errors import ExportMismatch, UsageError
from netspec.losses.classes import CrossEntropyLoss
from netspec.losses.labels import BCEWithLogitsLoss
from netspec.runs.answers import records
from netspec.runs.bench import bench
from netspec.runs.int8_cost import right
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.predict_file import predicted
from netspec.runs.prediction import joined
from netspec.runs.verifying import verify_file, verify_run
from netspec.runtime.export.manifest import MANIFEST, read_sealed
from tests.train.test_handed import ended, trained

LETTERS = """\
input: int T
layers: [embedding 256 8, lstm 8 batch_first, linear 256]
data: {source: {text: {path: book.txt, length: 12MORE}}}
train: {loss: cross_entropy axis=-1, optimizer: adamw lr=3e-2, epochs: 8, device: cpu}
"""
ROWS = """\
inputs: {numbers: 2, categories: int 2, said: int 4, said_mask: bool 4}
layers:
  towns: embedding(categories) 7 2
  flat: flatten(towns)
  words: embedding(said) 9 2
  hidden: masked_fill(words said_mask.reshape(-1,4,1)) 0
  all: mean(words) dim=1
  both: concat(numbers flat all)
  out: linear 2
data:
  source:
    csv: {path: rows.csv, target: kind, numbers: [size, age], categories: [town, street], text: [said], length: 4,
          mask: padding, missing: {size: mean, age: refuse, town: category, street: category, said: category}}
  transform: {numbers: standardize}
train: {loss: cross_entropy, metrics: [accuracy], optimizer: adamw lr=1e-1, epochs: 2, batch: 16, device: cpu}
"""
ROWS = "\n".join(line for line in ROWS.splitlines() if "masked_fill" not in line) + "\n"
NEW = "size,age,town,street,said\n,3,b,main,good film\n1,2,none such,,a good bad ugly film\n7,1,,x,unheard of\n"
WHOLE = "export.onnx.preprocess=true"
Array = np.ndarray[Any, Any]


def table() -> str:
    towns, streets, said = ("a", "b", "ça"), ("main", "x"), ("good film", "a bad one", "good")
    rows = [
        f"{i % 9 if i % 5 else ''},{i % 4},{towns[i % 3] if i % 7 else ''},{streets[i % 2]},{said[i % 3]},{'xy'[i % 2]}"
        for i in range(60)
    ]
    return "\n".join(["size,age,town,street,said,kind", *rows]) + "\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    text = "the cat sat on the mat.\n" * 20
    for name, more in {"wide": "", "unknown": ", unknown: '.'", "bytes": ", units: bytes"}.items():
        folder = tmp_path_factory.mktemp(name)
        (folder / "book.txt").write_text(text if name == "unknown" else text.replace("mat", "máté"))
        found[name] = trained(folder, LETTERS.replace("MORE", more))
    folder = tmp_path_factory.mktemp("rows")
    (folder / "rows.csv").write_text(table())
    (folder / "new.csv").write_text(NEW)
    return found | {"rows": trained(folder, ROWS)}


def exported(run: Path, file: Path, *more: str) -> Any:
    return Run.read(run, [WHOLE, *more]).export(file)


def gives(file: Path, **given: Array) -> Array:
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, given)[0])


def of_run(run: Path, folder: Path, text: str) -> Array:
    (folder / "text.txt").write_text(text)
    return Run.read(run).predict(folder / "text.txt").first


@pytest.mark.parametrize(
    ("name", "more", "encode"),
    [
        ("unknown", [], lambda text: np.array([[ord(c) for c in text]])),
        ("wide", [], lambda text: np.array([[ord(c) for c in text]])),
        ("unknown", ["export.onnx.input=uint8"], lambda text: np.frombuffer(text.encode(), np.uint8)[None]),
        ("bytes", [], lambda text: np.frombuffer(text.encode(), np.uint8)[None]),
        ("wide", ["export.onnx.dtype=float16"], lambda text: np.array([[ord(c) for c in text]])),
    ],
)
def test_characters_and_bytes_go_in(
    name: str, more: list[str], encode: Any, runs: dict[str, Path], tmp_path: Path
) -> None:
    """Of any length; and what the run says of a text its file says."""
    text, file = "the cat", tmp_path / "a.onnx"
    report = exported(runs[name], file, *more, "export.onnx.output=probabilities")
    assert report.compared.startswith("outputs stored by training")
    assert report.inputs == {"input": "batch x T"}
    assert not report.note
    close = 2e-2 if "export.onnx.dtype=float16" in more else 1e-5
    wanted = of_run(runs[name], tmp_path, text)
    np.testing.assert_allclose(gives(file, input=encode(text)), wanted, atol=close)
    np.testing.assert_allclose(
        joined(predicted(OnnxModel.read(file), [tmp_path / "text.txt"])).first, wanted, atol=close
    )
    assert [each.what for each in verify_file(file).differences] == ["batch 1", "batch 2", "batch 5"]


@pytest.mark.parametrize("command", ["eval", "generate", "predict", "bench"])
def test_what_is_no_character_is_refused(
    command: str, runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exported(runs["wide"], tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx")
    for entry in model.metadata_props:
        if entry.key == "netspec.classes":
            entry.value = json.dumps(["", *json.loads(entry.value)[1:]])
    onnx.save(model, tmp_path / "a.onnx")
    assert ended(command, tmp_path / "a.onnx", *["the cat"] * (command in ("generate", "predict"))) == 4
    assert "fault" not in capsys.readouterr().err


def test_a_character_that_training_had_not(runs: dict[str, Path], tmp_path: Path) -> None:
    """It is refused, or taken for the one that the spec says."""
    exported(runs["wide"], tmp_path / "a.onnx")
    for text in ("Z", "\u4e2d"):
        with pytest.raises(Exception, match="out of data bounds"):
            gives(tmp_path / "a.onnx", input=np.array([[ord(text)]]))
    exported(runs["unknown"], tmp_path / "b.onnx")
    np.testing.assert_array_equal(
        gives(tmp_path / "b.onnx", input=np.array([[ord("Z")]])),
        gives(tmp_path / "b.onnx", input=np.array([[ord(".")]])),
    )


def test_bytes_that_are_no_characters_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the text has 'á', which has several\. Leave out input"):
        exported(runs["wide"], tmp_path / "a.onnx", "export.onnx.input=uint8")
    with pytest.raises(UsageError, match=r"are not those of bytes\. Write preprocess: true"):
        Run.read(runs["unknown"], ["export.onnx.input=uint8"]).export(tmp_path / "a.onnx")
    Run.read(runs["bytes"], ["export.onnx.input=uint8"]).export(tmp_path / "a.onnx")
    assert OnnxModel.read(tmp_path / "a.onnx").dtype("input") == np.uint8


def test_a_text_goes_on(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(runs["wide"], tmp_path / "a.onnx")
    said = []
    for what in (runs["wide"], tmp_path / "a.onnx"):
        assert ended("generate", what, "the c", "--tokens", "8", "--json") == 0
        said.append(json.loads(capsys.readouterr().out)["tokens"])
    assert said[0] == said[1]
    with pytest.raises(UsageError, match="cache: true gives a file that takes and gives numbers of tokens"):
        exported(runs["wide"], tmp_path / "b.onnx", "export.onnx.cache=true")


@pytest.mark.parametrize("more", [[], ["export.onnx.output=labels"], ["export.onnx.dtype=float16"]])
def test_texts_and_empty_cells_go_in(more: list[str], runs: dict[str, Path], tmp_path: Path) -> None:
    file, run = tmp_path / "a.onnx", Run.read(runs["rows"])
    report = exported(runs["rows"], file, *more)
    assert report.compared.startswith("outputs stored by training")
    assert report.note == "which column is which and how texts are cut stand beside the file as JSON"
    beside = json.loads((tmp_path / "a.onnx.json").read_text())["columns"]
    assert list(beside["categories"]) == ["town", "street"]
    new = {
        "numbers": np.array([[np.nan, 3], [1, 2], [7, 1]], np.float32),
        "categories": np.array([["b", "main"], ["none such", ""], ["", "x"]], object),
        "said": np.array([["good", "film", "", ""], ["a", "good", "bad", "ugly"], ["unheard", "of", "", ""]], object),
        "said_mask": np.array([[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 1, 1]], bool),
    }
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {name: new[name] for name in (x.name for x in session.get_inputs())})
    wanted = run.predict(runs["rows"].parent / "new.csv")
    said = records(joined(predicted(OnnxModel.read(file), [runs["rows"].parent / "new.csv"])))
    if "export.onnx.output=labels" in more:
        assert found.tolist() == [each["class"] for each in records(wanted)] == [each["class"] for each in said]
    else:
        chances = np.exp(found) / np.exp(found).sum(1, keepdims=True)
        np.testing.assert_allclose(chances, wanted.first, atol=1e-2 if more else 1e-5)
        np.testing.assert_allclose(
            [[*x["probabilities"].values()] for x in said], wanted.first, atol=1e-2 if more else 1e-5
        )
    assert verify_file(file).differences


def test_it_is_measured_timed_and_verified_with_its_tables(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs["rows"].parent
    monkeypatch.chdir(folder)
    exported(runs["rows"], runs["rows"] / "model.onnx")
    found: Any = verify_run(Run.read(runs["rows"]))
    assert [d.what for d in found.differences] == ["batch 1", "batch 2", "batch 5", "validation data"]
    said = []
    for what in (runs["rows"], runs["rows"] / "model.onnx"):
        assert ended("eval", what, "--json") == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[1]["val.loss"] == pytest.approx(said[0]["val.loss"], abs=1e-5)
    found = bench(OnnxModel.read(runs["rows"] / "model.onnx"), batches=[2], seconds=0)
    assert {each.way for each in found.results} == {"ONNX Runtime"}


def test_made_up_cells_are_of_their_columns(runs: dict[str, Path], tmp_path: Path) -> None:
    """So that a proof looks up every table; what is no text of a table would be any other text."""
    exported(runs["rows"], tmp_path / "a.onnx")
    pools = json.loads(read_sealed(tmp_path / "a.onnx").said.metadata[MANIFEST])["pools"]
    assert {*pools[1][0]} == {"", "a", "b", "ça", "?"}
    assert {*pools[1][1]} <= {"main", "x", "?"}
    assert {*pools[2]} == {"good", "film", "a", "bad", "one", "?"}


def test_each_column_is_made_up_in_its_own_range(tmp_path: Path) -> None:
    """So that half precision is asked of numbers that are like those of the data; real rows are compared as well."""
    rows = [f"{i % 9 - 4},{i % 5 * 1e6 if i % 7 else ''},{'xy'[i % 2]}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["size,price,kind", *rows]))
    run = trained(
        tmp_path,
        "input: 2\nlayers: [linear 2]\n"
        "data: {source: {csv: {path: rows.csv, target: kind, missing: {price: median}}}, transform: standardize}\n"
        "train: {loss: cross_entropy, optimizer: sgd lr=1e-2, epochs: 1, device: cpu}\n",
    )
    report = exported(run, tmp_path / "a.onnx", "export.onnx.dtype=float16")
    assert [each.what for each in report.differences] == ["batch 1", "batch 2", "batch 5", "validation data"]
    assert all(0 < each.scale < 10 for each in report.differences)
    checks = json.loads(read_sealed(tmp_path / "a.onnx").said.metadata[MANIFEST])["checks"]
    assert checks[0]["inputs"][0]["between"] == [[-4, -4], [4, 4e6]]
    assert [each.agrees for each in verify_file(tmp_path / "a.onnx").differences] == [True] * 3
    with pytest.raises(ExportMismatch, match=r"float16 holds no number beyond 65,504\. Leave out keep_io: false"):
        exported(run, tmp_path / "b.onnx", "export.onnx.dtype=float16", "export.onnx.keep_io=false")


def test_int8_counts_the_right_characters(runs: dict[str, Path], tmp_path: Path) -> None:
    """Along the axis that the loss says."""
    report = exported(runs["bytes"], tmp_path / "a.onnx", "export.onnx.dtype=int8", "export.onnx.max_drop=1")
    said = re.search(r"; accuracy (\S+) in float32, (\S+) in int8", report.note)
    assert said is not None
    accuracy = Run.read(runs["bytes"], ["train.metrics=[accuracy]"]).evaluate("val")["accuracy"]
    assert accuracy > 0
    assert float(said[1]) == pytest.approx(accuracy, abs=1e-4)


def test_int8_counts_places_that_count() -> None:
    loss = CrossEntropyLoss(ignore_index=0)
    scores = np.eye(3, dtype=np.float32)[[[0, 2, 1]]].swapaxes(1, 2)
    found = right(scores, np.array([[0, 2, 2]]), None, loss)
    assert found is not None
    assert found.tolist() == [True, False]
    yes_or_no = BCEWithLogitsLoss()
    yes = right(np.array([[0.5], [-1], [2]], np.float32), np.array([[1], [1], [0]], np.float32), None, yes_or_no)
    assert yes is not None
    assert yes.ravel().tolist() == [True, False, False]
    assert right(np.zeros((2, 1), np.float32), np.full((2, 1), 0.5, np.float32), None, yes_or_no) is None


def test_cells_are_the_way_back() -> None:
    cells = Cells("string", ({"a": 1, "?": 2}, {"b": 3}), 0)
    numbers = np.array([[1, 3], [2, 0], [0, 3]])
    assert cells.of(numbers).tolist() == [["a", "b"], ["?", "?"], ["??", "b"]]
    assert Cells("uint8").of(np.array([[65]])).dtype == np.uint8
    assert Cells("int64", ({"a": 0, "b": 1},)).of(np.array([[1, 0]])).tolist() == [[98, 97]]
