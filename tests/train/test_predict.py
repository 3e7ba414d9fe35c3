"""Predicting from a run: what the network says of samples that it is given in files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import netspec
from netspec.api.run import Run
from netspec.errors import DataError
from netspec.runs.predict import predict
from tests.cli.test_commands import run as command
from tests.data.test_images import folders

DIGITS = """
netspec: 1
input: 1x4x4
layers: [fc 16, relu, fc 10]
data: {source: digits, transform: [resize 4, standardize]}
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 1}
"""
PHOTOS = """
netspec: 1
input: 3x4x4
layers: [fc 2]
data: {source: images photos size=4}
train: {loss: cross_entropy, optimizer: adamw lr=1e-2, epochs: 1, batch: 4}
"""
TWO_OUTPUTS = """
netspec: 1
inputs: {left: 3, right: 2}
layers:
  both: concat(left right)
  sum: linear 1
  wide: linear(both) 9
outputs: [sum, wide]
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "digits"
    netspec.loads(DIGITS).train(folder)
    return folder


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder without data: a spec and weights."""
    from netspec.runtime.network.weights import save_weights

    folder = tmp_path_factory.mktemp("runs") / "values"
    folder.mkdir()
    (folder / "spec.yaml").write_text(TWO_OUTPUTS)
    save_weights(netspec.loads(TWO_OUTPUTS).build().state_dict(), folder / "last.safetensors")
    return folder


@pytest.fixture
def images() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8), dtype=np.uint8)


def test_samples_go_the_way_of_the_validation_data(digits: Path) -> None:
    """The run's own validation images, as its source has them, give what the prepared ones give."""
    from netspec.runs.data import data_of

    run = Run.read(digits)
    data = data_of(run.spec, False)
    assert data.val is not None
    with np.load(Path(netspec.__file__).parent / "datasets" / "digits.npz") as held:
        np.save(digits / "all.npy", held["x"][:, None])
    found = predict(run, [digits / "all.npy"])
    with torch.inference_mode():
        wanted = run.module().eval()(*data.val.batch(torch.arange(len(data.val)))[0]).softmax(1).numpy()
    near = np.abs(found.first[:, None] - wanted[None]).max(2).min(0)
    assert near.max() < 1e-6
    assert found.classes == tuple("0123456789")


def test_the_data_that_it_was_trained_on_is_not_needed(tmp_path: Path) -> None:
    """Nor is it looked at: the classes' names and the means are those that the run keeps."""
    draw = np.random.default_rng(0)
    x, y, names = draw.normal(5, 2, (40, 3)), draw.integers(0, 2, 40), np.array(["no", "yes"])
    np.savez(tmp_path / "data.npz", x=x, y=y, names=names)
    (tmp_path / "spec.yaml").write_text(
        "netspec: 1\ninput: 3\nlayers: [linear 2]\n"
        "data: {source: npz data.npz classes=names, transform: standardize}\n"
        "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1}\n"
    )
    netspec.load(tmp_path / "spec.yaml").train(tmp_path / "run")
    np.save(tmp_path / "new.npy", x[:4])
    there = predict(Run.read(tmp_path / "run"), [tmp_path / "new.npy"])
    (tmp_path / "data.npz").unlink()
    gone = predict(Run.read(tmp_path / "run"), [tmp_path / "new.npy"])
    assert there.classes == gone.classes == ("no", "yes")
    assert np.array_equal(there.first, gone.first)
    (tmp_path / "run" / "data.json").unlink()
    with pytest.raises(DataError, match=r"data\.json is missing"):
        predict(Run.read(tmp_path / "run"), [tmp_path / "new.npy"])


