"""What a cold `netspec check` costs, as a share of a cold `import torch`.

Both run as fresh processes. The ratio is that of the fastest runs. Bytecode is kept, as it is wherever a package is
installed, in a folder of the benchmark's own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.ratios import Row, Work, pairs, report, timed

SPEC = Path(__file__).parent.parent / "specs" / "lenet5_tutorial.yaml"


def process(bytecode: str, *arguments: str) -> Work:
    """One fresh Python process from start to end."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": bytecode}

    def run() -> None:
        command = [sys.executable, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    return timed(run)


def measure(count: int, spec: Path = SPEC) -> list[Row]:
    with tempfile.TemporaryDirectory() as bytecode:
        check = process(bytecode, "-m", "netspec", "check", str(spec))
        found = pairs(check, process(bytecode, "-c", "import torch"), count)
    note = f"{found}, median of pairs {found.ratio:.3f}"
    return [Row("cold check / cold import torch", found.fastest, at_most=0.12, note=note)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    report(measure(parser.parse_args().pairs))
