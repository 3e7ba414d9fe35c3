"""Small networks, data and sections that the tests of training share."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from netspec.runtime.data.split import Data, Split
from netspec.runtime.network import stretches
from netspec.sections.train import read_train
from netspec.sections.train_record import Train

DEVICE = os.environ.get("NETSPEC_TEST_DEVICE", "cpu")
"""Where the runs of these tests compute; with `cuda` they are held to the same."""
DEFAULTS: dict[str, Any] = {"loss": "ce", "optimizer": "sgd lr=0.1", "batch": 16, "device": DEVICE}


def section(**values: Any) -> Train:
    """The section with these values, cross entropy and plain descent where nothing is said."""
    train, problems = read_train({**DEFAULTS, **values}, ("train",))
    assert not problems, problems
    assert train is not None
    return train


def data(x: torch.Tensor, y: torch.Tensor, val: int = 0) -> Data:
    """`x` and `y` as data, the last `val` samples held out."""
    cut = len(y) - val
    held = Split((x[cut:],), y[cut:]) if val else None
    return Data(Split((x[:cut],), y[:cut]), held, None, ("input",), None)


def classes(count: int = 80, width: int = 8, val: int = 16) -> Data:
    """Points of three classes that can be told apart."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(count, width, generator=generator)
    return data(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long(), val)


def pictures() -> Data:
    """The same points as maps of 4 x 4 pixels."""
    points = classes(width=16)
    parts = [replace(p, inputs=(p.inputs[0].view(-1, 1, 4, 4),)) for p in (points.train, points.val) if p]
    return replace(points, train=parts[0], val=parts[1])


def perceptron(dropout: float = 0.0, norm: bool = False) -> nn.Sequential:
    """Eight numbers to three classes, always the same weights."""
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Linear(8, 16)]
    layers += [nn.BatchNorm1d(16)] if norm else []
    layers += [nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3)]
    return nn.Sequential(*layers).to(DEVICE)


def convolution(dropout: float = 0.0) -> nn.Sequential:
    """One map of 4 x 4 pixels to three classes, always the same weights."""
    torch.manual_seed(1)
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(dropout), nn.Linear(128, 3)).to(DEVICE)


@contextlib.contextmanager
def few_scores(count: int = 6) -> Iterator[None]:
    """Within it a stretch of scores, of which more are never made at once, has so many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "STRETCH", {"cpu": count, "elsewhere": count})
        yield


def equal(a: nn.Module, b: nn.Module) -> bool:
    """Whether both hold the same numbers, bit for bit."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def digest(path: Path) -> str:
    """A hash of the numbers in a file of weights."""
    found = hashlib.sha256()
    for name, tensor in sorted(load_file(path).items()):
        found.update(name.encode() + tensor.numpy().tobytes())
    return found.hexdigest()
