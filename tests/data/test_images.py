"""Images: folders of classes, tables of paths, decoding, and files that are no images."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import netspec
from netspec.api.run import Run
from netspec.datasets import pictures
from netspec.datasets.files import Files
from netspec.datasets.images import Images
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.runs.predict import predict
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data, seeded
from netspec.tensors import Tensor
from netspec.text.report import SpecError
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


def labelled(**more: Any) -> dict[str, Any]:
    given = {"path": "photos/labels.csv", "labels": {"cls": "label", "age": "years"}, "numbers": "age"}
    return {"images": given | more}


def test_several_labels_by_name(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    table(tmp_path, "file,label,years\nbee/2.png,fly,3\nant/0.png,crawl,1.5\nant/1.png,crawl,7\n")
    data = load(tmp_path, labelled(), split={"val": 0})
    _, target = data.train.batch(torch.tensor([0, 1, 2]))
    assert isinstance(target, dict)
    assert (data.classes, target["cls"].tolist()) == (("crawl", "fly"), [1, 0, 0])
    assert target["age"].tolist() == [[3.0], [1.5], [7.0]]
    listed = load(tmp_path, labelled(labels=["years", "label"], numbers="years"), split={"val": 0})
    assert {name: target.tolist() for name, target in listed.train.batch(torch.tensor([0, 1]))[1].items()} == {
        "years": [[3.0], [1.5]],
        "label": [1, 0],
    }
    named = section({"source": labelled()}).source
    assert (named.targets, named.columns_of("age"), named.columns_of("cls")) == (("cls", "age"), ("years",), ())


def test_images_beside_a_table_that_have_no_row_are_told(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    rows = [f"{kind}/{i}.png,a,1\n" for kind in ("ant", "bee") for i in range(6)]
    for held, said in (
        (rows, ""),
        (rows[:-1], "1 image without a row is left out"),
        (rows[:-2], "2 images without a row are left out"),
    ):
        table(tmp_path, "file,label,years\n" + "".join(held))
        found = section({"source": labelled()}).source.read(Files(tmp_path)).told
        assert [said in line for line in found] == ([True] if said else [])


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        ("file,label,years\nant/0.png,a,1\nant/9.png,a,2\n", {}, ["labels.csv, line 3", "9.png does not exist"]),
        ("file,label,years\nant/0.png,a,old\n", {}, ["line 2: years is 'old', expected a finite number"]),
        ("file,label,years\nant/0.png,a,\n", {}, ["line 2: years is empty"]),
        ("file,label,year\nant/0.png,a,1\n", {}, ["no column 'years'. Did you mean 'year'"]),
        ("file,label,years\nant/0.png,a,1\n", {"numbers": "ages"}, ["'ages', which is no label. Did you mean 'age'"]),
        ("", {"path": "photos"}, ["photos is a folder; several labels stand in a .csv file"]),
        ("", {"masks": "mask"}, ["masks are one target, labels= names 2"]),
    ],
)
def test_several_labels_that_are_wrong(tmp_path: Path, text: str, more: dict[str, Any], words: list[str]) -> None:
    folders(tmp_path / "photos")
    table(tmp_path, text)
    with pytest.raises(DataError) as caught:
        load(tmp_path, labelled(**more))
    assert all(word in str(caught.value) for word in words), caught.value


NET = """netspec: 1
input: 3x6x8
layers: {x: flatten, cls: fc 2, age: fc(x) 1}
outputs: [cls, age]
data:
  source: {images: {path: photos/labels.csv, labels: {cls: label, age: years}, numbers: age}}
