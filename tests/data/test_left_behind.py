"""Augmentation that moves images, and leaves several numbers of a target, which may be places: told at the start."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netspec


def begun(folder: Path, augment: str, target: Any, loss: str = "mse") -> list[str]:
    """What is told when such a run begins."""
    np.savez(folder / "a.npz", x=np.zeros((16, 3, 8, 8), np.float32), y=target)
    text = (
        f"input: 3x8x8\nlayers: [fc {target.shape[1]}]\ndata: {{source: npz a.npz, augment: {augment}}}\n"
        f"train: {{loss: {loss}, optimizer: sgd lr=0.1, epochs: 1}}\n"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        netspec.loads(text).at(folder).train()
    return [str(warning.message) for warning in caught]


BOXES = np.random.RandomState(0).rand(16, 4).astype(np.float32)


@pytest.mark.parametrize("step", ["flip", "rotate 10", "crop 8 pad=2"])
def test_numbers_that_may_be_places_are_told(step: str, tmp_path: Path) -> None:
    (said,) = begun(tmp_path, step, BOXES)
    assert f"{step.split()[0]} moves images, and leaves the 4 numbers of each target as they are" in said
    advised = said.rsplit("augment: ", 1)[1]
    assert begun(tmp_path, advised.replace(step.split()[0], step), BOXES) == []


@pytest.mark.parametrize(
    ("step", "target", "loss"),
    [("jitter 0.2", BOXES, "mse"), ("flip", BOXES[:, :1], "mse"), ("flip", BOXES.round(), "bce_logits")],
)
def test_what_stays_right_is_not_told(step: str, target: Any, loss: str, tmp_path: Path) -> None:
    assert begun(tmp_path, step, target, loss) == []
