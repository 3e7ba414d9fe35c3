"""How fast netspec trains on a CUDA device, against a loop that a person wrote with the same settings.

LeNet on images of 32 x 32 points and ResNet-18 on 64 x 64, with AdamW, bytes on the device, weights and maps stored
channels last. The loop launches one kernel at a time; netspec records a step as a CUDA graph, and takes only kernels
that give the same bits each time. The times are those of an epoch, in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

import netspec
from benchmarks.forward import SPECS, LeNet, ResNet
from benchmarks.ratios import Row, pairs, report
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train.run import train

LR = 1e-3


@dataclass(frozen=True, slots=True)
class Case:
    """A network and its images, as both train it."""

    name: str
    spec: str
    by_hand: Callable[[], nn.Module]
    image: tuple[int, int, int]
    classes: int
    batch: int
    steps: int
    at_least: float


CASES = (
    Case("LeNet, batch 64", "lenet5_tutorial.yaml", LeNet, (1, 32, 32), 10, 64, 400, 3.0),
    Case("LeNet, batch 256", "lenet5_tutorial.yaml", LeNet, (1, 32, 32), 10, 256, 200, 1.5),
    Case("ResNet-18, batch 128", "resnet18.yaml", ResNet, (3, 64, 64), 1000, 128, 40, 1.0),
)


def samples(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (case.steps * case.batch, *case.image), dtype=torch.uint8, generator=generator)
    return images, torch.randint(case.classes, (len(images),), generator=generator)


def engine(case: Case) -> Callable[[], float]:
    """An epoch as netspec trains it."""
    size = "x".join(map(str, case.image))
    settings = f"{{loss: cross_entropy, optimizer: adamw lr={LR}, epochs: 1, batch: {case.batch}, device: cuda}}"
    spec = netspec.load(SPECS / case.spec, [f"input={size}", f"train={settings}"])
    section = spec.experiment.train
    assert section is not None
    images, labels = samples(case)
    data, module = Data(Split((images,), labels), None, None, ("image",), None), build(spec, reorder=section.reorder)

    def epoch() -> float:
        (record,) = train(module, section, data).records
        return len(images) / float(record["samples_per_s"])

    return epoch


def by_hand(case: Case) -> Callable[[], float]:
    """The same as a loop."""
    images, labels = (x.cuda() for x in samples(case))
    net = case.by_hand().cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)

    def epoch() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        net.train()
        for rows in torch.randperm(len(images)).cuda().split(case.batch):
            inputs = images.index_select(0, rows).float().div_(255)
            optimizer.zero_grad()
            outputs = net(inputs.contiguous(memory_format=torch.channels_last))
            F.cross_entropy(outputs, labels.index_select(0, rows)).backward()
            optimizer.step()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    return epoch


def measure(count: int) -> Iterator[Row]:
    for case in CASES:
        name = f"{case.name}: netspec / by hand"
        if not torch.cuda.is_available():
            yield Row(name, None, at_least=case.at_least, note="there is no CUDA device")
            continue
        found = pairs(by_hand(case), engine(case), count)
        images = case.steps * case.batch
        rates = (images / min(seconds) for seconds in (found.second, found.first))
        note = "{:,.0f} against {:,.0f} samples/s".format(*rates)
        yield Row(name, found.ratio, at_least=case.at_least, note=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    report(list(measure(parser.parse_args().pairs)))
