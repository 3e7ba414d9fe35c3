"""CIFAR-10 and CIFAR-100, from the files of their binary version: plain bytes, which run nothing."""

from __future__ import annotations

from typing import ClassVar, Final

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part, numbered
from netspec.datasets.files import Files, show
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Choice, Text
from netspec.tensors import Tensor

SIDE: Final = 32
PIXELS: Final = 3 * SIDE * SIDE
NAMES: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class CIFAR10(Dataset):
    """50,000 training and 10,000 test images of 3x32x32 points in 10 classes, from a folder with CIFAR-10's files.

    The files are those of the binary version, data_batch_1.bin to data_batch_5.bin and test_batch.bin, as in
    cifar-10-binary.tar.gz. The version for Python is pickled, which could run anything, and is not read.
    """

    example = "cifar10 data/cifar-10-batches-bin"

    path = Text("folder with the files")

    pickled: ClassVar[tuple[str, ...]] = ("data_batch_1", "train")
    """Files of the version for Python, by which a folder of it is known."""

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """The files of each part."""
        return {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, in the order of their numbers."""
        return NAMES

    @property
    def label(self) -> tuple[int, int]:
        """Which byte before an image is its class, and how many bytes there are."""
        return 0, 1

    def gives(self) -> Gives:
        return Gives((Tensor((BATCH, 3, SIDE, SIDE)),), LABELS, len(self.names), ranges=((0, 1),))

    def read(self, files: Files) -> Arrays:
        files.folder(self.path)
        train, test = (self._part(files, names) for names in self.files.values())
        return Arrays(train, test=test, names=("image",), classes=self.names)

    def _part(self, files: Files, names: tuple[str, ...]) -> Part:
        """The images and classes of one part. Raises DataError for what is no such file."""
        import numpy as np

        place, before = self.label
        size = before + PIXELS
        read = []
        for name in names:
            if not (files.root / self.path / name).exists():
                for other in self.pickled:
                    if (files.root / self.path / other).exists():
                        text = f"{self.path} holds {other}, a pickle of the version for Python, which is not read"
                        raise DataError(f"{text}. Take the binary version of the data set.")
            path = files.file(f"{self.path}/{name}")
            length = path.stat().st_size
            if not length or length % size:
                text = f"{show(path)} is {length:,} bytes long, which is no whole number of images of {size:,} bytes"
                raise DataError(f"{text}. It is truncated, or of another data set: fetch it again.")
            files.budget.take(2 * length, show(path), "Take fewer images, in files such as npz")
            read.append(np.fromfile(path, np.uint8).reshape(-1, size))
            checks.labels_below(read[-1][:, place], len(self.names), show(path))
        rows = np.concatenate(read)
        where = f"{self.path}/{names[0]}" if len(names) == 1 else f"the {len(names)} files of {self.path}"
        images = np.ascontiguousarray(rows[:, before:]).reshape(-1, 3, SIDE, SIDE)
        return checks.part([images], rows[:, place].astype("int64"), [where, where])


class CIFAR100(CIFAR10):
    """50,000 training and 10,000 test images of 3x32x32 points in 100 classes, from a folder with CIFAR-100's files.

    The files are those of the binary version, train.bin and test.bin, as in cifar-100-binary.tar.gz.
    """

    example = "cifar100 data/cifar-100-binary"

    labels = Choice("which classes: 100 fine ones, or the 20 that they belong to", ("fine", "coarse"), "fine")

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        return {"train": ("train.bin",), "test": ("test.bin",)}

    @property
    def names(self) -> tuple[str, ...]:
        return numbered(100 if self.labels == "fine" else 20)

    @property
    def label(self) -> tuple[int, int]:
        return int(self.labels == "fine"), 2
