"""Sources: what they read, and what they say about files that are not as they should be."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec.datasets import FAMILIES, files, npz
from netspec.datasets.files import Files
from netspec.errors import DataError
from netspec.vocabulary import DATASETS
from tests.data.writing import SHARED, idx_bytes, section, write_mnist


def read(source: Any, root: Path, **options: Any) -> Any:
    return section(source).source.read(Files(root, **options))


def test_every_word_is_in_the_table() -> None:
    for file, words in FAMILIES.items():
        assert set(words.lower().split()) == set(DATASETS.members(f"netspec.datasets.{file}"))
    for cls in DATASETS.classes():
        section(cls.example)


def test_digits_are_those_of_scikit_learn(tmp_path: Path) -> None:
    reference = pytest.importorskip("sklearn.datasets").load_digits()
    arrays = read("digits", tmp_path)
    assert np.array_equal(arrays.train.inputs[0][:, 0], reference.images)
    assert np.array_equal(arrays.train.target, reference.target)
    assert arrays.peak == arrays.train.inputs[0].max()


@pytest.mark.parametrize("packed", [False, True])
def test_mnist(tmp_path: Path, packed: bool) -> None:
    write_mnist(tmp_path / "mnist", packed=packed)
    arrays = read("mnist mnist", tmp_path)
    assert arrays.train.inputs[0].shape == (30, 1, 28, 28)
    assert arrays.test.target.tolist() == list(range(10))
    assert arrays.classes == tuple("0123456789")


@pytest.mark.skipif(not SHARED.is_dir(), reason="real MNIST is not on this machine")
def test_real_mnist(tmp_path: Path) -> None:
    arrays = read({"source": {"mnist": {"path": str(SHARED)}}}, tmp_path, allow_outside=True)
    assert np.bincount(arrays.train.target).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert abs(arrays.train.inputs[0][:].mean() / 255 - 0.1307) < 1e-4


LABELS = "mnist/train-labels-idx1-ubyte"
IMAGES = "mnist/train-images-idx3-ubyte"


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        (IMAGES, lambda b: b[:-1], ["train-images", "30 x 28 x 28", "23,520 bytes", "only 23,519", "truncated"]),
        (IMAGES, lambda b: b + b"\0", ["holds more", "mislabelled"]),
        (IMAGES, lambda b: b[:10], ["inside its header"]),
        (IMAGES, lambda b: b"", ["0 bytes long", "too short"]),
        (IMAGES, lambda b: b"PK" + b[2:], ["50 4b 08 03", "IDX"]),
        (IMAGES, lambda b: b[:2] + b"\x07" + b[3:], ["00 00 07 03"]),
        (IMAGES, lambda b: idx_bytes(np.zeros((30, 14, 14))), ["1 x 14 x 14", "expected 1 x 28 x 28"]),
        (IMAGES, lambda b: idx_bytes(np.zeros(30)), ["one number a sample", "swapped"]),
        (LABELS, lambda b: b[:-1] + b"\x0a", ["train-labels", "row 29", "label is 10", "0 to 9"]),
        (LABELS, lambda b: idx_bytes(np.zeros(29)), ["30 samples", "29 targets"]),
        (LABELS, lambda b: idx_bytes(np.zeros((30, 2))), ["30 x 2", "swapped"]),
        (LABELS, lambda b: gzip.compress(b)[:-9], ["train-labels", "damaged"]),
        (LABELS, lambda b: gzip.compress(b)[:12] + b"\xff" * 9, ["damaged"]),
        (IMAGES, lambda b: b[:4] + b"\xff" * 12, ["announces", "only 0"]),
    ],
)
def test_damaged_mnist(tmp_path: Path, name: str, damage: Any, words: list[str]) -> None:
    write_mnist(tmp_path / "mnist")
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(DataError) as caught:
        read("mnist mnist", tmp_path)
    for word in words:
        assert word in str(caught.value)


def test_missing_files_say_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mnist does not exist"):
        read("mnist mnist", tmp_path)
    write_mnist(tmp_path / "mnist")
    (tmp_path / LABELS).unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte does not exist.*holds: t10k-images"):
        read("mnist mnist", tmp_path)
    with pytest.raises(DataError, match="is a file, expected a folder"):
        read(f"mnist {IMAGES}", tmp_path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.datasets.idx.MAX_UNPACKED", 10_000)
    bomb = idx_bytes(np.zeros((2, 2))) + b"\0" * 50_000_000
    (tmp_path / "a").write_bytes(gzip.compress(bomb))
    (tmp_path / "b").write_bytes(idx_bytes(np.zeros(2)))
    with pytest.raises(DataError, match="holds more"):
        read("idx a b", tmp_path)


def test_idx_with_other_types_and_a_test_part(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 12).astype(">f4").reshape(3, 4)
    (tmp_path / "x").write_bytes(bytes([0, 0, 0x0D, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + values.tobytes())
    (tmp_path / "y").write_bytes(idx_bytes(np.array([0, 4, 2])))
    arrays = read({"source": {"idx": {"images": "x", "labels": "y", "test_images": "x", "test_labels": "y"}}}, tmp_path)
    assert np.array_equal(arrays.train.inputs[0][:], values)
    assert arrays.train.inputs[0].dtype == np.float32
    assert len(arrays.classes) == 5
    assert (len(arrays.test), arrays.val) == (3, None)
    arrays = read({"source": {"idx": {"images": "x", "labels": "y", "val_images": "x", "val_labels": "y"}}}, tmp_path)
    assert (len(arrays.val), arrays.test) == (3, None)
    with pytest.raises(DataError, match="idx: val_images and val_labels come together"):
        read({"source": {"idx": {"images": "x", "labels": "y", "val_images": "x"}}}, tmp_path)


def test_paths_stay_in_the_folder_of_the_spec(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    root = tmp_path / "spec"
    root.mkdir()
    (root / "link").symlink_to(tmp_path / "mnist")
    for path in (str(tmp_path / "mnist"), "../mnist", "a/../../mnist", "link"):
        source = {"source": {"mnist": {"path": path}}}
        with pytest.raises(DataError, match="leaves the folder of the spec"):
            read(source, root)
        if "a/" not in path:
            assert len(read(source, root, allow_outside=True).train) == 30


def save(path: Path, **arrays: Any) -> None:
    np.savez_compressed(path, **arrays)


def test_npz(tmp_path: Path) -> None:
    x, y = np.random.rand(6, 3), np.array([0, 1, 2, 0, 1, 2], dtype=np.uint8)
    save(tmp_path / "a.npz", x=x, y=y, names=np.array(["ant", "bee", "cat"]))
    arrays = read({"source": {"npz": {"path": "a.npz", "classes": "names"}}}, tmp_path)
    assert np.array_equal(arrays.train.inputs[0], x.astype(np.float32))
    assert arrays.train.target.dtype == np.int64
    assert arrays.classes == ("ant", "bee", "cat")


def test_npz_with_parts_and_several_inputs(tmp_path: Path) -> None:
    parts = {f"{n}_{p}": np.ones((k, 2)) for n in ("image", "meta", "y") for p, k in (("train", 5), ("test", 3))}
    save(tmp_path / "a.npz", **parts)
    arrays = read({"source": {"npz": {"path": "a.npz", "inputs": ["image", "meta"]}}}, tmp_path)
    assert (len(arrays.train), arrays.val, len(arrays.test)) == (5, None, 3)
    assert arrays.names == ("image", "meta")
    assert arrays.classes is None
    assert arrays.train.target.dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.ones((3, 2))}, ["has no array 'y'", "x"]),
        ({"x": np.ones((3, 2)), "y": np.ones(2)}, ["3 samples", "2 targets"]),
        ({"x": np.array([[1.0], [2.0], [np.nan]]), "y": np.ones(3)}, ["array 'x'", "row 2", "nan"]),
        ({"x": np.ones((2, 1)), "y": np.array([0.0, np.inf])}, ["array 'y'", "row 1", "inf"]),
        ({"x": np.array(["a", "b"]), "y": np.ones(2)}, ["expected numbers"]),
        ({"x": np.ones((2, 1)) * 1e300, "y": np.ones(2)}, ["as float32", "row 0"]),
        ({"x": np.array([{}, {}]), "y": np.ones(2)}, ["Python objects", "never unpickled"]),
        ({"x": np.ones((0, 1)), "y": np.ones(0)}, ["no samples"]),
        ({"x": np.ones((2, 1)), "y": 3}, ["single value"]),
    ],
)
def test_npz_that_does_not_fit(tmp_path: Path, arrays: dict[str, Any], words: list[str]) -> None:
    save(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError) as caught:
        read("npz a.npz", tmp_path)
    for word in ["a.npz", *words]:
        assert word in str(caught.value)


def test_npz_whose_header_lies(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.ones((2, 2)))
    content = stream.getvalue().replace(b"(2, 2)", b"(9, 9)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", b"nonsense")
    with pytest.raises(DataError, match=r"announces 9 x 9 values of float64, which are 648 bytes, and holds 32"):
        read("npz a.npz", tmp_path)
    with pytest.raises(DataError, match="no readable header"):
        read({"source": {"npz": {"path": "a.npz", "inputs": "y", "target": "x"}}}, tmp_path)


def test_npz_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "MAX_UNPACKED", 1000)
    save(tmp_path / "a.npz", x=np.zeros((100, 100)), y=np.zeros(100))
    with pytest.raises(DataError, match="unpacks to"):
        read("npz a.npz", tmp_path)
    assert files.MAX_UNPACKED > 2**31


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda b: b[:100], "is not a whole .npz file: its end, which lists the arrays, is missing"),
        (lambda b: b"", "is no .npz file: it is empty"),
        (lambda b: b"\0" * 400, "is no .npz file: it is no zip archive"),
        (lambda b: b"\x93NUMPY" + b, "is no .npz file: it holds one array, as numpy.save writes it"),
        (lambda b: b[:60] + b"\1" * 40 + b[100:], "is not a whole .npz file: Error -3 while decompressing"),
    ],
)
def test_damaged_npz(tmp_path: Path, damage: Any, words: str) -> None:
    save(tmp_path / "a.npz", x=np.random.rand(50, 3), y=np.zeros(50))
    path = tmp_path / "a.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"a\.npz") as caught:
        read("npz a.npz", tmp_path)
    assert words in str(caught.value)


@pytest.mark.parametrize("shape", ["-" * 9000, "(2, 2", "(-2, -2)", f"({10**23}, 0)", "(True, True)"])
def test_npy_with_a_shape_that_is_none(shape: str, tmp_path: Path) -> None:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x02\x00" + len(text).to_bytes(4, "little") + text + bytes(32))
    with pytest.raises(DataError, match=r"x\.npy has no readable header"):
        read("npy x.npy x.npy", tmp_path)


def test_names_in_an_archive_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", **{"\x1b[31mred": np.zeros(2), "y": np.zeros(2)})
    with pytest.raises(DataError, match=r"It has: \\u001b\[31mred, y"):
        read("npz a.npz", tmp_path)


PIPES = ["csv p target=y", "csv p.gz target=y", "parquet p target=y", "npz p.npz", "npy p.npy p.npy", "text p length=4"]


@pytest.mark.parametrize("source", PIPES)
def test_a_pipe_is_not_waited_for(source: str, tmp_path: Path) -> None:
    """Whoever reads one that nobody writes to would never end, nor heed a signal."""
    os.mkfifo(tmp_path / source.split()[1])
    with pytest.raises(DataError, match="is not a regular file, expected a file"):
        read(source, tmp_path)