train: {loss: {cls: cross_entropy, age: mse}, optimizer: sgd lr=0.01, epochs: 1, device: cpu}
"""


def test_several_labels_are_trained_and_predicted_by_name(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    rows = [f"{kind}/{i}.png,{kind},{i + 20}\n" for kind in ("ant", "bee") for i in range(6)]
    table(tmp_path, "file,label,years\n" + "".join(rows))
    (tmp_path / "net.yaml").write_text(NET)
    netspec.load(tmp_path / "net.yaml").train(tmp_path / "run")
    found = predict(Run.read(tmp_path / "run"), [tmp_path / "photos" / "ant" / "0.png"])
    assert found.answers["cls"].classes == ("ant", "bee")
    assert found.answers["age"].labels == ("years",)
    with pytest.raises(SpecError, match=r"Say that they are numbers: .* or numbers of images with several labels"):
        netspec.loads(NET.replace(", numbers: age", "")).at(tmp_path).train()


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


def floats(path: Path) -> None:
    Image.fromarray(np.zeros((6, 8), np.float32)).save(path, format="TIFF")


def several(path: Path) -> None:
    first, second = (Image.fromarray(np.full((6, 8), v, np.uint8)) for v in (0, 255))
    first.save(path, format="TIFF", save_all=True, append_images=[second])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut, "cannot be used: image file is truncated"),
        (lambda path: path.write_text("hello"), "is not an image of a format that is read: PNG, JPEG"),
        (lambda path: path.write_bytes(b""), "is not an image"),
        (bomb, "9,000 x 9,000 points, at most 67,108,864"),
        (lambda path: bomb(path, 60_000), "exceeds limit"),
        (floats, "Pillow's mode F"),
        (several, "holds several images"),
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
    assert len(decoded) == len(set(decoded)) == 12
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


def test_images_are_turned_as_their_exif_says(tmp_path: Path) -> None:
    points = np.random.RandomState(0).randint(0, 256, (6, 8, 3), dtype=np.uint8)
    upright = {
        1: points,
        2: points[:, ::-1],
        3: points[::-1, ::-1],
        4: points[::-1],
        5: points.transpose(1, 0, 2),
        6: np.rot90(points, -1),
        7: np.rot90(points, 2).transpose(1, 0, 2),
        8: np.rot90(points),
    }
    for number, wanted in upright.items():
        root = tmp_path / f"p{number}"
        (root / "a").mkdir(parents=True)
        exif = Image.Exif()
        exif[0x0112] = number
        Image.fromarray(points).save(root / "a" / "x.png", exif=exif)
        (image,), _ = load(tmp_path, f"images p{number}").train.batch(torch.tensor([0]))
        assert torch.equal((image[0] * 255).round().byte().permute(1, 2, 0), torch.from_numpy(wanted.copy())), number
    (image,), _ = load(tmp_path, "images p6 size=16x12").train.batch(torch.tensor([0]))
    assert image.shape == (1, 3, 16, 12)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
@pytest.mark.parametrize("reading", [{}, {"memory": "20B", "workers": 1}], ids=["held", "streamed"])
def test_sixteen_bits_are_kept(name: str, reading: dict[str, Any], tmp_path: Path) -> None:
    points = np.random.RandomState(0).randint(0, 2**16, (6, 8)).astype(np.uint16)
    picture(tmp_path / "photos" / "a" / "b.png", mode="L")
    Image.fromarray(points).save(tmp_path / "photos" / "a" / name)
    (images,), _ = load(tmp_path, "images photos grey", **reading).train.batch(torch.tensor([0, 1]))
    assert torch.allclose(images[1, 0], torch.from_numpy(points.astype(np.float32) / 65535), atol=1e-7)
    with Image.open(tmp_path / "photos" / "a" / "b.png") as plain:
        assert torch.allclose(images[0, 0], torch.from_numpy(np.asarray(plain) / np.float32(255)))
    (colours,), _ = load(tmp_path, "images photos size=3x4", **reading).train.batch(torch.tensor([1]))
    assert colours.shape == (1, 3, 3, 4)
    assert torch.equal(colours[:, 0], colours[:, 2])
    assert abs(colours.mean().item() - points.mean() / 65535) < 0.03


def pairs(root: Path, count: int = 6, fold: str = "", value: int = 1) -> None:
    """Images, and masks of the same stems, that say where they are bright: squares of `value`."""
    random = np.random.RandomState(7)
    for name in ("images", "masks"):
        (root / name / fold).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        mask = np.zeros((12, 12), np.uint8)
        top, left = random.randint(0, 7, 2)
        mask[top : top + 5, left : left + 5] = 1
        image = random.randint(0, 60, (12, 12, 3), dtype=np.uint8) + 150 * mask[..., None]
        Image.fromarray(image).save(root / "images" / fold / f"{i}.png")
        Image.fromarray(mask * np.uint8(value)).save(root / "masks" / fold / f"{i}.bmp")


MASKED = "images photos/images masks=photos/masks"


@pytest.mark.parametrize("reading", [{}, {"memory": "20B", "workers": 1}], ids=["held", "streamed"])
def test_masks_by_the_names_of_their_images(reading: dict[str, Any], tmp_path: Path) -> None:
    pairs(tmp_path / "photos")
    data = load(tmp_path, MASKED, **reading)
    assert (data.classes, data.target) == (None, Tensor((BATCH, 12, 12), "int64"))
    (image,), mask = data.train.batch(torch.arange(6))
    assert torch.equal(image[:, 0] > 0.5, mask == 1)
    flipped, moved = load(tmp_path, MASKED, augment="flip p=1", **reading).train.batch(torch.arange(6), seeded(0))
    assert torch.equal(moved, mask.flip(-1))
    assert torch.equal(flipped[0], image.flip(-1))
    (image,), mask = load(tmp_path, f"{MASKED} size=6", **reading).train.batch(torch.arange(6))
    assert mask.shape == (6, 6, 6)
    assert ((image[:, 0] > 0.5) == (mask == 1)).float().mean() > 0.85


def test_values_of_masks_and_masks_of_numbers(tmp_path: Path) -> None:
    pairs(tmp_path / "photos", value=255)
    (image,), mask = load(tmp_path, f"{MASKED} values=0x255").train.batch(torch.arange(6))
    assert torch.equal(image[:, 0] > 0.5, mask == 1)
    _, turned = load(tmp_path, f"{MASKED} values=255x0").train.batch(torch.arange(6))
    assert torch.equal(turned, 1 - mask)
    _, shares = load(tmp_path, f"{MASKED} regression").train.batch(torch.arange(6))
    assert shares.dtype == torch.float32
    assert torch.equal(shares[:, 0], mask.float())
    with pytest.raises(
        DataError, match=r"0\.bmp \(image 0\) cannot be used: a point has the value 255, values has 0, 1"
    ):
        load(tmp_path, f"{MASKED} values=0x1")
    with pytest.raises(AssertionError, match="a different whole number for each class"):
        load(tmp_path, f"{MASKED} values=1x1")


def test_parts_of_images_with_masks(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("valid", 2)):
        pairs(tmp_path / "photos", count, part)
    data = load_data(section(MASKED), tmp_path)
    assert data.val is not None
    assert (len(data.train), len(data.val)) == (5, 2)
    named = "images photos/images/train masks=photos/masks/train val=photos/images/valid val_masks=photos/masks/valid"
    again = load_data(section(named), tmp_path)
    assert again.fingerprint() == data.fingerprint()


def colour(root: Path) -> None:
    picture(root / "masks" / "0.bmp", 12, 12)


def grey_colour(root: Path) -> None:
    with Image.open(root / "masks" / "0.bmp") as mask:
        mask.convert("RGB").save(root / "masks" / "0.bmp")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: (root / "masks" / "3.bmp").unlink(), "images, file 3.png: {root}/masks has no mask called 3"),
        (lambda root: (root / "images" / "3.png").unlink(), "masks, file 3.bmp: there is no image called 3"),
        (lambda root: picture(root / "masks" / "3.png", 12, 12), "holds 3.bmp and 3.png, which have the same stem"),
        (lambda root: picture(root / "images" / "0.png", 12, 14), "0.bmp is 12 x 12, its image"),
        (colour, "0.bmp (image 0) cannot be used: it is of Pillow's mode RGB and has colours"),
    ],
)
def test_masks_that_do_not_go_with_their_images(damage: Any, words: str, tmp_path: Path) -> None:
    pairs(tmp_path / "photos")
    damage(tmp_path / "photos")
    with pytest.raises(DataError) as caught:
        load(tmp_path, f"{MASKED} size=12")
    assert words.format(root=tmp_path / "photos") in str(caught.value)


def test_a_mask_may_be_saved_with_three_equal_channels_or_a_palette(tmp_path: Path) -> None:
    pairs(tmp_path / "photos")
    _, wanted = load(tmp_path, MASKED).train.batch(torch.arange(6))
    grey_colour(tmp_path / "photos")
    with Image.open(tmp_path / "photos" / "masks" / "1.bmp") as mask:
        mask.putpalette([9, 9, 9, 200, 0, 0])
        mask.save(tmp_path / "photos" / "masks" / "1.png")
    (tmp_path / "photos" / "masks" / "1.bmp").unlink()
    _, found = load(tmp_path, MASKED).train.batch(torch.arange(6))
    assert torch.equal(found, wanted)


def test_a_jpeg_is_no_mask(tmp_path: Path) -> None:
    pairs(tmp_path / "photos", 1)
    picture(tmp_path / "photos" / "masks" / "0.jpg", 12, 12, mode="L")
    (tmp_path / "photos" / "masks" / "0.bmp").unlink()
    with pytest.raises(DataError, match="it is a JPEG, which blurs the numbers of classes"):
        load(tmp_path, MASKED)


def test_several_images_a_row(tmp_path: Path) -> None:
    pairs(tmp_path / "photos", 4)
    lines = "".join(f"images/{i}.png,images/{(i + 1) % 4}.png,masks/{i}.bmp,{i % 2}\n" for i in range(4))
    table(tmp_path, f"left,right,mask,label\n{lines}", "pairs.csv")
    source: dict[str, Any] = {"images": {"path": "photos/pairs.csv", "files": ["left", "right"]}}
    data = load(tmp_path, source, augment="flip p=1")
    assert data.names == ("left", "right")
    (left, right), target = data.train.batch(torch.arange(4))
    assert target.tolist() == [0, 1, 0, 1]
    assert torch.equal(left.roll(-1, 0), right)
    (a, b), _ = data.train.batch(torch.arange(4), seeded(0))
    assert torch.equal(a, left.flip(-1))
    assert torch.equal(b, right.flip(-1))
    source["images"]["masks"] = "mask"
    _, mask = load(tmp_path, source).train.batch(torch.arange(4))
    assert torch.equal(mask == 1, left[:, 0] > 0.5)
    with pytest.raises(DataError, match=r"several images a sample stand in a \.csv file"):
        load(tmp_path, {"images": {"path": "photos/images", "files": ["left", "right"]}})
    read = section({"source": source})
    (first, second) = read.source.samples([tmp_path / "photos" / "pairs.csv"], {})
    assert len(first) == len(second) == 4
    with pytest.raises(
        DataError, match=r"a sample has 2 images: name a \.csv file with their paths, in columns called"
    ):
        read.source.samples([tmp_path / "photos" / "images"], {})


def test_a_segmentation_of_images_with_masks_trains(tmp_path: Path) -> None:
    pairs(tmp_path / "photos", 24, value=255)
    (tmp_path / "a.yaml").write_text(
        f"""netspec: 1
