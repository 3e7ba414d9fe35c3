"""Images: folders of classes, tables of paths, decoding, and files that are no images."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from netspec.datasets import pictures
from netspec.errors import DataError
from netspec.runtime.data import Data
from netspec.runtime.loading import load_data
from tests.data.writing import section

CLASSES = ("ant", "bee")


def picture(path: Path, height: int = 6, width: int = 8, seed: int = 0, mode: str = "RGB") -> Path:
    """An image file of random points, in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = np.random.RandomState(seed).randint(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(points).convert(mode).save(path)
    return path


def folders(root: Path, count: int = 6, **more: Any) -> Path:
    """Class folders with some images each."""
    for label, name in enumerate(CLASSES):
        for i in range(count):
            picture(root / name / f"{i}.png", seed=100 * label + i, **more)
    return root


def load(root: Path, source: str | dict[str, Any] = "images photos", **more: Any) -> Data:
    return load_data(section({"source": source, "split": {"val": 0}, **more}), root)


def test_class_folders(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    (tmp_path / "photos" / "ant" / ".hidden").write_text("not seen")
    (tmp_path / "photos" / "README.txt").write_text("beside the folders")
    data = load(tmp_path)
    assert (data.classes, data.names) == (CLASSES, ("image",))
    assert data.train.target.tolist() == [0] * 6 + [1] * 6
    (images,), _ = data.train.batch(torch.tensor([7]))
    expected = np.asarray(Image.open(tmp_path / "photos" / "bee" / "1.png")).transpose(2, 0, 1)
    assert torch.equal(images[0], torch.from_numpy(expected.copy()).float().div_(255))


def test_classes_with_whole_numbers_for_names_are_in_their_order(tmp_path: Path) -> None:
    for name in ("10", "9", "2"):
        picture(tmp_path / "photos" / name / "a.png")
    assert load(tmp_path).classes == ("2", "9", "10")


def test_folders_for_parts(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("valid", 3), ("test", 2)):
        folders(tmp_path / "photos" / part, count)
    data = load_data(section("images photos"), tmp_path)
    assert data.val is not None
    assert data.test is not None
    assert [len(part) for part in (data.train, data.val, data.test)] == [10, 6, 4]
    with pytest.raises(DataError, match=r"has a folder for its val part\. Drop val=other"):
        load(tmp_path, "images photos val=other")


def test_parts_that_are_named(tmp_path: Path) -> None:
    folders(tmp_path / "a")
    folders(tmp_path / "b", 2)
    data = load_data(section("images a test=b"), tmp_path)
    assert data.test is not None
    assert data.val is not None
    assert [len(part) for part in (data.train, data.val, data.test)] == [11, 1, 4]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "train" / "a.png")
    picture(tmp_path / "photos" / "test" / "a.png")
    assert load(tmp_path).classes == ("test", "train")


def table(root: Path, text: str, name: str = "labels.csv") -> None:
    (root / "photos").mkdir(exist_ok=True)
    (root / "photos" / name).write_text(text)


def test_a_table_of_paths(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    table(tmp_path, "file,label,age\nbee/2.png,fly,3\nant/0.png,crawl,1.5\n")
    data = load(tmp_path, "images photos/labels.csv")
    assert (data.classes, data.train.target.tolist()) == (("crawl", "fly"), [1, 0])
    ages = load(tmp_path, "images photos/labels.csv labels=age regression")
    assert (ages.classes, ages.train.target.tolist()) == (None, [[3.0], [1.5]])
    (images,), _ = ages.train.batch(torch.tensor([1]))
    (first,), _ = load(tmp_path).train.batch(torch.tensor([0]))
    assert torch.equal(images, first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,label\nant/0.png,a\n,b\n", ["labels.csv, line 3: file is empty, expected the path of an image"]),
        ("file,label\nant/9.png,a\n", [r"labels.csv, line 2", "9.png does not exist"]),
        ("file,label\nant/0.png,a\n../../x.png,a\n", ["labels.csv, line 3", "leaves the folder of the spec"]),
        ("file,label\n/etc/passwd,a\n", ["leaves the folder of the spec"]),
        ("file,label\nant/0.png,\n", ["line 2", "label is empty"]),
        ("path,label\nant/0.png,a\n", ["no column 'file'"]),
        ("file,label\nant,a\n", ["line 2", "is a folder"]),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, text: str, words: list[str]) -> None:
    folders(tmp_path / "photos")
    table(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load(tmp_path, "images photos/labels.csv")
    assert all(word in str(caught.value) for word in words), caught.value


def test_images_outside_are_allowed_on_the_command_line_alone(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    root = tmp_path / "spec"
    (root / "photos" / "ant").mkdir(parents=True)
    (root / "photos" / "ant" / "link.png").symlink_to(tmp_path / "photos" / "ant" / "0.png")
    with pytest.raises(DataError, match="is a link that leaves the folder of the spec"):
        load(root)
    found = load_data(section({"source": "images photos", "split": {"val": 0}}), root, allow_outside=True)
    assert len(found.train) == 1


def test_sizes_that_differ_need_one_that_is_declared(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    picture(tmp_path / "photos" / "bee" / "z.jpg", 12, 16)
    with pytest.raises(DataError, match=r"z\.jpg is 12 x 16.*0\.png is 6 x 8\. Write size=6x8"):
        load(tmp_path)
    data = load(tmp_path, "images photos size=3x4")
    assert [str(x) for x in data.inputs] == ["B x 3 x 3 x 4"]
    (images,), _ = data.train.batch(torch.tensor([0]))
    with Image.open(tmp_path / "photos" / "ant" / "0.png") as image:
        mean = np.asarray(image).astype(np.float64).mean() / 255
    assert abs(images.mean().item() - mean) < 0.03  # points that fall together are averaged, not dropped


def test_grey_and_what_becomes_of_other_modes(tmp_path: Path) -> None:
    for i, mode in enumerate(("RGB", "L", "RGBA", "P", "LA", "1")):
        picture(tmp_path / "photos" / "a" / f"{i}.png", mode=mode)
    picture(tmp_path / "photos" / "a" / "cmyk.jpg", mode="CMYK")
    assert str(load(tmp_path).inputs[0]) == "B x 3 x 6 x 8"
    assert str(load(tmp_path, "images photos grey").inputs[0]) == "B x 1 x 6 x 8"


def test_known_before_anything_is_read() -> None:
    assert section("images photos").gives().inputs is None
    assert [str(x) for x in section("images photos size=8x6 grey").gives().inputs or ()] == ["B x 1 x 8 x 6"]
    assert str(section("images labels.csv regression").gives().target) == "B x 1"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(path: Path, side: int = 9_000) -> None:
    """A PNG of a few bytes that announces very many points."""
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b""))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def deep(path: Path) -> None:
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cannot be used: image file is truncated"),
        (lambda path: path.write_text("hello"), "is not an image of a format that is read: PNG, JPEG"),
        (lambda path: path.write_bytes(b""), "is not an image"),
        (bomb, "9,000 x 9,000 points, at most 67,108,864"),
        (lambda path: bomb(path, 60_000), "exceeds limit"),
        (deep, "more than 8 bits"),
        (pipe, "not a regular file"),
    ],
)
@pytest.mark.parametrize("reading", [{}, {"memory": "1KB", "workers": 1}], ids=["held", "streamed"])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, damage: Any, words: str, reading: dict[str, Any]) -> None:
    folders(tmp_path / "photos")
    damage(tmp_path / "photos" / "bee" / "3.png")
    with pytest.raises(DataError) as caught:
        list(load(tmp_path, **reading).train.batches(4))
    assert "bee/3.png (image 9)" in str(caught.value)
    assert words in str(caught.value)


