"""The handwritten digits that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part, numbered
from netspec.datasets.files import Files
from netspec.dims import BATCH
from netspec.tensors import Tensor


class Digits(Dataset):
    """1,797 handwritten digits of 8x8 points, offline and without a download; a fifth is held out for validation.

    The test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49, licensed CC BY 4.0. Each point counts 0 to 16 dark dots of
    the scanned form, and becomes 0.0 to 1.0.
    """

    example = "digits"
    default_val: ClassVar[float] = 0.2

    def gives(self) -> Gives:
        return Gives((Tensor((BATCH, 1, 8, 8)),), LABELS, 10, 1797, ranges=((0, 1),))

    def read(self, files: Files) -> Arrays:
        import numpy as np

        with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as held:
            images, labels = held["x"][:, None], held["y"].astype(np.int64)
        return Arrays(Part((images,), labels), names=("image",), classes=numbered(10), peak=16)
