"""Files that do more than the network, in use: what is in the file is not done to samples a second time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netspec.api.run import Run
from netspec.errors import DataError
from netspec.runs.answers import records, table
from netspec.runs.bench import bench
from netspec.runs.onnx_model import OnnxModel
from netspec.runs.predict_file import predicted
from netspec.runs.prediction import Prediction, joined
from tests.export.test_using import GIVEN, RUNS, measured_alike, write_data
from tests.train.test_handed import ended, trained

MORE = {
    "pictures": "input: 3x8x8\nlayers: [conv 4 k3, relu, fc 2]\n"
    "data: {source: images pets, workers: 0, transform: [resize 8 mode=bilinear]}\n"
    "train: {loss: cross_entropy, metrics: [accuracy], optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n",
    "yes": "input: 4\nlayers: [linear 1]\ndata: {source: npz data.npz, transform: standardize}\n"
    "train: {loss: bce_logits, metrics: [accuracy], optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n",
    "answers": "input: 1\nlayers: [linear 1]\ndata: {source: csv answers.csv target=sold, transform: standardize}\n"
    "train: {loss: bce_logits, metrics: [accuracy], optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n",
}
WHOLE = "export.onnx.preprocess=true"
KINDS = {
    "plain": [],
    "whole": [WHOLE],
    "chances": [WHOLE, "export.onnx.output=probabilities"],
    "floats": [WHOLE, "export.onnx.input=float32"],
    "bytes": [WHOLE, "export.onnx.input=uint8"],
    "half": [WHOLE, "export.onnx.dtype=float16", "export.onnx.output=probabilities"],
    "all_half": ["export.onnx.dtype=float16", "export.onnx.keep_io=false"],
    "small": ["export.onnx.dtype=int8", "export.onnx.max_drop=1"],
    "named": [WHOLE, "export.onnx.output=labels"],
    "chosen": ["export.onnx.output=labels"],
}
OF = {
    "digits": ("whole", "chances", "floats", "bytes", "half", "all_half", "small", "named", "chosen"),
    "pictures": ("plain", "whole", "named"),
    "table": ("whole", "named"),
    "yes": ("whole", "named"),
    "answers": ("whole", "chances", "named"),
    "numbers": ("whole",),
}
CASES = [(name, kind) for name, kinds in OF.items() for kind in kinds]
MEASURED = [case for case in CASES if case[1] not in ("named", "chosen")]
LOOSE = {"half": 2e-2, "all_half": 2e-2, "small": 0.1}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for name in OF:
        folder, chance = tmp_path_factory.mktemp(name), np.random.default_rng(1)
        write_data(folder)
        sold = "".join(f"{i % 9},{('yes', 'no')[i % 9 < 4]}\n" for i in range(40))
        (folder / "answers.csv").write_text(f"width,sold\n{sold}")
        np.save(folder / "digits.npy", chance.integers(0, 17, (70, 1, 8, 8)).astype("uint8"))
        for i in range(20):
            picture = chance.integers(0, 120, (12, 10, 3)) + 100 * (i % 2)
            place = folder / "pets" / ("a cat", "dog")[i % 2] / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.astype("uint8")).save(place)
        found[name] = trained(folder, f"netspec: 1\n{(RUNS | MORE)[name]}")
        for kind in OF[name]:
            Run.read(found[name], KINDS[kind]).export(folder / f"{kind}.onnx")
    return found


def samples(run: Path) -> Path:
    return (
        run.parent
        / (GIVEN | {"pictures": "pets/dog", "yes": "new.npy", "answers": "answers.csv"})[run.parent.name[:-1]]
    )


def both(run: Path, kind: str) -> tuple[Prediction, Prediction]:
    """What the run says of new samples, and what the file does."""
    model = OnnxModel.read(run.parent / f"{kind}.onnx")
    return Run.read(run).predict(samples(run)), joined(predicted(model, [samples(run)]))


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_file_says_what_its_run_says(runs: dict[str, Path], name: str, kind: str) -> None:
    wanted, found = both(runs[name], kind)
    assert {n: list(column) for n, column in found.names.items()} == {n: list(c) for n, c in wanted.names.items()}
    if kind not in ("named", "chosen"):
        close = LOOSE.get(kind, 1e-4)
        np.testing.assert_allclose(found.first, wanted.first, rtol=close, atol=close)
        return
    said, known = records(found), records(wanted)
    if name == "yes":
        assert [each["class"] for each in said] == [str(int(each["linear1"][0] > 0.5)) for each in known]
    else:
        assert [each["class"] for each in said] == [each["class"] for each in known]
    heads, *rows = table(found)
    assert heads[-1] == "class"
    assert [row[-1] for row in rows] == [each["class"] for each in said]


@pytest.mark.parametrize(("name", "kind"), MEASURED)
def test_a_file_is_as_good_as_its_run(
    runs: dict[str, Path], name: str, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured_alike(runs[name], f"{kind}.onnx", LOOSE.get(kind, 1e-3), monkeypatch, capsys)


def test_classes_are_written_and_shown(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs["pictures"].parent
    assert ended("predict", folder / "named.onnx", folder / "pets/dog") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    assert all(line.rsplit(": ", 1)[1] in ("a cat", "dog") for line in lines)
    for ending in (".csv", ".json", ".npy", ".npz"):
        assert ended("predict", folder / "named.onnx", folder / "pets/dog", "-o", folder / f"out{ending}") == 0
    assert {each["class"] for each in json.loads((folder / "out.json").read_text())} <= {"a cat", "dog"}
    assert np.load(folder / "out.npy").tolist() == [line.rsplit(": ", 1)[1] for line in lines]


@pytest.mark.parametrize("what", ["run", "whole.onnx"])
def test_the_file_that_is_not_there_is_named(
    runs: dict[str, Path], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs["pictures"].parent
    assert ended("predict", folder / what, folder / "pets/dog/1.png", folder / "none.png") == 4
    assert "none.png is not a file" in capsys.readouterr().err


def test_no_loss_compares_classes(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs["digits"].parent)
    assert ended("eval", "named.onnx") == 2
    assert "gives classes, which no loss compares" in capsys.readouterr().err


def test_what_is_no_byte_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    """Floats of 0.0 to 1.0 are taken where each stands for a byte, and nothing is rounded in silence."""
    folder, given = runs["digits"].parent, np.load(runs["digits"].parent / "digits.npy")
    model = OnnxModel.read(folder / "bytes.onnx")
    np.save(tmp_path / "whole.npy", given.astype("float32") / 16)
    wanted = joined(predicted(model, [folder / "digits.npy"]))
    np.testing.assert_array_equal(joined(predicted(model, [tmp_path / "whole.npy"])).first, wanted.first)
    given = given.astype("float32") / 16
    given[3] = 0.3 / 16
    np.save(tmp_path / "between.npy", given)
    with pytest.raises(DataError, match=r"between.npy, row 3: .* takes input as bytes, which some .* not.*float32"):
        joined(predicted(model, [tmp_path / "between.npy"]))


def test_a_photo_of_16_bits_is_named_where_bytes_are_taken(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs["pictures"].parent
    monkeypatch.chdir(tmp_path)
    for kind in ("a cat", "dog"):
        Path("pets", kind).mkdir(parents=True)
        for i in range(70):
            deep = kind == "dog" and i == 68
            array = np.full((12, 10), 50001, "uint16") if deep else np.full((12, 10), 200, "uint8")
            Image.fromarray(array).save(Path("pets", kind, f"{i}.png"))
    assert ended("predict", folder / "whole.onnx", "pets/dog") == 4
    assert re.search(r"pets/dog/68.png: \S*whole.onnx takes input as bytes", capsys.readouterr().err)
    assert ended("eval", folder / "whole.onnx", "--part", "train") == 4
    assert re.search(r"file dog/68.png: \S*whole.onnx takes input as bytes", capsys.readouterr().err)


def test_samples_of_another_size_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    """The file takes what the data's source has; a resize in it is for samples of that size."""
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 9, 9), "uint8"))
    with pytest.raises(DataError, match="the file gives 1 x 9 x 9, input takes 1 x 8 x 8"):
        joined(predicted(OnnxModel.read(runs["digits"].parent / "whole.onnx"), [tmp_path / "x.npy"]))


