"""The loop of the tutorials: a Dataset that prepares one sample at a time, and a DataLoader over it."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.forward import LeNet
from benchmarks.peers import LR
from benchmarks.peers.images import MEAN, STD


class Digits(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.images[index].unsqueeze(0).float() / 255
        image = F.pad(image, (2, 2, 2, 2))
        return (image - MEAN) / STD, self.labels[index]


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    return looped(DataLoader(Digits(images, labels), batch, shuffle=True))


def looped(loader: DataLoader[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], float]:
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
