"""What a whole command costs, from the start of Python to its end, as a share of Lightning's and of Keras'.

Each trains LeNet on 9,000 of MNIST's 10,000 test images for three epochs, measures it on the other 1,000 after each,
and leaves the weights on the disk; each does what it does by default. They run as fresh processes, in turns.

    python -m benchmarks.whole_command --mnist FOLDER
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.ratios import Row, pairs, report, timed

ROOT = Path(__file__).parent.parent
BOUND = 0.65
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def command(arguments: list[str]) -> None:
    """Run a program in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
    if done.returncode:
        sys.exit(done.stderr)


def own(folder: Path, epochs: int) -> list[str]:
    source = f"idx {folder}/t10k-images-idx3-ubyte.gz {folder}/t10k-labels-idx1-ubyte.gz"
    data = [f"data.source={source}", "data.split.val=0.1"]
    training = ["train.scheduler=null", "train.threads=2", f"train.epochs={epochs}"]
    spec = str(ROOT / "specs" / "lenet5_mnist.yaml")
    return ["-m", "netspec", "train", spec, *data, *training, "--allow-outside"]


def measure(folder: Path, count: int, epochs: int = 3) -> list[Row]:
    rows = []
    for package, name in (("lightning", "Lightning"), ("keras", "Keras")):
        title = f"netspec train / {name}"
        if find_spec(package) is None:
            rows.append(Row(title, None, at_most=BOUND, note=f"{package} is not installed"))
            continue
        peer = ["-m", f"benchmarks.peers.with_{package}", str(folder), str(epochs)]
        found = pairs(timed(partial(command, own(folder, epochs))), timed(partial(command, peer)), count)
        rows.append(Row(title, found.ratio, at_most=BOUND, note=str(found)))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--mnist", type=Path, required=True, metavar="FOLDER", help="the folder with MNIST's four files"
    )
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    report(measure(given.mnist.resolve(), given.pairs))
