"""Lightning's Trainer without logging, progress and checkpoints. As a command: with what it does by default.

python -m benchmarks.peers.with_lightning MNIST_FOLDER EPOCHS
"""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning as L  # noqa: N812
import torch
import torch.nn.functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.forward import LeNet
from benchmarks.peers import LR
from benchmarks.peers.images import prepared, read


class Classifier(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = LeNet()

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        inputs, targets = batch
        return F.cross_entropy(self.net(inputs), targets)

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> None:
        inputs, targets = batch
        outputs = self.net(inputs)
        self.log("val_loss", F.cross_entropy(outputs, targets))
        self.log("val_accuracy", (outputs.argmax(1) == targets).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=LR)


class Clock(L.Callback):
    """Notes the time of an epoch's beginning and end."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self.seconds = time.perf_counter() - self.began


def epochs(images: torch.Tensor, labels: torch.Tensor, batch: int) -> Callable[[], float]:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    loader = DataLoader(TensorDataset(prepared(images), labels), batch, shuffle=True)
    module = Classifier()

    def epoch() -> float:
        clock = Clock()
        trainer = L.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[clock],
        )
        trainer.fit(module, loader)
        return clock.seconds

    return epoch


def main(folder: str, count: str) -> None:
    torch.set_num_threads(2)
    x, y = read(Path(folder), "t10k", 10_000)
    data = TensorDataset(prepared(x), y)
    train, val = torch.utils.data.random_split(data, [9000, 1000])
    trainer = L.Trainer(max_epochs=int(count), accelerator="cpu")
    trainer.fit(Classifier(), DataLoader(train, 64, shuffle=True), DataLoader(val, 64))


if __name__ == "__main__":
    main(*sys.argv[1:])