@pytest.mark.parametrize("name", ["yes", "table", "numbers"])
@pytest.mark.parametrize("more", [(), ("--with-torch",)], ids=["stored", "torch"])
def test_a_spec_with_the_weights_of_a_run_sees_samples_as_that_does(
    runs: dict[str, Path],
    name: str,
    more: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Means, tables and units are those that the run has learnt, whatever data lies there now, if any."""
    monkeypatch.chdir(runs[name].parent)
    (spec,) = Path().glob("*.yaml")
    given = ("weights.load=run/best.safetensors", "data.source.path=none", *more)
    assert ended("export", spec, *given, "-o", "alone.onnx") == 0
    assert "run has learnt to see them" in capsys.readouterr().err
    found = joined(predicted(OnnxModel.read("alone.onnx"), [samples(runs[name])]))
    np.testing.assert_allclose(
        found.first, Run.read(runs[name]).predict(samples(runs[name])).first, rtol=1e-4, atol=1e-4
    )


def test_a_run_that_sees_its_data_otherwise_has_nothing_to_say(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor has a file of weights that lies in no run: where the data is not there, predict says what is not known."""
    monkeypatch.chdir(runs["yes"].parent)
    (spec,) = Path().glob("*.yaml")
    other = ("data.transform=[scale 2, standardize]", "data.source.path=none.npz")
    assert ended("export", spec, "weights.load=run/best.safetensors", *other, "-o", "alone.onnx") == 0
    assert "has learnt of its data is left aside" in capsys.readouterr().err
    assert ended("predict", "alone.onnx", "new.npy") == 4
    assert "alone.onnx was written of a spec alone" in capsys.readouterr().err
    Path("w.safetensors").write_bytes(Path("run/best.safetensors").read_bytes())
    assert ended("export", spec, "weights.load=w.safetensors", other[1], "-o", "alone.onnx") == 0
    assert ended("predict", "alone.onnx", "new.npy") == 4


@pytest.mark.parametrize("command", ["predict", "eval", "bench", "generate"])
def test_a_file_of_another_format_is_named_so(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "net.pt2").write_bytes(b"PK")
    assert ended(command, tmp_path / "net.pt2", *["x y"] * (command in ("predict", "generate"))) == 2
    assert "take those that end in .onnx" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["bytes", "named", "all_half", "small"])
def test_what_takes_and_gives_other_things_is_timed(runs: dict[str, Path], kind: str) -> None:
    found: Any = bench(OnnxModel.read(runs["digits"].parent / f"{kind}.onnx"), batches=[2], seconds=0)
    assert {each.way for each in found.results} == {"ONNX Runtime"}
    assert not found.left_out


@pytest.mark.parametrize("words", [("export", "-o", "other.onnx"), ("eval",), ("bench",)])
def test_other_weights_than_those_of_a_run_are_refused(
    runs: dict[str, Path], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs["yes"].parent
    monkeypatch.chdir(folder)
    command, *options = words
    assert ended(command, "run", f"weights.load={folder / 'run' / 'last.safetensors'}", *options) == 2
    assert "weights.load changes nothing there" in capsys.readouterr().err
    assert not Path("other.onnx").exists()
