"""What a cold `netspec check` costs, as a share of a cold `import torch`.

Both run as fresh processes, one after the other in pairs, so that a busy machine slows both alike. The ratio is that
of the fastest runs; the median of the pairs is printed beside it. Bytecode is kept, as it is wherever a package is
installed, in a folder of the benchmark's own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = Path(__file__).parent.parent / "specs" / "lenet5_tutorial.yaml"
BOUND = 0.12


def seconds(bytecode: str, *arguments: str) -> float:
    """The wall-clock time of one fresh Python process."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**kept, "PYTHONPYCACHEPREFIX": bytecode},
    )
    return time.perf_counter() - start


def measure(pairs: int, spec: Path = SPEC) -> tuple[list[float], list[float]]:
    """Times of `netspec check` and of `import torch`, pair by pair; a first pair only writes the bytecode."""
    check, torch = ("-m", "netspec", "check", str(spec)), ("-c", "import torch")
    with tempfile.TemporaryDirectory() as bytecode:
        times = [(seconds(bytecode, *check), seconds(bytecode, *torch)) for _ in range(pairs + 1)]
    return [first for first, _ in times[1:]], [second for _, second in times[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    checks, torches = measure(parser.parse_args().pairs)
    ratio = min(checks) / min(torches)
    median = statistics.median(a / b for a, b in zip(checks, torches, strict=True))
    print(f"netspec check {min(checks):.3f} s, import torch {min(torches):.3f} s")
    print(f"ratio {ratio:.3f} (median of pairs {median:.3f}), bound {BOUND}")
    sys.exit(ratio > BOUND)


if __name__ == "__main__":
    main()