def test_other_formats_are_not_even_opened(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    (tmp_path / "photos" / "bee" / "3.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n")
    with pytest.raises(DataError, match=r"3\.eps \(image 9\) is not an image"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: (root / "empty").mkdir(), "empty is the folder of a class, and holds no image"),
        (lambda root: picture(root / "ant" / "more" / "a.png"), "more is a folder, expected an image"),
    ],
)
def test_folders_that_are_not_as_they_should_be(tmp_path: Path, make: Any, words: str) -> None:
    folders(tmp_path / "photos")
    make(tmp_path / "photos")
    with pytest.raises(DataError, match=words):
        load(tmp_path)


def test_no_folders_at_all(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "a.png")
    with pytest.raises(DataError, match=r"holds no folder\. It should hold one for each class"):
        load(tmp_path)


def test_a_class_that_training_does_not_have(tmp_path: Path) -> None:
    folders(tmp_path / "photos" / "train")
    folders(tmp_path / "photos" / "val")
    picture(tmp_path / "photos" / "val" / "cow" / "1.png")
    with pytest.raises(DataError, match=r"val, file cow/1\.png: label is 'cow', which the training part does not have"):
        load_data(section("images photos"), tmp_path)


def test_every_file_is_decoded_once_where_all_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path / "photos")
    decoded = []
    whole = pictures.Pictures._decoded

    def counting(self: pictures.Pictures, image: Any) -> Any:
        decoded.append(image.filename)
        return whole(self, image)

    monkeypatch.setattr(pictures.Pictures, "_decoded", counting)
    data = load_data(section({"source": "images photos", "split": {"val": 4}, "transform": "standardize"}), tmp_path)
    for _ in range(3):
        list(data.train.batches(5))
    assert len(decoded) == len(set(decoded)) + 1 == 13  # the first is looked at before all are decoded
    assert data.train.inputs[0].dtype == torch.float32


def test_streamed_images_are_those_in_memory(tmp_path: Path) -> None:
    folders(tmp_path / "photos", mode="P")
    picture(tmp_path / "photos" / "bee" / "z.jpg", 60, 80)
    held = load(tmp_path, "images photos size=5")
    streamed = load(tmp_path, "images photos size=5", memory="1KB", workers=2)
    for (a, x), (b, y) in zip(held.train.batches(5), streamed.train.batches(5), strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(x, y)


def test_a_folder_without_one_of_the_classes_keeps_the_numbers_of_a_run(tmp_path: Path) -> None:
    learnt = load(folders(tmp_path / "photos").parent).learnt
    for image in (tmp_path / "photos" / "ant").iterdir():
        image.unlink()
    (tmp_path / "photos" / "ant").rmdir()
    data = load_data(section({"source": "images photos", "split": {"val": 0}}), tmp_path, learnt=learnt)
    assert data.classes == CLASSES
    assert data.train.target.tolist() == [1] * 6


def test_names_that_no_file_can_have_are_told(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    with pytest.raises(DataError, match="cannot be opened: File name too long"):
        load(tmp_path, f"images {'x' * 300}")
    (tmp_path / "photos" / "ant" / "z.png").symlink_to("z.png")
    with pytest.raises(DataError, match="cannot be opened: it is a link to itself"):
        load(tmp_path)
    (tmp_path / "photos" / "ant" / "z.png").unlink()
    (tmp_path / "photos" / "b\udcff").mkdir()
    with pytest.raises(DataError, match=r"b\\udcff has a name that is not UTF-8"):
        load(tmp_path)
