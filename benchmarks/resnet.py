"""What training ResNet-18 costs in time and memory, as a share of a loop that a person wrote with the same settings.

Images of 64 x 64 points, 32 in a step, AdamW, weights and maps stored channels last, two threads, memory kept between
steps. The times are those of an epoch of a few steps, in turns; the memory is the peak of a process that does nothing
else.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812

import netspec
from benchmarks.apart import apart
from benchmarks.forward import SPECS, ResNet
from benchmarks.peers import keep_memory
from benchmarks.ratios import Row, pairs, report
from netspec.runtime.data.split import Data, Split
from netspec.runtime.network.build import build
from netspec.runtime.train.run import train

BATCH, LR = 32, 1e-3


def samples(steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (steps * BATCH, 3, 64, 64), dtype=torch.uint8, generator=generator)
    return images, torch.randint(1000, (len(images),), generator=generator)


def engine(steps: int) -> Callable[[], float]:
    """An epoch as netspec trains it."""
    settings = f"{{loss: cross_entropy, optimizer: adamw lr={LR}, epochs: 1, batch: {BATCH}, threads: 2}}"
    spec = netspec.load(SPECS / "resnet18.yaml", ["input=3x64x64", f"train={settings}"])
    section = spec.experiment.train
    assert section is not None
    images, labels = samples(steps)
    data, module = Data(Split((images,), labels), None, None, ("image",), None), build(spec, reorder=section.reorder)

    def epoch() -> float:
        (record,) = train(module, section, data).records
        return len(images) / float(record["samples_per_s"])

    return epoch


def by_hand(steps: int) -> Callable[[], float]:
    """The same as a loop."""
    keep_memory()
    images, labels = samples(steps)
    net = ResNet().to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def epoch() -> float:
        # A new one each time, as netspec makes it: filling its state costs the first step some 50 ms.
        optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)
        start = time.perf_counter()
        net.train()
        for rows in torch.randperm(len(images)).split(BATCH):
            inputs = images.index_select(0, rows).float().div_(255)
            optimizer.zero_grad()
            outputs = net(inputs.contiguous(memory_format=torch.channels_last))
            F.cross_entropy(outputs, labels.index_select(0, rows)).backward()
            optimizer.step()
        return time.perf_counter() - start

    return epoch


WAYS = {"netspec": engine, "by-hand": by_hand}


def peak(way: str, steps: int) -> float:
    """The peak memory of a process that trains one epoch in one way, in MiB."""
    alone = [sys.executable, "-m", "benchmarks.resnet", "--peak", way, "--steps", str(steps)]
    done = subprocess.run(alone, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True)
    return float(done.stdout)


def measure(count: int, steps: int = 8) -> list[Row]:
    torch.set_num_threads(2)
    with apart(engine, steps) as own, apart(by_hand, steps) as other:
        found = pairs(own, other, count)
    most, others = (peak(way, steps) for way in WAYS)
    return [
        Row("ResNet-18, time: netspec / by hand", found.ratio, at_most=1.02, note=str(found)),
        Row("ResNet-18, peak memory", most / others, at_most=1.03, note=f"{most:,.0f} against {others:,.0f} MiB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--peak", choices=WAYS, help="print the peak memory of this process, having trained in one way")
    given = parser.parse_args()
    if given.peak is None:
        report(measure(given.pairs, given.steps))
    torch.set_num_threads(2)
    WAYS[given.peak](given.steps)()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
