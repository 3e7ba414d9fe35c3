"""Small files of data, written the way their formats say."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np

from netspec.sections.data import DataSection, read_data

SHARED = Path(__file__).parents[3] / "shared" / "data" / "mnist"
"""Real MNIST, where the machine has it."""


def idx_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """An IDX file of bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, train: int = 30, test: int = 10, packed: bool = False) -> None:
    """A folder in the form of MNIST, with made-up images."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(0)
    for prefix, count in (("train", train), ("t10k", test)):
        images, labels = random.randint(0, 256, (count, 28, 28)), np.arange(count) % 10
        for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
            content = idx_bytes(array)
            if packed:
                (folder / f"{prefix}-{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / f"{prefix}-{name}").write_bytes(content)


def section(data: Any) -> DataSection:
    """A `data` section that must be without problems."""
    read, problems = read_data(data)
    assert not problems, problems
    assert read is not None
    return read
