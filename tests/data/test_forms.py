"""Masks in whatever form they were saved, for whatever form the loss takes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import netspec
from netspec import Spec
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.language.calls import read_entry
from netspec.losses.base import Loss
from netspec.losses.forms import as_taken
from netspec.runs.data import data_of
from netspec.tensors import Tensor
from netspec.text.report import SpecError
from netspec.vocabulary import LOSSES

SIZE = 8
SPEC = """netspec: 1
input: 1x8x8
layers: [LAST]
data: {source: npz a.npz, augment: [flip, rotate 20 mask_fill=0], split: {val: 4}}
train: {loss: LOSS, optimizer: adamw lr=0.05, epochs: 1, batch: 8}
"""
GRID = (SIZE, SIZE)
YES = [("conv 1 k1", "bce_logits", (1, *GRID)), ("conv 1 k1, squeeze 1", "bce_logits", GRID)]
YES += [("conv 1 k1, sigmoid", "bce", (1, *GRID))]
CLASSES = [("conv 2 k1", "cross_entropy", GRID), ("conv 2 k1, log_softmax 1", "nll", GRID)]


def masks(count: int = 16) -> np.ndarray[Any, Any]:
    """Which points of the images are bright."""
    return np.random.RandomState(0).rand(count, 2, 2).repeat(4, 1).repeat(4, 2) > 0.5


def write(folder: Path, form: str) -> None:
    saved: np.ndarray[Any, Any] = masks()
    image = (saved[:, None] * 255).astype(np.uint8)
    saved = saved[:, None] if form.endswith("1HW") else saved[..., None] if form.endswith("HW1") else saved
    np.savez(folder / "a.npz", x=image, y=saved.astype(form.split()[0]))


def held_out(spec: Spec) -> tuple[torch.Tensor, torch.Tensor]:
    """The images and the masks of the validation part, which nothing augments."""
    part = data_of(spec, False).val
    assert part is not None
    inputs, target = part.batch(torch.arange(len(part)))
    return inputs[0], target


@pytest.mark.parametrize("axes", ["HW", "1HW", "HW1"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float32"])
@pytest.mark.parametrize(("last", "loss", "shape"), [*YES, *CLASSES])
def test_a_mask_has_the_form_that_the_loss_takes(
    dtype: str, axes: str, last: str, loss: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    write(tmp_path, f"{dtype} {axes}")
    spec = netspec.loads(SPEC.replace("LAST", last).replace("LOSS", loss)).at(tmp_path)
    if dtype == "float32" and (last, loss, shape) in CLASSES:
        with pytest.raises((SpecError, DataError)):  # floats are no class numbers
            spec.train()
        return
    image, target = held_out(spec)
    assert target.shape[1:] == shape
    assert target.is_floating_point() == ((last, loss, shape) in YES)
    assert (target.reshape(-1, 1, *GRID) > 0.5).equal(image > 0.5)
    assert spec.train().history.records


@pytest.mark.parametrize(("last", "loss"), [("conv 1 k1", "bce_logits"), ("conv 2 k1", "cross_entropy")])
@pytest.mark.parametrize("memory", ["1GB", "1KB"])
def test_masks_in_files_are_checked_and_trained_alike(last: str, loss: str, memory: str, tmp_path: Path) -> None:
    """Held or streamed, with a size that is known before they are read, and after a transform that moves them."""
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    for number, mask in enumerate(masks()):
        shown = Image.fromarray((mask * 255).astype(np.uint8))
        shown.save(tmp_path / "photos" / f"{number:02}.png")
        shown.save(tmp_path / "masks" / f"{number:02}.png")
    text = SPEC.replace("LAST", last).replace("LOSS", loss).replace("1x8x8", "1x16x16")
    source = "images photos masks=masks values=0x255 grey size=8, transform: resize 16, workers: 0, memory: " + memory
    text = text.replace("npz a.npz", source)
    spec = netspec.loads(text).at(tmp_path)  # which checks it
    image, target = held_out(spec)
    assert target.shape[-2:] == (16, 16)
    assert (target.reshape(-1, 16, 16)[:, ::3, ::3] > 0.5).equal(image[:, 0, ::3, ::3] > 0.5)
    assert spec.train().history.records


def test_mixup_mixes_masks_of_yes_and_no(tmp_path: Path) -> None:
    write(tmp_path, "uint8 HW")
    text = SPEC.replace("LAST", "conv 1 k1").replace("LOSS", "bce_logits").replace("[flip,", "[mixup, flip,")
    assert netspec.loads(text).at(tmp_path).train().history.records


@pytest.mark.parametrize(
    ("last", "loss", "words"),
    [
        ("conv 2 k1", "cross_entropy", "the target is 255, at least 0 .* as numpy.unique.* does; ignore_index= of the"),
        ("conv 1 k1", "bce_logits", r"the target is 255.0, at least 0 .* Save no as 0 and yes as 1, as \(y > 0\) is"),
    ],
)
def test_masks_of_0_and_255_are_told_what_to_save(last: str, loss: str, words: str, tmp_path: Path) -> None:
    mask = masks().astype(np.uint8) * 255
    text = SPEC.replace("LAST", last).replace("LOSS", loss)
    np.savez(tmp_path / "a.npz", x=mask[:, None], y=mask)
    with pytest.raises(DataError, match=words):
        netspec.loads(text).at(tmp_path).train()
    for mended in (np.unique(mask, return_inverse=True)[1].reshape(mask.shape), mask > 0):
        np.savez(tmp_path / "a.npz", x=mask[:, None], y=mended)
        assert netspec.loads(text).at(tmp_path).train().history.records


@pytest.mark.parametrize("axes", ["HW", "1HW", "HW1"])
@pytest.mark.parametrize(("last", "loss"), [("conv 2 k1", "cross_entropy"), ("conv 2 k1, log_softmax 1", "nll")])
def test_float_masks_of_classes_are_told_what_to_save(last: str, loss: str, axes: str, tmp_path: Path) -> None:
    text = SPEC.replace(", augment: [flip, rotate 20 mask_fill=0]", "")
    spec = netspec.loads(text.replace("LAST", last).replace("LOSS", loss)).at(tmp_path)
    write(tmp_path, f"float32 {axes}")
    for verb in (spec.look, spec.train):
        with pytest.raises(SpecError, match=r"Class numbers are whole: save them as y\.astype\('int64'\)\. Shares"):
            verb()
    shares = netspec.loads(text.replace("LAST", "conv 1 k1").replace("LOSS", "bce_logits")).at(tmp_path)
    assert shares.train().history.records  # as advised
    write(tmp_path, f"int64 {axes}")
    assert spec.train().history.records  # as advised


def test_numbers_of_another_grid_are_not_told_to_be_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=masks()[:, None].astype(np.float32), y=np.zeros((16, 4, 4), np.float32))
    text = SPEC.replace(", augment: [flip, rotate 20 mask_fill=0]", "").replace("LAST", "conv 2 k1")
    with pytest.raises(SpecError) as refused:
        netspec.loads(text.replace("LOSS", "cross_entropy")).at(tmp_path).look()
    assert "whole" not in str(refused.value)


def test_channels_last_are_told_before_masks_are_moved(tmp_path: Path) -> None:
    mask = masks().repeat(2, 1).repeat(2, 2)
    np.savez(tmp_path / "a.npz", x=np.stack([mask] * 3, -1).astype(np.uint8) * 255, y=mask[..., None])
    text = SPEC.replace("LAST", "conv 1 k1").replace("LOSS", "bce_logits").replace("1x8x8", "3x16x16")
    with pytest.raises(DataError, match=r"with the channels last\. Write the transform channels_first before it"):
        netspec.loads(text).at(tmp_path).train()
    mended = text.replace("augment", "transform: channels_first, augment")
    assert netspec.loads(mended).at(tmp_path).train().history.records


@pytest.mark.parametrize(
    ("saved", "prediction", "taken"),
    [
        (Tensor((BATCH, 9), "int64"), (9, 1), (9, 1)),
        (Tensor((BATCH, 9), "bool"), (1, 9), (1, 9)),
        (Tensor((BATCH, 9, 1)), (9,), (9,)),
        (Tensor((BATCH, 1, 4, 6), "int64"), (4, 6, 1), (4, 6, 1)),
        (Tensor((BATCH,), "int64"), (1,), (1,)),
    ],
)
def test_an_axis_of_size_1_is_where_the_network_has_it(
    saved: Tensor, prediction: tuple[int, ...], taken: tuple[int, ...]
) -> None:
    loss: Loss = read_entry("bce_logits", ("train", "loss"), LOSSES)[0]
    found = as_taken(saved, partial(loss.accepts, [Tensor((BATCH, *prediction))]))
    assert found == Tensor((BATCH, *taken))


def test_what_no_form_makes_fit_stays_as_it_is() -> None:
    loss: Loss = read_entry("mse", ("train", "loss"), LOSSES)[0]
    column, alone = [Tensor((BATCH, 1))], Tensor((BATCH,))
    assert as_taken(alone, partial(loss.accepts, column)) == alone
