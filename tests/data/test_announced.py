"""What `check` says of arrays by their headers: all that a run would refuse of their form, without reading them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netspec import Spec, loads
from netspec.errors import DataError
from netspec.text.report import SpecError

Save = Callable[..., None]
SPEC = """netspec: 1
input: INPUT
layers: [LAST]
data: {source: npz a.npz, STEPS, split: {val: 4}}
train: {loss: LOSS, optimizer: adamw lr=0.01, epochs: 1, batch: 8}
"""


def spec(folder: Path, shape: str, steps: str, last: str = "fc 3", loss: str = "cross_entropy") -> Spec:
    text = SPEC.replace("INPUT", shape).replace("STEPS", steps).replace("LAST", last).replace("LOSS", loss)
    return loads(text).at(folder)


def floats(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.RandomState(0).rand(16, *shape).astype(np.float32)


LABELS = np.arange(16) % 3
VECTORS = {"x": floats(30), "y": LABELS}
LAST = {"x": (floats(20, 20, 3) * 255).astype(np.uint8), "y": LABELS.astype(np.int8)}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    ("arrays", "shape", "steps", "words"),
    [
        (VECTORS, "30", "augment: crop 8", "crop takes images of channels x height x width, the data is 30"),
        (VECTORS, "30", "transform: resize 8", "resize takes images"),
        (VECTORS, "30", "augment: [mixup, jitter 0.1]", "jitter takes images"),
        (LAST, "3x20x20", "transform: pad 2", "with the channels last. Write the transform channels_first before it"),
        ({"x": floats(1, 9, 9), "y": floats(12, 12)}, "1x9x9", "augment: flip", "cannot move a target of 12 x 12"),
        ({"x": floats(1, 9, 9), "y": floats(9, 9)}, "1x9x9", "augment: crop 12", "crop"),
        ({"x": floats(3, 9, 9), "y": LABELS}, "1x9x9", "transform: resize 9", "the data gives 3 x 9 x 9"),
        ({"x": LABELS, "z": LABELS}, "3", "memory: 1GB", "a.npz has no array 'y'"),
        ({"x": np.array(["a"] * 16), "y": LABELS}, "3", "memory: 1GB", "array 'x' holds <U1, expected numbers"),
    ],
)
def test_a_check_refuses_what_a_run_would(
    arrays: dict[str, Any], shape: str, steps: str, words: str, save: Save, tmp_path: Path
) -> None:
    save(tmp_path / "a.npz", **arrays)
    checked = spec(tmp_path, shape, steps)
    with pytest.raises(DataError) as refused:
        checked.look()
    assert words in str(refused.value)
    with pytest.raises(DataError) as ended:
        checked.train()
    assert str(ended.value) == str(refused.value)


@pytest.mark.parametrize(
    ("target", "last", "loss"),
    [
        (LABELS % 2, "fc 1", "bce_logits"),
        (LABELS, "fc 1", "mse"),
        (floats(1), "fc 1", "mse"),
        (LABELS.astype(np.uint8), "fc 3", "cross_entropy"),
        (floats(4) > 0.5, "fc 4", "bce_logits"),
        (LABELS[:, None], "fc 3", "cross_entropy"),
    ],
)
def test_a_target_that_a_run_takes_in_another_form_passes(
    target: np.ndarray[Any, Any], last: str, loss: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", x=floats(30), y=target)
    checked = spec(tmp_path, "30", "augment: mixup" if last == "fc 4" else "memory: 1GB", last, loss)
    assert checked.look() == ()
    assert checked.train().history.records


def test_a_target_that_the_loss_does_not_take_is_told_at_its_row(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=floats(30), y=floats(5))
    with pytest.raises(SpecError, match="the target is B x 5"):
        spec(tmp_path, "30", "memory: 1GB", "fc 4", "mse").look()


def test_names_of_classes_say_how_many_there_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=floats(30), y=LABELS, names=np.array(["ash", "elm", "fir", "yew"]))
    text = SPEC.replace("INPUT", "30").replace("STEPS", "memory: 1GB").replace("LAST", "fc 3")
    text = text.replace("LOSS", "cross_entropy").replace("npz a.npz", "npz a.npz classes=names")
    with pytest.raises(SpecError, match="tells 3 classes apart, the data has 4"):
        loads(text).at(tmp_path).look()


def test_files_are_looked_at_by_their_headers_alone(tmp_path: Path) -> None:
    """Ten gigabytes of values, which are not there on the disk."""
    shape = (10_000_000, 1, 16, 16)
    for name, dtype, sizes in (("x", np.float32, shape), ("y", np.int64, shape[:1])):
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", dtype, sizes)
    text = SPEC.replace("npz a.npz", "npy x.npy y.npy").replace("LAST", "fc 3").replace("LOSS", "cross_entropy")
    text = text.replace("INPUT", "1x16x16").replace("split: {val: 4}", "split: {val: 4}")
    assert loads(text.replace("STEPS", "augment: flip")).at(tmp_path).look() == ()
    with pytest.raises(DataError, match="crop"):
        loads(text.replace("STEPS", "augment: crop 20")).at(tmp_path).look()


def test_arrays_that_are_not_there_are_for_a_run_to_miss(tmp_path: Path) -> None:
    assert spec(tmp_path, "30", "augment: crop 8").look() == ()
