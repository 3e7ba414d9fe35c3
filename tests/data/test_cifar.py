"""CIFAR's binary files: what is read of them, and what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from netspec.datasets.cifar import CIFAR10, CIFAR100
from netspec.datasets.files import Files
from netspec.errors import DataError


def batch(path: Path, labels: list[list[int]], seed: int = 0) -> np.ndarray:
    """A file of so many images, each behind its labels; the images."""
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.concatenate([np.array(labels, np.uint8), images], 1).tobytes())
    return images.reshape(-1, 3, 32, 32)


def cifar10(folder: Path, count: int = 4) -> list[np.ndarray]:
    """The six files with so many images each."""
    names = [*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin"]
    return [batch(folder / name, [[(4 * n + i) % 10] for i in range(count)], n) for n, name in enumerate(names)]


def test_images_and_classes_are_those_of_the_files(tmp_path: Path) -> None:
    images = cifar10(tmp_path / "c")
    found = CIFAR10(path="c").read(Files(tmp_path))
    assert found.test is not None
    assert np.array_equal(found.train.inputs[0][:], np.concatenate(images[:5]))
    assert np.array_equal(found.test.inputs[0][:], images[5])
    assert np.asarray(found.train.target[:]).tolist() == [(4 * n + i) % 10 for n in range(5) for i in range(4)]
    assert found.train.target.dtype == np.int64
    assert found.classes is not None
    assert found.classes[3] == "cat"


@pytest.mark.parametrize(("labels", "wanted", "count"), [("fine", [99, 7], 100), ("coarse", [19, 3], 20)])
def test_of_cifar_100_either_classes(labels: str, wanted: list[int], count: int, tmp_path: Path) -> None:
    for name in ("train.bin", "test.bin"):
        images = batch(tmp_path / name, [[19, 99], [3, 7]])
    found = CIFAR100(path=".", labels=labels).read(Files(tmp_path))
    assert np.asarray(found.train.target[:]).tolist() == wanted
    assert np.array_equal(found.train.inputs[0][:], images)
    assert found.classes is not None
    assert len(found.classes) == count


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    cifar10(tmp_path)
    path = tmp_path / "data_batch_2.bin"
    whole = path.read_bytes()
    for content, message in (
        (whole[:-1], "data_batch_2.bin is 12,291 bytes long, which is no whole number of images of 3,073"),
        (b"", "data_batch_2.bin is 0 bytes long"),
        (b"\x0a" + whole[1:], "data_batch_2.bin, row 0: the label is 10, expected a class from 0 to 9"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            CIFAR10(path=".").read(Files(tmp_path))
    path.unlink()
    with pytest.raises(DataError, match=r"data_batch_2\.bin"):
        CIFAR10(path=".").read(Files(tmp_path))


def test_the_pickled_version_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(DataError, match="holds data_batch_1, a pickle of the version for Python, which is not read"):
        CIFAR10(path=".").read(Files(tmp_path))
