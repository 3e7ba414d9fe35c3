"""Networks with several heads and data with several targets, which the tests of several losses share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import torch
from torch import nn

from netspec.runtime.data.split import Data
from tests.train.small import DEVICE, classes

TWO: Final[dict[str, Any]] = {"cls": "cross_entropy", "box": "smooth_l1 beta=0.5 weight=0.3"}
LEARNED: Final[dict[str, Any]] = {"cls": "cross_entropy weight=learned", "box": "mse weight=learned"}
AUX: Final[dict[str, Any]] = {**TWO, "aux": "cross_entropy weight=0.4 target=cls"}


class Headed(nn.Module):
    """Eight numbers to three classes and four numbers, and in training the classes once more from the middle."""

    def __init__(self, dropout: float = 0.4, aux: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(dropout))
        self.aux = nn.Sequential(nn.Dropout(dropout), nn.Linear(16, 3)) if aux else None
        self.cls, self.box = nn.Linear(16, 3), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The outputs by their names."""
        x = self.body(x)
        if self.training and self.aux is not None:
            return {"cls": self.cls(x), "box": self.box(x), "aux": self.aux(x)}
        return {"cls": self.cls(x), "box": self.box(x)}


def headed(dropout: float = 0.4, aux: bool = True) -> Headed:
    """It, always with the same weights."""
    torch.manual_seed(1)
    return Headed(dropout, aux).to(DEVICE)


def plain() -> Headed:
    """The same without an auxiliary head."""
    return headed(aux=False)


def targets(ignored: int = 0) -> Data:
    """The points of three classes, each with four numbers beside; of the first samples the class is `ignored`."""
    found = classes()
    assert found.val is not None

    def with_boxes(part: Any) -> Any:
        target = part.target.clone()
        target[: min(ignored, len(target) // 2)] = -100
        return replace(part, target=target, lead="cls", others={"box": part.inputs[0][:, :4] * 2 + 1})

    return replace(found, train=with_boxes(found.train), val=with_boxes(found.val))


def ignoring() -> Data:
    """The same with many samples whose class nothing is said of."""
    return targets(30)
