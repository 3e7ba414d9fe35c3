"""A step that is recorded as a CUDA graph computes what it computes one kernel at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from netspec.errors import UsageError
from netspec.runtime.data.split import Data
from netspec.runtime.device.cuda_graph import unrecordable
from netspec.runtime.device.process_group import ALONE
from netspec.runtime.train.run import train
from tests.train.small import classes, convolution, data, equal, perceptron, pictures, section

CUDA = torch.device("cuda")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Strange(nn.Module):
    """Could do anything."""


@pytest.mark.parametrize(
    ("values", "module", "reason"),
    [
        ({}, perceptron, ""),
        ({"accumulate": 2}, perceptron, ""),
        ({"optimizer": "lbfgs"}, perceptron, "computes the loss as often as it likes"),
        ({"compile": True}, perceptron, "compile"),
        ({}, lambda: nn.Sequential(nn.Linear(8, 3), Strange()), "1 is a Strange"),
        ({}, lambda: nn.Sequential(nn.LSTM(8, 3)), "0 is a LSTM, for which cuDNN keeps a state"),
        ({}, lambda: nn.Sequential(nn.Embedding(8, 3, sparse=True)), "0 gives sparse gradients"),
        ({}, Strange, "the network is a Strange"),
        ({}, lambda: nn.Sequential(nn.utils.weight_norm(nn.Linear(8, 3))), "0 has hooks"),
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_cannot_be_recorded(values: dict[str, Any], module: Callable[[], nn.Module], reason: str) -> None:
    found = unrecordable(module(), section(**values), CUDA, ALONE)
    assert reason in found
    assert bool(reason) is bool(found)


def test_the_cpu_records_nothing_and_says_so_where_it_is_asked_to() -> None:
    assert unrecordable(perceptron(), section(), torch.device("cpu"), ALONE)
    with pytest.raises(UsageError, match="cannot be recorded: it computes on no CUDA device"):
        train(perceptron(), section(device="cpu", cuda_graph=True), classes())


def texts() -> Data:
    found = classes()
    tokens = found.train.inputs[0].abs().mul(10).long()
    return Data(type(found.train)((tokens,), found.train.target), None, None, ("input",), None)


class Averaged(nn.Sequential):
    """Attention over a text; stands for a printed class."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        embed, attend, head = self
        result: torch.Tensor = head(attend(embed(x)).mean(1))
        return result


Averaged.__module__ = "netspec.built.Averaged"


def attention() -> nn.Module:
    torch.manual_seed(3)
    attend = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    return Averaged(nn.Embedding(64, 8), attend, nn.Linear(8, 3))


def lenet() -> nn.Module:
    torch.manual_seed(4)
    layers = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 10))


def digits() -> Data:
    """Maps of 32 x 32 pixels, in batches that are large enough for every kernel."""
    generator = torch.Generator().manual_seed(7)
    x = torch.rand(840, 1, 32, 32, generator=generator)
    return data(x, torch.randint(10, (840,), generator=generator))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Data]]] = {
    "dropout and norm": (lambda: perceptron(0.3, norm=True), classes),
    "maps": (lambda: convolution(0.3), pictures),
    "attention": (attention, texts),
    "lenet": (lenet, digits),
}


@gpu
@pytest.mark.parametrize("more", [{}, {"precision": "bf16"}, {"clip_grad": 0.1, "ema": 0.9}], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_or_not_the_bits_are_the_same(name: str, more: dict[str, Any]) -> None:
    """The last batch of an epoch is smaller than the others, and is recorded too."""
    make, given = NETWORKS[name]
    values = {"optimizer": "adamw lr=0.01", "epochs": 6, "batch": 24, "device": "cuda", **more}
    recorded, plain = make(), make()
    mine = train(recorded, section(**values, cuda_graph=True), given()).records
    theirs = train(plain, section(**values, cuda_graph=False), given()).records
    assert equal(recorded, plain)
    assert [r["train.loss"] for r in mine] == [r["train.loss"] for r in theirs]


class Looking(nn.Dropout):
    """Looks at a number, for which the processor has to wait."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * (1.0 if float(x.detach().sum()) < 1e9 else 2.0)


Looking.__module__ = "netspec.built.Looking"


@gpu
def test_what_looks_at_numbers_goes_on_one_kernel_at_a_time() -> None:
    def make() -> nn.Module:
        return nn.Sequential(*list(perceptron(0.3))[:3], Looking(0.3), nn.Linear(16, 3))

    values = {"optimizer": "adamw lr=0.01", "epochs": 4, "device": "cuda"}
    torch.manual_seed(1)
    left = make()
    torch.manual_seed(1)
    right = make()
    train(left, section(**values), classes())
    train(right, section(**values, cuda_graph=False), classes())
    assert equal(left, right)
    with pytest.raises(UsageError, match="cannot be recorded"):
        train(make(), section(**values, cuda_graph=True), classes())
