"""Keras with torch beneath it. As a command: `fit` with validation, and the model saved.

python -m benchmarks.peers.with_keras MNIST_FOLDER EPOCHS
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import torch
from keras import layers

from benchmarks.peers import LR
from benchmarks.peers.images import prepared, read


class Clock(keras.callbacks.Callback):
    """Notes the time of an epoch's beginning and end."""

    seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds = time.perf_counter() - self.began


def compiled(metrics: list[str]) -> Any:
    """LeNet as a Keras user writes it: channels last, which is Keras' own order."""
    model = keras.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Conv2D(6, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(LR, weight_decay=0.01), loss, metrics=metrics)
    return model


def arrays(images: torch.Tensor, labels: torch.Tensor) -> tuple[Any, Any]:
    return prepared(images).permute(0, 2, 3, 1).contiguous().numpy(), labels.numpy()


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    x, y = arrays(images, labels)
    model = compiled([])

    def epoch() -> float:
        clock = Clock()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0, callbacks=[clock])
        return clock.seconds

    return epoch


def main(folder: str, count: str) -> None:
    torch.set_num_threads(2)
    x, y = arrays(*read(Path(folder), "t10k", 10_000))
    model = compiled(["accuracy"])
    model.fit(x[:9000], y[:9000], batch_size=64, epochs=int(count), validation_data=(x[9000:], y[9000:]))
    model.save("lenet.keras")


if __name__ == "__main__":
    main(*sys.argv[1:])