def test_npy_and_npz_say_the_same(digits: Path, tmp_path: Path, images: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", images)
    np.savez(tmp_path / "named.npz", image=images, other=images[:1])
    np.savez(tmp_path / "alone.npz", whatever=images)
    found = [predict(Run.read(digits), [tmp_path / name]).first for name in ("x.npy", "named.npz", "alone.npz")]
    assert found[0].shape == (5, 10)
    assert np.allclose(found[0].sum(1), 1)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_the_command_shows_the_likeliest_classes(digits: Path, tmp_path: Path, images: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", images)
    written = command("predict", str(digits), "x.npy", "-o", "p.npy", cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    shares = np.load(tmp_path / "p.npy")
    first = int(shares[0].argmax())
    shown = command("predict", str(digits), "x.npy", "--top", "2", cwd=tmp_path)
    lines = shown.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(f"0: {first} ({shares[0, first]:.3f}), ")
    assert lines[0].count("(") == 2
    listed = json.loads(command("predict", str(digits), "x.npy", "--json", cwd=tmp_path).stdout)
    assert listed[0]["class"] == str(first)
    assert listed[0]["probabilities"][str(first)] == pytest.approx(float(shares[0, first]))


def test_a_device_or_a_pipe_takes_a_table(
    digits: Path, tmp_path: Path, images: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "x.npy", images)
    assert command("predict", str(digits), "x.npy", "-o", "/dev/stdout", cwd=tmp_path).returncode == 0
    assert capfd.readouterr().out.startswith("row,class,0,1,2,3")
    assert command("predict", str(digits), "x.npy", "-o", "/dev/full", cwd=tmp_path).returncode == 2


def test_values_of_several_inputs_and_outputs(values: Path, tmp_path: Path) -> None:
    left, right = np.ones((2, 3), "float32"), np.zeros((2, 2), "float32")
    np.save(tmp_path / "left.npy", left)
    np.save(tmp_path / "right.npy", right)
    np.savez(tmp_path / "both.npz", right=right, left=left)
    run = Run.read(values)
    found = predict(run, [tmp_path / "left.npy", tmp_path / "right.npy"])
    assert found.classes is None
    assert {name: x.shape for name, x in found.outputs.items()} == {"sum": (2, 1), "wide": (2, 9)}
    assert np.array_equal(found.first, predict(run, [tmp_path / "both.npz"]).first)
    shown = command("predict", str(values), "both.npz", cwd=tmp_path).stdout.splitlines()
    assert shown[1] == f"1: {found.first[1, 0]:.4g}; 9 values, which -o FILE writes"
    listed = json.loads(command("predict", str(values), "both.npz", "--json", cwd=tmp_path).stdout)
    assert [len(listed[0][name]) for name in ("sum", "wide")] == [1, 9]
    assert "name a .npz file" in command("predict", str(values), "both.npz", "-o", "p.npy", cwd=tmp_path).stderr
    assert command("predict", str(values), "both.npz", "-o", "p.npz", cwd=tmp_path).returncode == 0
    with np.load(tmp_path / "p.npz") as kept:
        assert np.array_equal(kept["wide"], found.outputs["wide"])


def test_a_row_is_a_sample_wherever_the_network_has_the_batch(tmp_path: Path) -> None:
    """The last state of an LSTM has the batch on its second axis, and the samples come in several batches."""
    from netspec.runtime.network.weights import save_weights

    text = "netspec: 1\ninput: 3x4\nlayers: {rnn: lstm 5 2 batch_first}\noutputs: [rnn, rnn.h]\n"
    net = netspec.loads(text).build().eval()
    (tmp_path / "spec.yaml").write_text(text)
    save_weights(net.state_dict(), tmp_path / "last.safetensors")
    x = np.random.default_rng(0).normal(size=(1500, 3, 4)).astype("float32")
    np.save(tmp_path / "x.npy", x)
    found = predict(Run.read(tmp_path), [tmp_path / "x.npy"])
    with torch.inference_mode():
        output, (state, _) = net.rnn(torch.from_numpy(x))  # type: ignore[operator]
    assert np.allclose(found.outputs["rnn"], output, atol=1e-6)
    assert np.allclose(found.outputs["rnn.h"], state.movedim(1, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 8, 8), np.uint8), "resize takes images of channels x height x width, the data is 8 x 8"),
        (np.zeros((2, 3, 8, 8), np.uint8), "the file gives 3 x 4 x 4, input takes 1 x 4 x 4"),
        (np.zeros((0, 1, 8, 8), np.uint8), "hold 0 samples"),
        (np.full((1, 1, 8, 8), np.nan), "row 0: found nan"),
        (np.array([["a"]]), "expected numbers"),
    ],
)
def test_samples_that_do_not_fit(digits: Path, tmp_path: Path, array: np.ndarray, text: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(DataError) as found:
        predict(Run.read(digits), [tmp_path / "x.npy"])
    assert "x.npy" in str(found.value)
    assert text in str(found.value)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["x.txt"], "neither .npy nor .npz"),
        (["nowhere.npy"], "is not a file"),
        (["x.npy", "x.npy"], "takes 1 input, image"),
        (["wrong.npz"], "no array 'image'. Did you mean 'imag'?"),
        (["x.npz"], "x.npz is no .npz file"),
    ],
)
def test_files_that_cannot_be_read(digits: Path, tmp_path: Path, names: list[str], text: str) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, 1, 8, 8), np.uint8))
    np.savez(tmp_path / "wrong.npz", imag=np.zeros(3), other=np.zeros(3))
    for name in ("x.txt", "x.npz"):
        (tmp_path / name).write_text("no array")
    with pytest.raises(DataError) as found:
        predict(Run.read(digits), [tmp_path / name for name in names])
    assert text in str(found.value)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over images in class folders, beside them."""
    root = tmp_path_factory.mktemp("photos")
    folders(root / "photos")
    (root / "spec.yaml").write_text(PHOTOS)
    netspec.load(root / "spec.yaml").train(root / "run")
    return root


def test_images_are_given_as_files_and_folders(photos: Path) -> None:
    run, bees = Run.read(photos / "run"), photos / "photos" / "bee"
    found = predict(run, [bees / "1.png", photos / "photos" / "ant"])
    assert found.files == tuple(map(str, (bees / "1.png", *sorted((photos / "photos" / "ant").iterdir()))))
    pixels = np.stack([np.asarray(Image.open(path).resize((4, 4), Image.Resampling.BILINEAR)) for path in found.files])
    np.save(photos / "x.npy", pixels.transpose(0, 3, 1, 2))
    assert np.allclose(found.first, predict(run, [photos / "x.npy"]).first)
    assert predict(run, [photos / "photos"]).first.shape == (12, 2)
    shown = command("predict", "run", "photos/bee", cwd=photos).stdout.splitlines()
    assert len(shown) == 6
    assert shown[0].startswith("photos/bee/0.png: ")
    listed = json.loads(command("predict", "run", "photos/bee/3.png", "--json", cwd=photos).stdout)
    assert listed[0]["file"] == "photos/bee/3.png"


def test_images_that_cannot_be_used(photos: Path) -> None:
    run = Run.read(photos / "run")
    (photos / "note.txt").write_text("no image")
    (photos / "empty").mkdir()
    with pytest.raises(DataError, match=r"note\.txt.* is not an image"):
        predict(run, [photos / "photos" / "ant", photos / "note.txt"])
    with pytest.raises(DataError, match=r"empty: there is no image"):
        predict(run, [photos / "empty"])
    with pytest.raises(DataError, match=r"nowhere\.png is not a file"):
        predict(run, [photos / "nowhere.png"])


def test_one_table_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    (tmp_path / "spec.yaml").write_text(
        "netspec: 1\ninput: 1\nlayers: [linear 2]\ndata: csv a.csv target=label\n"
        "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1}\n"
    )
    netspec.load(tmp_path / "spec.yaml").train(tmp_path / "run")
    run = Run.read(tmp_path / "run")
    assert predict(run, [tmp_path / "a.csv"]).first.shape == (20, 2)
    with pytest.raises(DataError, match="one table too many"):
        predict(run, [tmp_path / "a.csv", tmp_path / "a.csv"])


def test_a_network_may_tell_more_classes_apart_than_the_data_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i / 7:.2f},{'ab'[i % 2]}\n" for i in range(20)))
    spec = (
        "netspec: 1\ninput: 1\nlayers: [fc 4]\ndata: csv a.csv y\n"
        "train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 1, device: cpu}\n"
    )
    (tmp_path / "a.yaml").write_text(spec)
    netspec.load(tmp_path / "a.yaml").train(tmp_path / "run")
    (tmp_path / "new.csv").write_text("x\n0.5\n")
    assert netspec.Run.read(tmp_path / "run").predict(tmp_path / "new.csv").classes == ("a", "b", "class 2", "class 3")
