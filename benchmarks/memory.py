"""What training on data larger than its memory takes: the peak of all processes of `netspec train`, one epoch.

One set are images in a .npy file, the other JPEG files that are scaled down while they are read. Both are made first,
in a temporary folder, and both come to 4 GB in memory, of which the spec allows 500 MB.

Counted is what Linux calls the resident set, every 50 ms, added up over the command and the processes that read for it.
Memory that they share, such as libraries and the rows in transit, is counted in each of them, so the sum is an upper
bound. The system's cache of the files is not in it: rows are read and not mapped, so the cache is nobody's own, and the
system gives it back when memory is wanted.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.ratios import Row, report

SIDE, CLASSES = 64, 10
BYTES = 3 * SIDE * SIDE
SPEC = """\
netspec: 1
name: Large
input: 3x{side}x{side}
layers: [conv 8 k8 s8, relu, gap, fc 10]
data: {{source: {source}, memory: {memory}, augment: flip}}
train: {{loss: cross_entropy, optimizer: adamw lr=1e-3, epochs: 1, batch: 256}}
"""


def arrays(folder: Path, count: int) -> str:
    """Images in a .npy file, written a stretch at a time; the source that reads them."""
    random = np.random.RandomState(0)
    images = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (count, 3, SIDE, SIDE))
    for start in range(0, count, 8192):
        piece = images[start : start + 8192]
        piece[:] = random.randint(256, size=(1, *piece.shape[1:]))
    images.flush()
    np.save(folder / "y.npy", np.arange(count) % CLASSES)
    return "npy x.npy y.npy"


def pictures(folder: Path, count: int) -> str:
    """JPEG files of twice the size in class folders, of which few differ; the source that reads them."""
    random = np.random.RandomState(0)
    contents = []
    for _ in range(50):
        content, coarse = io.BytesIO(), random.randint(256, size=(12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((3 * SIDE, 2 * SIDE)).save(content, "JPEG")
        contents.append(content.getvalue())
    for label in range(CLASSES):
        (folder / "photos" / str(label)).mkdir(parents=True)
    for number in range(count):
        path = folder / "photos" / str(number % CLASSES) / f"{number:07}.jpg"
        path.write_bytes(contents[number % len(contents)])
    return f"images photos size={SIDE}"


MAKERS: dict[str, Callable[[Path, int], str]] = {".npy": arrays, "JPEG": pictures}


def peak(folder: Path, source: str, memory: str) -> float:
    """The most memory that all processes of a training have at one time, in GB."""
    (folder / "spec.yaml").write_text(SPEC.format(side=SIDE, source=source, memory=memory))
    command = [sys.executable, "-m", "netspec", "train", "spec.yaml", "--run", f"run-{memory}"]
    paths = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    highest = 0
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}) as process:
        while process.poll() is None:
            highest = max(highest, sum(map(resident, family(process.pid))))
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"netspec train ended with {process.returncode}")
    return highest / 1e9


def family(pid: int) -> Iterator[int]:
    """A process and all that it started. One that is still a copy of it shares its memory, and is not counted."""
    yield pid
    try:
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/cmdline").read_bytes() != own:
                yield from family(int(child))
    except OSError:  # it has ended
        return


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # it has ended
        return 0


def measure(gigabytes: float, memory: str, kinds: Iterable[str] = tuple(MAKERS)) -> list[Row]:
    """The figure of each kind of data, of which the spec allows so much in memory."""
    rows = []
    for name in kinds:
        with tempfile.TemporaryDirectory() as made:
            source = MAKERS[name](Path(made), int(gigabytes * 1e9 / BYTES))
            start = time.perf_counter()
            found = peak(Path(made), source, memory)
            seconds = time.perf_counter() - start
        note = f"{gigabytes:g} GB of images, {memory} allowed, {seconds:.0f} s"
        rows.append(Row(f"{name}: peak memory", found, at_most=1.5, note=note, unit=" GB"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--memory", default="500MB", help="what the spec allows")
    parser.add_argument("--only", choices=MAKERS, help="one kind of data alone")
    given = parser.parse_args()
    report(measure(given.gigabytes, given.memory, [given.only] if given.only else MAKERS))


if __name__ == "__main__":
    main()
