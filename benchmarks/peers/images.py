"""What the peers share: the images as MNIST's files hold them, and their usual preparation."""

from __future__ import annotations

import gzip
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812

MEAN, STD = 0.1307, 0.3081


def read(folder: Path, part: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first `count` images and labels of a part, `train` or `t10k`."""
    images, labels = (
        gzip.decompress((folder / f"{part}-{kind}-ubyte.gz").read_bytes()) for kind in ("images-idx3", "labels-idx1")
    )
    pixels = torch.frombuffer(bytearray(images), dtype=torch.uint8, offset=16).view(-1, 28, 28)
    return pixels[:count], torch.frombuffer(bytearray(labels), dtype=torch.uint8, offset=8).long()[:count]


def prepared(images: torch.Tensor) -> torch.Tensor:
    """All images at once as the network takes them: padded to 32 x 32 and normalised."""
    return ((F.pad(images, (2, 2, 2, 2)).float() / 255 - MEAN) / STD).unsqueeze(1)
