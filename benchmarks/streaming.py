"""What it costs to read data from its files while training, against data in memory and against torch's DataLoader.

Images of 3 x 96 x 96 points, in a .npy file and as JPEG files that are scaled down, with as many workers each. The
network is small, so that reading counts. All ways train the same network with the same settings for an epoch, in turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.apart import apart
from benchmarks.ratios import Row, pairs, report
from netspec.runtime.data.loading import load_data
from netspec.runtime.train.run import train
from netspec.sections.data import read_data
from netspec.sections.train import read_train

SIDE, BATCH, CLASSES, LR = 96, 64, 10, 1e-3
TRAIN = {"loss": "cross_entropy", "optimizer": f"adamw lr={LR}", "epochs": 1, "batch": BATCH}


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 5, 4), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, CLASSES))


def make(folder: Path, count: int) -> None:
    """The images, as a .npy file and as JPEG files of twice the size."""
    random = np.random.RandomState(0)
    images = random.randint(256, size=(count, 3, SIDE, SIDE), dtype=np.uint8)
    np.save(folder / "x.npy", images)
    np.save(folder / "y.npy", np.arange(count) % CLASSES)
    for number in range(count):
        path = folder / "photos" / str(number % CLASSES) / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(images[number, :, :16, :16].transpose(1, 2, 0))
        coarse.resize((2 * SIDE, 2 * SIDE)).save(path)


def with_netspec(folder: Path, source: str, reading: dict[str, Any]) -> Callable[[], float]:
    """The seconds of a sample as netspec trains, by its own clock."""
    section, problems = read_data({"source": source, "split": {"val": 0}, **reading})
    settings, more = read_train(TRAIN, ("train",))
    assert section is not None
    assert settings is not None
    assert not problems
    assert not more
    data, net = load_data(section, folder), network()
    return lambda: 1 / float(train(net, settings, data).records[0]["samples_per_s"])


class Mapped(Dataset[Any]):
    """A .npy file, a sample at a time."""

    def __init__(self, folder: Path) -> None:
        self.images, self.labels = np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy")

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.images[index].copy()), int(self.labels[index])


class Decoded(Dataset[Any]):
    """JPEG files in class folders, a sample at a time."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted((folder / "photos").glob("*/*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.paths[index]) as image:
            points = np.array(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        return torch.from_numpy(points).permute(2, 0, 1), int(self.paths[index].parent.name)


def with_loader(dataset: Mapped | Decoded, workers: int) -> Callable[[], float]:
    """The same by hand, with torch's DataLoader."""
    net = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, fused=True)
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0)

    def epoch() -> float:
        start = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            outputs = net(images.float().div_(255).contiguous(memory_format=torch.channels_last))
            F.cross_entropy(outputs, labels).backward()
            optimizer.step()
        return (time.perf_counter() - start) / len(dataset)

    return epoch


def measure(count: int, samples: int, workers: int) -> list[Row]:
    """How many samples a second streaming trains, for each that another way does."""
    found, reading = [], {"memory": "1MB", "workers": workers}
    kinds: dict[str, tuple[str, type[Mapped | Decoded]]] = {
        ".npy": ("npy x.npy y.npy", Mapped),
        "JPEG": (f"images photos size={SIDE}", Decoded),
    }
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, samples)
        for name, (source, dataset) in kinds.items():
            for other, way, bound in (
                ("in memory", (with_netspec, folder, source, {}), None),
                ("DataLoader", (with_loader, dataset(folder), workers), 1.0),
            ):
                with apart(with_netspec, folder, source, reading) as streamed, apart(*way) as work:
                    ratio = pairs(work, streamed, count)
                found.append(Row(f"{name}: streamed / {other}", ratio.ratio, at_least=bound, note=f"{ratio} a sample"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    report(measure(given.pairs, given.samples, given.workers))


if __name__ == "__main__":
    main()
