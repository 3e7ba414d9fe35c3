"""Loaded data: splits, batches, and whether it fits a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netspec.datasets.base import Arrays, Part
from netspec.dims import BATCH, named
from netspec.errors import DataError
from netspec.runtime.data.holdout import held_out, split
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data, seeded
from netspec.sections.data import Split, read_data
from netspec.tensors import Tensor
from tests.data.writing import section, write_mnist


def load(data: Any, root: Path = Path(), **options: Any) -> Data:
    return load_data(section(data), root, **options)


def test_digits_by_default() -> None:
    data = load("digits")
    assert (len(data.train), data.val and len(data.val), data.test) == (1438, 359, None)
    assert data.val is not None
    assert torch.bincount(data.val.target).tolist() == [36, 36, 35, 37, 36, 36, 37, 35, 35, 36]
    (images,), labels = data.train.batch(torch.tensor([3, 0, 3]))
    assert images.shape == (3, 1, 8, 8)
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.max() <= 1
    assert torch.equal(images[0], images[2])


def test_batches_go_through_all_samples_in_order() -> None:
    data = load({"source": "digits", "transform": "resize 12"})
    assert data.val is not None
    parts = list(data.val.batches(100))
    assert [len(target) for _, target in parts] == [100, 100, 100, 59]
    (whole,), target = data.val.batch(torch.arange(len(data.val)))
    assert torch.equal(torch.cat([inputs[0] for inputs, _ in parts]), whole)
    assert torch.equal(torch.cat([t for _, t in parts]), target)


def test_augmentation_only_with_a_generator_and_only_in_training() -> None:
    data = load({"source": "digits", "transform": "normalize 0.3 0.4", "augment": "flip p=1"})
    assert data.val is not None
    rows = torch.arange(4)
    plain, augmented = data.train.batch(rows)[0][0], data.train.batch(rows, seeded(0))[0][0]
    assert torch.equal(augmented, plain.flip(-1))
    assert torch.equal(data.val.batch(rows, seeded(0))[0][0], data.val.batch(rows)[0][0])


@pytest.mark.parametrize("augment", [["crop 8 pad=1", "flip", "rotate 20", "erase", "jitter 0.3"], ["flip", "mixup 1"]])
def test_rows_of_a_batch_are_those_of_the_whole_batch(augment: list[str]) -> None:
    data = load({"source": "digits", "augment": augment})
    samples = torch.randperm(len(data.train), generator=seeded(3))[:33]
    (whole,), target = data.train.batch(samples, seeded(1))
    for rows in (slice(0, 7), slice(7, 32), slice(32, 33), slice(0, 33)):
        (x,), y = data.train.batch(samples, seeded(1), rows)
        assert torch.equal(x, whole[rows])
        assert torch.equal(y, target[rows])


def test_rows_of_the_batches() -> None:
    val = load("digits").val
    assert val is not None
    halves = [list(val.batches(100, half)) for half in (lambda n: slice(0, n // 2), lambda n: slice(n // 2, n))]
    for whole, left, right in zip(val.batches(100), *halves, strict=True):
        assert torch.equal(torch.cat([left[1], right[1]]), whole[1])
        assert torch.equal(torch.cat([left[0][0], right[0][0]]), whole[0][0])


def test_generators_differ_by_every_number() -> None:
    drawn = {torch.rand(1, generator=seeded(*n)).item() for n in [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0)]}
    assert len(drawn) == 5
    assert torch.rand(1, generator=seeded(1, 2, 3)).item() == torch.rand(1, generator=seeded(1, 2, 3)).item()


def test_a_source_with_a_test_part_keeps_it(tmp_path: Path) -> None:
    write_mnist(tmp_path / "m", train=40, test=20)
    data = load({"source": "mnist m", "split": {"val": 10}}, tmp_path)
    assert data.val is not None
    assert data.test is not None
    assert (len(data.train), len(data.val), len(data.test)) == (30, 10, 20)
    assert torch.bincount(data.val.target).tolist() == [1] * 10
    with pytest.raises(DataError, match="keeps its test part apart"):
        load({"source": "mnist m", "split": {"test": 10}}, tmp_path)
    assert load({"source": "mnist m", "split": {"val": 0}}, tmp_path).val is None


def arrays(count: int, classes: int = 3) -> Arrays:
    target = np.arange(count) % classes
    return Arrays(Part((np.arange(count, dtype=np.float32)[:, None],), target))


@pytest.mark.parametrize(
    ("val", "test", "sizes"),
    [
        (0.25, 0.5, (5, 5, 10)),
        (3, 4, (13, 3, 4)),
        (0.001, None, (19, 1, 0)),
    ],
)
def test_parts_share_no_sample(val: float, test: float | None, sizes: tuple[int, int, int]) -> None:
    parts = split(arrays(20), Split(val=val, test=test), 0.1)
    rows = [set(p.inputs[0][:].ravel().tolist()) if p else set() for p in (parts.train, parts.val, parts.test)]
    assert tuple(len(r) for r in rows) == sizes
    assert set.union(*rows) == set(range(20))


def test_a_split_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="nothing is left"):
        split(arrays(20), Split(val=20), 0.1)


def test_stratified_parts_keep_the_proportions() -> None:
    target = np.array([0] * 900 + [1] * 90 + [2] * 10)
    chosen = held_out(target, 100, seed=3, stratify=True)
    assert np.bincount(target[chosen]).tolist() == [90, 9, 1]
    assert len(set(chosen.tolist())) == 100


def test_the_draw_never_changes() -> None:
    """A network would be validated on samples that it was trained on, if the draw changed between releases."""
    assert held_out(np.arange(30) % 3, 6, seed=0, stratify=True).tolist() == [6, 10, 11, 19, 21, 23]
    assert held_out(np.zeros(30), 6, seed=1, stratify=False).tolist() == [2, 3, 7, 10, 12, 15]


def test_a_network_of_another_size_is_refused_with_a_way_out() -> None:
    data = load("digits")
    data.need_fit({"image": Tensor((BATCH, 1, 8, 8))})
    data.need_fit({"image": Tensor((BATCH, 1, named("H"), named("W")))})
    with pytest.raises(DataError, match=r"gives 1 x 8 x 8, image takes 1 x 32 x 32. Write transform: resize 32"):
        data.need_fit({"image": Tensor((BATCH, 1, 32, 32))})
    with pytest.raises(DataError, match=r"image takes 64. Write transform: reshape 64"):
        data.need_fit({"image": Tensor((BATCH, 64))})
    with pytest.raises(DataError, match="of float32, ids takes 64 of int64"):
        data.need_fit({"ids": Tensor((BATCH, 64), "int64")})
    with pytest.raises(DataError, match=r"1 input, the network takes 2: a, b"):
        data.need_fit({"a": Tensor((BATCH, 64)), "b": Tensor((BATCH, 64))})


def test_augmentation_that_changes_the_size_is_refused_where_the_network_does_not_take_it() -> None:
    read, problems = read_data({"source": "digits", "augment": "crop 6"})
    assert read is not None
    assert [p.severity for p in problems] == ["warning"]
    data = load_data(read, Path())
    data.need_fit({"image": Tensor((BATCH, 1, named("H"), named("W")))})
    with pytest.raises(DataError, match="gives 1 x 6 x 6, image takes 1 x 8 x 8, after augmentation"):
        data.need_fit({"image": Tensor((BATCH, 1, 8, 8))})


def test_transforms_that_do_not_fit_what_was_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 5)), y=np.zeros(4))
    with pytest.raises(DataError, match="resize takes images of channels x height x width, the data is 5"):
        load({"source": "npz a.npz", "transform": "resize 3"}, tmp_path)


def test_standardize_is_fitted_to_the_training_part_alone(tmp_path: Path) -> None:
    text = "".join(f"{i},{i % 3},{i % 2}\n" for i in range(40))
    (tmp_path / "a.csv").write_text(f"a,b,y\n{text}")
    data = load({"source": "csv a.csv y", "transform": "standardize", "split": {"val": 10}}, tmp_path)
    assert data.val is not None
    (x,), _ = data.train.batch(torch.arange(30))
    assert torch.allclose(x.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(x.std(0, correction=0), torch.ones(2), atol=1e-5)
    (held,), _ = data.val.batch(torch.arange(10))
    assert held.mean(0).abs().max() > 1e-3
    raw = load({"source": "csv a.csv y", "split": {"val": 10}}, tmp_path)
    assert raw.val is not None
    assert torch.equal(data.steps((raw.val.inputs, raw.val.target))[0][0], held)


def test_several_inputs(tmp_path: Path) -> None:
    image = np.random.RandomState(0).randint(0, 256, (20, 1, 4, 4), dtype=np.uint8)
    ids = np.arange(20 * 3).reshape(20, 3)
    np.savez(tmp_path / "a.npz", image=image, ids=ids, y=np.linspace(0, 1, 20))
    source = {"npz": {"path": "a.npz", "inputs": ["image", "ids"]}}
    data = load({"source": source, "transform": "pad 1"}, tmp_path)
    assert [(str(x), x.dtype) for x in data.inputs] == [("B x 1 x 6 x 6", "float32"), ("B x 3", "int64")]
    assert (data.names, data.classes, data.target.dtype) == (("image", "ids"), None, "float32")
    (images, numbers), target = data.train.batch(torch.tensor([0]))
    assert images.max() <= 1
    assert (len(numbers), len(target)) == (1, 1)
