"""What building ResNet-50 with given weights costs, as a share of building it with initialisation.

The spec is read and printed before. The weights lie in memory; with weights that are first read from a file, each
tensor into memory of its own, the ratio is shown as well and held to no bound.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import netspec
from benchmarks.ratios import Row, pairs, report, timed
from netspec.runtime.network.weights import read_weights, save_weights

SPEC = Path(__file__).parent.parent / "specs" / "resnet50.yaml"


def measure(count: int, spec: Path = SPEC) -> list[Row]:
    net = netspec.load(spec)
    weights = net.build().state_dict()
    initialising = timed(net.build)
    given = pairs(timed(lambda: net.build(weights)), initialising, count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        save_weights(weights, file)
        read = pairs(timed(lambda: net.build(read_weights(file)[0])), initialising, count)
    return [
        Row(f"{spec.stem}: build with given weights / initialised", given.ratio, at_most=0.1, note=str(given)),
        Row(f"{spec.stem}: build with weights of a file / initialised", read.ratio, note=str(read)),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    report(measure(parser.parse_args().pairs))
