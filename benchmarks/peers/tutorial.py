"""The loop of the tutorials: torchvision's MNIST with Pad(2), ToTensor() and Normalize(), and a DataLoader over it.

The dataset and the three transforms are written out as torchvision 0.29 has them, which need not be installed so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.forward import LeNet
from benchmarks.peers import LR
from benchmarks.peers.images import MEAN, STD


class MNIST(Dataset[tuple[torch.Tensor, int]]):
    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.data, self.targets = images, labels

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, target = Image.fromarray(self.data[index].numpy()), int(self.targets[index])
        image = ImageOps.expand(image, border=2, fill=0)
        return normalize(to_tensor(image), (MEAN,), (STD,)), target


def to_tensor(picture: Image.Image) -> torch.Tensor:
    image = torch.from_numpy(np.array(picture, np.uint8, copy=True))
    image = image.view(picture.size[1], picture.size[0], len(picture.getbands()))
    image = image.permute((2, 0, 1)).contiguous()
    return image.to(dtype=torch.get_default_dtype()).div(255)


def normalize(tensor: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    tensor = tensor.clone()
    means = torch.as_tensor(mean, dtype=tensor.dtype, device=tensor.device)
    stds = torch.as_tensor(std, dtype=tensor.dtype, device=tensor.device)
    if (stds == 0).any():
        raise ValueError("std evaluated to zero, leading to division by zero")
    return tensor.sub_(means.view(-1, 1, 1)).div_(stds.view(-1, 1, 1))


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    return looped(DataLoader(MNIST(images, labels), batch, shuffle=True))


def looped(loader: DataLoader[Any]) -> Callable[[], float]:
    """The loop that everyone has written."""
    net = LeNet()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR)

    def epoch() -> float:
        start = time.perf_counter()
        net.train()
        running_loss = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(net(inputs), targets)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        return time.perf_counter() - start

    return epoch
