"""How fast netspec trains LeNet on MNIST, against how other people train it: ratios of samples per second.

Every way trains the same network on the same 12,800 images with AdamW, on two threads; what is timed lies between the
first and the last step of an epoch. netspec and a peer take turns, each in a process of its own, and the ratio is the
median of the pairs. The peers are files of their own under peers/, each written as its users write it.

    python -m benchmarks.training --mnist FOLDER

FOLDER holds MNIST's four files, gzipped. A peer that is not installed is reported as not measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

import netspec
from benchmarks.apart import apart
from benchmarks.bound import measured, share
from benchmarks.peers.images import read
from benchmarks.ratios import Row, pairs, report
from netspec.runtime.data.loading import load_data
from netspec.runtime.data.split import Data
from netspec.runtime.network.build import build
from netspec.runtime.train.run import train

SPEC = Path(__file__).parent.parent / "specs" / "lenet5_mnist.yaml"
IMAGES = 12_800


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to train, and how many times as many samples per second netspec is to take."""

    name: str
    file: str
    at_least: float
    package: str = ""
    """What has to be installed for it besides torch."""


PEERS = (
    Peer("tutorial loop", "tutorial", 3.5),
    Peer("TensorDataset + DataLoader", "tensors", 1.3),
    Peer("Lightning, stripped", "with_lightning", 1.6, "lightning"),
    Peer("Keras on torch", "with_keras", 2.0, "keras"),
    Peer("skorch", "with_skorch", 1.4, "skorch"),
    Peer("JAX, jitted", "with_jax", 0.97, "jax"),
    Peer("hand-tuned loop", "tuned", 0.97),
)


def engine(folder: Path, batch: int) -> Callable[[], float]:
    """An epoch as netspec trains it, over the same images as the peers."""
    settings = ["train.epochs=1", "train.scheduler=null", "train.threads=2", f"train.batch={batch}"]
    spec = netspec.load(SPEC, [f"data.source.path={folder.resolve()}", *settings])
    section, source = spec.experiment.train, spec.experiment.data
    assert section is not None
    assert source is not None
    data = first(load_data(source, spec.root, allow_outside=True), IMAGES)
    module = build(spec, reorder=section.reorder)

    def epoch() -> float:
        (record,) = train(module, section, data).records
        return len(data.train) / float(record["samples_per_s"])

    return epoch


def other(file: str, folder: Path, batch: int) -> Callable[[], float]:
    """An epoch as the peer in this file trains it."""
    epochs: Callable[..., Callable[[], float]] = import_module(f"benchmarks.peers.{file}").epochs
    return epochs(*read(folder, "train", IMAGES), batch)


def first(data: Data, count: int) -> Data:
    """The first training samples alone, in the form in which all of them are kept."""
    part = data.train
    cut = replace(part, inputs=tuple(x[:count] for x in part.inputs), target=part.target[:count])
    return replace(data, train=cut, val=None, test=None)


def compare(peer: Peer, folder: Path, batch: int, count: int) -> Row:
    name = f"netspec / {peer.name}, batch {batch}"
    if peer.package and find_spec(peer.package) is None:
        return Row(name, None, at_least=peer.at_least, note=f"{peer.package} is not installed")
    print(f"{name} ...", file=sys.stderr, flush=True)
    with apart(engine, folder, batch) as own, apart(other, peer.file, folder, batch) as others:
        found = pairs(others, own, count)
    rates = (IMAGES / min(seconds) for seconds in (found.second, found.first))
    return Row(name, found.ratio, at_least=peer.at_least, note="{:,.0f} against {:,.0f} samples/s".format(*rates))


def measure(folder: Path, count: int, batches: tuple[int, ...] = (64, 256)) -> list[Row]:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        bound, rows = measured(time.perf_counter, 2), list[Row]()
        for batch in batches:
            rows += [compare(peer, folder, batch, count) for peer in PEERS]
            with apart(engine, folder, batch) as own:
                rate = IMAGES / min(own() for _ in range(count))
            rows.append(share(f"netspec, batch {batch}", netspec.load(SPEC), rate, bound))
        return rows
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--mnist", type=Path, required=True, metavar="FOLDER", help="the folder with MNIST's four files"
    )
    parser.add_argument("--pairs", type=int, default=7)
    given = parser.parse_args()
    report(measure(given.mnist, given.pairs))
