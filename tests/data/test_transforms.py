"""Every transform: its words, and that the shape it announces is the one it makes."""

from __future__ import annotations

from dataclasses import replace
from math import pi
from typing import Any

import pytest
import torch
from torch.nn.functional import pad

from netspec import transforms
from netspec.catalogue import Catalogue
from netspec.dims import BATCH
from netspec.language.calls import read_entry
from netspec.runtime.data.split import Split, Steps, as_floats, seeded
from netspec.tensors import Misfit, Tensor
from netspec.transforms.augment import rotated
from netspec.transforms.base import Augmentation, Chance, Transform
from netspec.transforms.colour import grey
from netspec.transforms.route import Placed
from netspec.vocabulary import AUGMENTATIONS, TRANSFORMS

ROWS = [
    "resize 32",
    "resize 5x7",
    "resize 9 mode=bicubic",
    "resize 9 mode=area",
    "resize 9 mode=nearest",
    "resize 3 antialias=false",
    "pad 2",
    "pad 1x3",
    "crop 6",
    "crop 5x8",
    "reshape 2x96",
    "reshape 192",
    "channels_first",
    "channels_last",
    "normalize 0.5 0.25",
    "normalize 0.1x0.2x0.3 1x2x3",
    "scale 2 -1",
]
RANDOM_ROWS = [
    "crop 8 pad=2",
    "crop 5x6",
    "crop 9x10 pad=1x1",
    "crop 9x8 pad=2x1 reflect",
    "flip",
    "flip vertical p=0.3",
    "rotate 30",
    "erase",
    "erase p=1 smallest=0.5 largest=1 ratio=1",
    "jitter 0.4 0.4 0.2",
]


def step(row: str, catalogue: Catalogue[Any] = TRANSFORMS) -> Any:
    return read_entry(row, (), catalogue)[0]


def images(count: int = 6) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=seeded(1))


@pytest.mark.parametrize(
    ("catalogue", "table"), [(TRANSFORMS, transforms.TRANSFORMS), (AUGMENTATIONS, transforms.AUGMENTATIONS)]
)
def test_every_word_is_in_the_table(catalogue: Catalogue[Any], table: dict[str, str]) -> None:
    for file, words in table.items():
        assert set(words.lower().split()) == set(catalogue.members(f"netspec.transforms.{file}"))
    for cls in catalogue.classes():
        assert isinstance(step(cls.example, catalogue), cls)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("size", [6, 1])
def test_announced_shapes(row: str, size: int) -> None:
    transform: Transform = step(row)
    bytes_ = images(size)
    x = bytes_ if transform.takes_bytes else as_floats(bytes_, 255)
    result = transform.apply(x)
    assert tuple(result.shape) == transform.shape(Tensor(tuple(bytes_.shape))).shape
    assert result.dtype == x.dtype
    assert torch.equal(as_floats(result, 255), transform.apply(as_floats(bytes_, 255)))


@pytest.mark.parametrize("row", RANDOM_ROWS)
def test_augmentations_depend_on_the_generator_alone(row: str) -> None:
    augmentation: Augmentation = step(row, AUGMENTATIONS)
    x = images(40) if augmentation.takes_bytes else as_floats(images(40), 255)
    result = augmentation.apply(x, Chance(seeded(0, 1, 2), len(x)))
    assert tuple(result.shape) == augmentation.shape(Tensor(tuple(x.shape))).shape
    assert result.dtype == x.dtype
    assert torch.equal(result, augmentation.apply(x, Chance(seeded(0, 1, 2), len(x))))
    assert not torch.equal(result, augmentation.apply(x, Chance(seeded(0, 1, 3), len(x))))
    assert torch.equal(result.float(), augmentation.apply(x.float(), Chance(seeded(0, 1, 2), len(x))))


def test_crop_cuts_windows_of_the_framed_image() -> None:
    x = images(50)
    framed = pad(x, (2, 2, 1, 1))
    cut = step("crop 6x7 pad=1x2", AUGMENTATIONS).apply(x, Chance(seeded(5), len(x)))
    for image, window in zip(framed, cut, strict=True):
        windows = image.unfold(1, 6, 1).unfold(2, 7, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        assert any(torch.equal(window, one) for one in windows)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32], ids=str)
def test_crop_cuts_windows_of_the_image_with_its_mirror_image_around_it(kind: torch.dtype) -> None:
    x = torch.randint(256, (40, 2, 5, 6), generator=seeded(1)).to(kind)
    framed = pad(x.float(), (3, 3, 2, 2), mode="reflect").to(kind)
    cut = step("crop 5x6 pad=2x3 reflect", AUGMENTATIONS).apply(x, Chance(seeded(5), len(x)))
    windows = [framed[:, :, i : i + 5, j : j + 6] for i in range(5) for j in range(7)]
    assert torch.stack([(cut == each).flatten(1).all(1) for each in windows]).any(0).all()
    with pytest.raises(Misfit, match="mirrors 5 x 5 points of images of only 5 x 6"):
        step("crop 5 pad=5 reflect", AUGMENTATIONS).shape(Tensor((BATCH, 2, 5, 6)))


