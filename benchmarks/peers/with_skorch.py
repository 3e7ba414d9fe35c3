"""skorch's NeuralNetClassifier, which gives a torch module scikit-learn's `fit`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from skorch import NeuralNetClassifier
from torch import nn

from benchmarks.forward import LeNet
from benchmarks.peers import LR
from benchmarks.peers.images import prepared


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    x, y = prepared(images).numpy(), labels.numpy()
    net = NeuralNetClassifier(
        LeNet,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=LR,
        batch_size=batch,
        iterator_train__shuffle=True,
        train_split=None,
        classes=list(range(10)),
        verbose=0,
    ).initialize()

    def epoch() -> float:
        net.partial_fit(x, y, epochs=1)
        return float(net.history[-1]["dur"])

    return epoch
