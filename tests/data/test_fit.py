"""The advice to data that does not fit a network: each has been followed here, and leads to the right result."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netspec
from netspec.datasets.fit import unfit
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.losses.base import need_same_shape
from netspec.runtime.data.loading import load_data
from netspec.tensors import Misfit, Tensor
from netspec.text.reader import read_text
from tests.data.writing import idx_bytes, section


def hint(given: tuple[int, ...], wanted: tuple[int, ...], dtype: Any = "float32") -> str:
    ((_, found),) = unfit([Tensor((BATCH, *given), dtype)], {"input": Tensor((BATCH, *wanted))})
    return found


@pytest.mark.parametrize(
    ("given", "wanted", "advice"),
    [
        ((12, 12, 3), (3, 12, 12), "Write transform: channels_first"),
        ((12, 16, 3), (3, 12, 16), "Write transform: channels_first"),
        ((28, 28, 1), (1, 28, 28), "Write transform: channels_first"),
        ((32, 32, 4), (4, 32, 32), "Write transform: channels_first"),
        ((24, 24, 3), (3, 12, 12), "Write transform: [channels_first, resize 12]"),
        ((24, 20, 3), (3, 12, 10), "Write transform: [channels_first, resize 12x10]"),
        ((3, 24, 24), (3, 12, 12), "Write transform: resize 12"),
        ((1, 8, 8), (1, 32, 32), "Write transform: resize 32"),
        ((784,), (1, 28, 28), "Write transform: reshape 1x28x28"),
        ((1, 784), (1, 28, 28), "Write transform: reshape 1x28x28"),
        ((28, 28), (1, 28, 28), "Write transform: reshape 1x28x28"),
        ((1, 28, 28), (784,), "Write transform: reshape 784"),
        ((3, 32, 32), (3072,), "Write transform: reshape 3072"),
    ],
)
def test_what_is_advised(given: tuple[int, ...], wanted: tuple[int, ...], advice: str) -> None:
    assert hint(given, wanted) == advice
    row = read_text(f"data: {{source: digits, {advice.removeprefix('Write ')}}}").data["data"]
    x = torch.arange(2.0 * np.prod(given)).view(2, *given)
    read = section({"source": "digits"}).ways((Tensor((2, *given)),), None).use
    assert read.inputs
    from netspec.runtime.data.split import Steps
    from netspec.sections.data_steps import read_steps
    from netspec.transforms.route import Placed
    from netspec.vocabulary import TRANSFORMS

    steps, problems, _ = read_steps(row["transform"], (), TRANSFORMS, lambda name: name)
    assert not problems
    (made,), _ = Steps(after=tuple(Placed(each.written.step) for each in steps))(((x,), x))
    assert tuple(made.shape[1:]) == wanted
    if "channels_first" in advice and "resize" not in advice:
        assert torch.equal(made, x.permute(0, 3, 1, 2))
    if "reshape" in advice:
        assert torch.equal(made.flatten(), x.flatten())


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((12, 12, 3), (3, 12, 12)),
        ((3, 12, 12), (12, 12, 3)),
        ((12, 10, 3), (3, 10, 12)),
        ((20, 28), (28, 20)),
        ((1, 20, 28), (1, 28, 20)),
        ((6, 4), (2, 12)),
        ((16, 16, 3), (12, 64)),
        ((32, 32, 3), (1, 48, 64)),
    ],
)
def test_what_would_scramble_is_never_advised(given: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    assert "reshape" not in hint(given, wanted)


def test_where_the_order_is_not_known_both_are_said() -> None:
    found = hint((3072,), (3, 32, 32))
    assert "reshape 3x32x32, if all of a channel comes before the next" in found
    assert "write transform: [reshape 32x32x3, channels_first], if it comes last" in found


def test_channels_that_are_first_where_the_network_has_them_last() -> None:
    found = hint((3, 12, 12), (12, 12, 3))
    assert found.startswith("Declare input: 3x12x12, as layers take images")
    assert found.endswith("where the network itself moves the channels, write transform: channels_last")


def test_other_channels_than_those_of_the_network() -> None:
    assert hint((32, 32, 3), (1, 32, 32)).startswith("Write transform: channels_first, and declare input: 3x32x32")
    assert hint((3, 32, 32), (1, 32, 32)) == "Declare input: 3x32x32, or take other data."


@pytest.mark.parametrize("wanted", [(3, 9, 11), (4, 9, 11), (3, 18, 22)])
def test_grey_images_without_an_axis_for_channels_are_no_signals(wanted: tuple[int, ...]) -> None:
    advice = "Write transform: reshape 1x9x11, and declare input: 1x9x11, for images in grey, or take other data."
    assert hint((9, 11), wanted) == advice
    assert hint((9, 11), (1, 9, 11)) == "Write transform: reshape 1x9x11"  # as advised


def test_rows_of_numbers_for_a_network_with_the_channels_last() -> None:
    found = hint((12 * 10 * 3,), (12, 10, 3))
    assert found.startswith("Write transform: reshape 12x10x3, if a point's channels stand together")
    assert found.endswith("write transform: [reshape 3x12x10, channels_last], if they do not.")


def test_whole_numbers_and_another_order_are_told_together() -> None:
    assert hint((12, 12, 3), (3, 12, 12), "int64") == "Write transform: [scale 1, channels_first]"
    assert hint((3, 12, 12), (3, 12, 12), "int64") == "Write transform: scale 1"


def test_one_of_several_inputs_is_named() -> None:
    given = [Tensor((BATCH, 3, 8, 8)), Tensor((BATCH, 8, 8, 3))]
    wanted = {"left": Tensor((BATCH, 3, 8, 8)), "right": Tensor((BATCH, 3, 8, 8))}
    assert [advice for _, advice in unfit(given, wanted)] == ["Write transform: {right: channels_first}"]


@pytest.mark.parametrize("source", ["npz a.npz", "npy x.npy y.npy", "idx images labels"])
def test_the_same_is_said_of_every_source(source: str, tmp_path: Path) -> None:
    x, y = np.random.RandomState(0).randint(0, 256, (20, 12, 12, 3)).astype(np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "a.npz", x=x, y=y)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    (tmp_path / "images").write_bytes(idx_bytes(x))
    (tmp_path / "labels").write_bytes(idx_bytes(y))
    data = load_data(section(source), tmp_path)
    with pytest.raises(DataError, match=re.escape("Write transform: channels_first")):
        data.need_fit({"input": Tensor((BATCH, 3, 12, 12))})
    data = load_data(section({"source": source, "transform": "channels_first", "split": 0}), tmp_path)
    data.need_fit({"input": Tensor((BATCH, 3, 12, 12))})
    (image,), _ = data.train.batch(torch.tensor([4]))
    assert torch.equal(image[0], torch.from_numpy(x[4]).permute(2, 0, 1) / 255)


SPEC = """netspec: 1
input: 3x6x6
layers: [fc 2]
data: {source: npz a.npz, transform: TRANSFORM}
train: {loss: cross_entropy, optimizer: sgd lr=0.1, epochs: 2, scheduler: SCHEDULE}
"""


def trained(folder: Path, x: Any, transform: str = "scale 1", schedule: str = "cosine") -> None:
    np.savez(folder / "a.npz", x=x, y=np.arange(len(x)) % 2)
    (folder / "a.yaml").write_text(SPEC.replace("TRANSFORM", transform).replace("SCHEDULE", schedule))
    netspec.load(folder / "a.yaml").train()


@pytest.mark.parametrize(
    ("kind", "transform", "words"),
    [
        (
            np.uint8,
            "normalize 123 58",
            r"a mean of 123, and the values are 0 to 1.*is normalize 0\.4824 0\.2275 here",
        ),
        (np.float32, "normalize 123 58", "a mean of 123, and the values are 0 to 1"),
        (np.float32, "[scale 2, normalize 0.5x0.5x3 1]", "a mean of 3, and the values are 0 to 2"),
        (np.uint8, "scale 0.00392", "scale makes 0.00392 of values that are 0 to 1 already"),
    ],
)
def test_numbers_of_another_scale_are_refused_once_the_values_are_known(
    kind: Any, transform: str, words: str, tmp_path: Path
) -> None:
    x = np.random.RandomState(0).rand(20, 3, 6, 6)
    with pytest.raises(DataError, match=words):
        trained(tmp_path, (x * 255 if kind is np.uint8 else x).astype(kind), transform)


@pytest.mark.parametrize("transform", ["normalize 120 60", "[scale 0.00392, normalize 0.5 0.2]"])
def test_floats_of_0_to_255_may_be_normalized_by_such_numbers(transform: str, tmp_path: Path) -> None:
    trained(tmp_path, np.random.RandomState(0).rand(20, 3, 6, 6).astype(np.float32) * 255, transform)


def test_a_schedule_longer_than_a_run_of_data_that_had_to_be_read_is_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="onecycle takes 500 steps to its end, the run has 2 for it"):
        trained(tmp_path, np.zeros((20, 3, 6, 6), np.uint8), schedule="onecycle max_lr=0.1 total_steps=500")


@pytest.mark.parametrize(
    ("prediction", "target", "row"),
    [((1, 8, 8), (8, 8), "squeeze 1"), ((8, 1), (8,), "squeeze -1"), ((5, 1, 3), (5, 3), "squeeze 2")],
)
def test_an_axis_too_many_is_the_one_to_squeeze(prediction: Any, target: Any, row: str) -> None:
    with pytest.raises(Misfit) as caught:
        need_same_shape(Tensor((BATCH, *prediction)), Tensor((BATCH, *target)))
    assert caught.value.hint.endswith(f"the network may end with `{row}`.")
    assert list(torch.zeros(2, *prediction).squeeze(int(row.split()[1])).shape) == [2, *target]