input: 3x12x12
layers: [conv 8 k3 same, relu, conv 2 k3 same]
data: {{source: {MASKED} values=0x255, augment: [flip, rotate 30, crop 12 pad=2, jitter 0.1], split: {{val: 4}}}}
train: {{loss: cross_entropy, optimizer: adamw lr=0.03, epochs: 15, batch: 8, metrics: [accuracy]}}
"""
    )
    last = netspec.load(tmp_path / "a.yaml").train().history.records[-1]
    assert last["train.loss"] < 0.15
    assert last["val.accuracy"] > 0.97


def test_one_class_only_and_classes_without_samples_are_told(tmp_path: Path) -> None:
    folders(tmp_path / "photos")
    picture(tmp_path / "photos" / "cow" / "0.png")
    spec = "netspec: 1\ninput: 3x6x8\nlayers: [fc 3]\ndata: {source: images photos, split: {val: 3, stratify: STRAT}}\n"
    (tmp_path / "a.yaml").write_text(spec.replace("STRAT", "true") + "train: {loss: ce, optimizer: adam, epochs: 1}\n")
    with pytest.warns(UserWarning, match=r"^the (train|val) part has no sample of the class cow$"):
        netspec.load(tmp_path / "a.yaml").train()
    shutil.rmtree(tmp_path / "photos" / "cow")
    shutil.rmtree(tmp_path / "photos" / "bee")
    with pytest.warns(UserWarning, match="all samples that are trained on are of the class ant"):
        netspec.load(tmp_path / "a.yaml").train()


def test_a_value_that_is_no_class_names_the_mask_and_the_way_out(tmp_path: Path) -> None:
    pairs(tmp_path / "photos", value=255)
    text = f"netspec: 1\ninput: 3x12x12\nlayers: [conv 2 k1]\ndata: {{source: {MASKED}, augment: rotate 9}}\n"

    def train(loss: str) -> Any:
        (tmp_path / "a.yaml").write_text(f"{text}train: {{loss: {loss}, optimizer: adam, epochs: 1}}\n")
        return netspec.load(tmp_path / "a.yaml").train()

    with pytest.raises(DataError, match=r"masks, file \d \(train part\): the target is 255.*values= of the source"):
        train("cross_entropy")
    assert train("cross_entropy ignore_index=255")
    with pytest.raises(netspec.SpecError, match="bce_logits compares numbers, the target holds class numbers"):
        train("bce_logits")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_only_transparency_shows_is_not_dropped_in_silence(mode: str, tmp_path: Path) -> None:
    """A drawing in black on nothing would be a black image."""
    folders(tmp_path / "photos", height=8)
    drawn = Image.fromarray(np.eye(8, dtype=np.uint8) * 255)
    sheer, saved = Image.merge("LA", (Image.new("L", (8, 8), 0), drawn)), tmp_path / "photos" / "bee" / "1.png"
    if mode == "P":
        numbers = Image.fromarray(np.eye(8, dtype=np.uint8), "P")
        numbers.putpalette([0] * 768)
        numbers.save(saved, transparency=0)
    else:
        sheer.convert(mode).save(saved)
    words = (
        r"1\.png \(image 7\) cannot be used: all that it shows is in its transparency, which is dropped\. Save it as"
    )
    with pytest.raises(DataError, match=words):
        load(tmp_path)
    white = Image.new("RGBA", (8, 8), "white")
    white.alpha_composite(sheer.convert("RGBA"))
    white.convert("RGB").save(saved)
    assert load(tmp_path).train.inputs[0].shape == (12, 3, 8, 8)
    sheer.putalpha(200)
    sheer.save(saved)
    assert load(tmp_path).train.inputs[0].shape == (12, 3, 8, 8)


def of_bits(folder: Path, bits: int) -> Path:
    """Images whose points have so many bits, stored in 16."""
    for name, most in (("dark", 2 ** (bits - 1)), ("light", 2**bits)):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            points = np.random.default_rng(i).integers(most // 4, most, (4, 4)).astype(np.uint16)
            points[0, 0] = most - 1
            Image.fromarray(points).save(folder / name / f"{i}.png")
    return folder


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_images_of_fewer_bits_than_they_are_stored_in_are_told_and_scaled(tmp_path: Path, bits: int) -> None:
    most = 2**bits - 1
    of_bits(tmp_path / "scans", bits)
    plain = Images(path="scans", grey=True).read(Files(tmp_path))
    text = f"their points go up to {most:,}, and 65,535 is 1.0. Are they of {bits} bits? Then bits={bits} makes 1.0 of"
    assert text in plain.told[0]
    assert plain.train.inputs[0][:].max() < 0.26
    scaled = Images(path="scans", grey=True, bits=bits).read(Files(tmp_path))
    assert scaled.train.inputs[0][:].max() == 1
    assert "Are they" not in scaled.told[0]
    of_bits(tmp_path / "more", bits + 1)
    with pytest.raises(DataError, match=f"bits={bits} says that {most:,} is the most"):
        Images(path="more", grey=True, bits=bits).read(Files(tmp_path)).train.inputs[0][:]


def test_images_of_16_bits_are_told_to_be_so(tmp_path: Path) -> None:
    of_bits(tmp_path / "scans", 16)
    assert Images(path="scans", grey=True).read(Files(tmp_path)).told == (
        "images of 16 bits: their points go up to 65,535, and 65,535 is 1.0",
    )