def test_flip_alternates_between_epochs_whatever_the_order_and_the_batches() -> None:
    rows = torch.arange(400)
    split = Split((rows.float().view(-1, 1, 1, 1).expand(-1, 1, 2, 2) * torch.tensor([1.0, 2.0]),), rows)
    split = replace(split, steps=Steps((), (Placed(step("flip alternate", AUGMENTATIONS), (0,)),), ()))
    turned = []
    for epoch in range(3):
        seen = torch.zeros(400, dtype=torch.bool)
        for part in torch.randperm(400, generator=seeded(epoch)).split(7 + epoch):
            (x,), _ = split.batch(part, seeded(9, epoch), slice(1, len(part)), epoch)
            seen[part[1:]] = x[:, 0, 0, 0] > x[:, 0, 0, 1]
            (x,), _ = split.batch(part, seeded(9, epoch), slice(0, 1), epoch)
            seen[part[:1]] = x[:, 0, 0, 0] > x[:, 0, 0, 1]
        turned.append(seen)
    assert torch.equal(turned[0][1:], ~turned[1][1:])
    assert torch.equal(turned[0], turned[2])
    assert 0.4 < turned[0].float().mean() < 0.6
    runs = (turned[0][1:] != turned[0][:-1]).float().mean()
    assert 0.4 < runs < 0.6
    with pytest.raises(Misfit, match="whatever p is"):
        step("flip p=0.3 alternate", AUGMENTATIONS).shape(Tensor((BATCH, 1, 4, 4)))


def test_flip_mirrors_about_the_share_that_it_says() -> None:
    x = images(2000)
    flipped = step("flip p=0.25", AUGMENTATIONS).apply(x, Chance(seeded(7), len(x)))
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert ((flipped == x).flatten(1).all(1) | mirrored).all()
    assert 0.2 < mirrored.float().mean() < 0.3


def test_a_turn_by_a_right_angle_is_exact_whatever_the_sides() -> None:
    x = as_floats(images(), 255)
    quarter = torch.tensor([pi / 2] * len(x))
    assert torch.allclose(rotated(x, quarter), x.rot90(1, (-2, -1)), atol=1e-5)
    assert torch.allclose(rotated(x, -quarter), x.rot90(-1, (-2, -1)), atol=1e-5)
    assert torch.allclose(rotated(x[..., :5], 2 * quarter), x[..., :5].flip(-1, -2), atol=1e-5)
    square = (torch.arange(41.0) - 20).square()
    hill = (-(square[:, None] + square) / 50).exp()[None, None, :, 3:-3]
    assert torch.allclose(rotated(hill, torch.tensor([0.7])), hill, atol=0.01)


def test_angles_stay_within_their_limit() -> None:
    line = torch.zeros(500, 1, 41, 41)
    line[:, :, 20, 30] = 1
    turned = step("rotate 40", AUGMENTATIONS).apply(line, Chance(seeded(3), len(line))).flatten(1).argmax(1)
    angles = torch.atan2(20.0 - turned // 41, turned % 41 - 20.0) * 180 / pi
    assert -43 < angles.min() < -35
    assert 35 < angles.max() < 43


def test_erase_blackens_rectangles_of_the_sizes_that_it_says() -> None:
    x = torch.ones(3000, 2, 40, 30, dtype=torch.uint8)
    black = step("erase p=0.5 smallest=0.1 largest=0.3 ratio=2", AUGMENTATIONS).apply(x, Chance(seeded(4), len(x))) == 0
    assert torch.equal(black[:, 0], black[:, 1])
    black = black[:, 0]
    hit = black.flatten(1).any(1)
    assert 0.45 < hit.float().mean() < 0.55
    black = black[hit]
    height, width = black.any(2).sum(1), black.any(1).sum(1)
    area = black.flatten(1).sum(1)
    assert torch.equal(area, height * width)
    assert (area.min() / 1200, area.max() / 1200) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.3, abs=0.02))
    assert (height / width).max() < 2.3
    assert (width / height).max() < 2.3
    assert black.any(0).all()


