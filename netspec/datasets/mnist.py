"""MNIST, and the data sets that come in its four files: Fashion-MNIST, KMNIST."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part, numbered
from netspec.datasets.files import Files, show
from netspec.datasets.idx import read_pair
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Text
from netspec.tensors import Tensor

FILES: Final = {"train": "train", "test": "t10k"}


class MNIST(Dataset):
    """60,000 training and 10,000 test images of 28x28 points in 10 classes, from a folder with MNIST's four files.

    The files are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, raw or with .gz. Fashion-MNIST and KMNIST have the same form and names.
    """

    example = "mnist data/mnist"

    path = Text("folder with the four files")

    def gives(self) -> Gives:
        return Gives((Tensor((BATCH, 1, 28, 28)),), LABELS, 10, ranges=((0, 1),))

    def read(self, files: Files) -> Arrays:
        files.folder(self.path)
        parts = {part: self._part(files, prefix) for part, prefix in FILES.items()}
        return Arrays(parts["train"], test=parts["test"], names=("image",), classes=numbered(10))

    def _part(self, files: Files, prefix: str) -> Part:
        """The images and labels of one part. Raises DataError for files of other data."""
        images, labels = (self._find(files, f"{prefix}-{kind}-ubyte") for kind in ("images-idx3", "labels-idx1"))
        part = read_pair(images, labels, classes=10, budget=files.budget)
        if part.inputs[0].shape[1:] != (1, 28, 28):
            found = " x ".join(str(n) for n in part.inputs[0].shape[1:])
            raise DataError(f"{show(images)} holds images of {found}, expected 1 x 28 x 28. For others use idx.")
        return part

    def _find(self, files: Files, name: str) -> Path:
        """The file of that name, with or without .gz, with - or . before idx."""
        for candidate in (name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"):
            if (files.root / self.path / candidate).exists():
                return files.file(f"{self.path}/{candidate}")
        return files.file(f"{self.path}/{name}")