def test_jitter_moves_brightness_contrast_and_saturation_and_nothing_else() -> None:
    x = as_floats(images(300), 255)
    ratio = step("jitter 0.3", AUGMENTATIONS).apply(x, Chance(seeded(1), len(x))) / x
    factor = ratio[:, 0, 0, 0]
    assert torch.allclose(ratio[x > 0], factor[:, None, None, None].expand_as(x)[x > 0])
    assert (factor > 0.7).all()
    assert (factor < 1.3).all()
    assert factor.std() > 0.1
    contrasted = step("jitter 0 0.5", AUGMENTATIONS).apply(x, Chance(seeded(1), len(x)))
    mean = grey(x).mean((2, 3))
    assert torch.allclose(grey(contrasted).mean((2, 3)), mean, atol=1e-6)
    assert not torch.allclose(contrasted, x, atol=0.1)
    saturated = step("jitter 0 0 1", AUGMENTATIONS).apply(x, Chance(seeded(1), len(x)))
    assert torch.allclose(grey(saturated), grey(x), atol=1e-6)
    assert not torch.allclose(saturated, x, atol=0.1)


def test_values() -> None:
    x = images().float() / 255
    assert torch.equal(step("normalize 0.1307 0.3081").apply(x), (x - 0.1307) / 0.3081)
    channel = step("normalize 0.1x0.2x0.3 1x2x3").apply(x)[:, 1]
    assert torch.equal(channel, (x[:, 1] - 0.2) / 2)
    assert torch.equal(step("scale 2 -1").apply(x), x * 2 - 1)
    assert step("scale 1").apply(torch.tensor([[3]])).dtype == torch.float32


def test_standardize_learns_from_what_it_is_given() -> None:
    x = torch.randn(3000, 3, 4, generator=seeded(2)) * torch.tensor([[1.0], [20], [0]]) + torch.tensor(
        [[0.0], [5], [7]]
    )
    learned = step("standardize").fitted([x[:1000], x[1000:]])
    y = learned.apply(x)
    assert torch.allclose(y.mean((0, 2)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(y.std((0, 2), correction=0), torch.tensor([1.0, 1, 0]), atol=1e-4)
    assert learned.std[2] == 1


@pytest.mark.parametrize(
    ("row", "shape"),
    [("resize 3", (2, 8)), ("crop 9", (2, 1, 8, 8)), ("normalize 0x0 1", (2, 3, 8, 8)), ("reshape 3", (2, 4))],
)
def test_what_does_not_fit_is_refused(row: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(Misfit):
        step(row).shape(Tensor(shape))


@pytest.mark.parametrize(
    ("row", "shape", "words"),
    [
        ("rotate 5", (2, 8), "takes images"),
        ("erase smallest=0.5", (2, 1, 8, 8), "a smallest of 0.5 above its largest of 0.33"),
        ("jitter 0.1 0.1 0.1", (2, 1, 8, 8), "the saturation of red, green and blue, the data is 1 x 8 x 8"),
    ],
)
def test_augmentations_that_do_not_fit_are_refused(row: str, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(Misfit, match=words):
        step(row, AUGMENTATIONS).shape(Tensor(shape))


@pytest.mark.parametrize(
    ("row", "catalogue"),
    [
        *((row, TRANSFORMS) for row in ("normalize 0 1", "standardize", "resize 3")),
        *((row, AUGMENTATIONS) for row in ("rotate 5", "jitter 0.1")),
    ],
)
def test_whole_numbers_have_no_values_in_between(row: str, catalogue: Catalogue[Any]) -> None:
    with pytest.raises(Misfit, match="takes floats, the data is int64"):
        step(row, catalogue).shape(Tensor((2, 1, 8, 8), "int64"))
    assert step("scale 1").shape(Tensor((2, 1, 8, 8), "int64")).dtype == "float32"


def test_steps_give_the_same_ahead_and_with_each_batch() -> None:
    rows = ["pad 2", "resize 20", "normalize 0.3 0.4"]
    pad_, resize, normalize = (Placed(step(row)) for row in rows)
    steps = Steps((pad_, resize), (), (normalize,), 255)
    x, y = images(3000), torch.zeros(3000)
    ((ready,), same), left = steps.ahead(((x,), y))
    assert same is y
    assert left == Steps(peak=255)
    assert torch.equal(left(((ready[:100],), y))[0][0], steps(((x[:100],), y))[0][0])


def test_augmentation_stands_between_moving_and_values() -> None:
    pad_, crop, normalize = (
        Placed(step(row, catalogue))
        for row, catalogue in (("pad 2", TRANSFORMS), ("crop 8", AUGMENTATIONS), ("normalize 0.5 1", TRANSFORMS))
    )
    steps = Steps((pad_,), (crop,), (normalize,), 255)
    ((ready,), y), left = steps.ahead(((images(10),), torch.zeros(10)))
    assert ready.dtype == torch.uint8
    assert ready.shape[-1] == 12
    assert left(((ready,), y))[0][0].shape[-1] == 12
    (cut,), _ = left(((ready,), y), Chance(seeded(0), 10))
    assert cut.shape[-1] == 8
    assert cut.min() == -0.5
