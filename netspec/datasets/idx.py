"""The IDX format of the MNIST family: a magic number, sizes, then the values."""

from __future__ import annotations

import struct
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part, numbered
from netspec.datasets.files import MAX_UNPACKED, Budget, Files, is_packed, show, unpacked
from netspec.datasets.rows import FileRows
from netspec.errors import DataError
from netspec.records import Maybe, Text

if TYPE_CHECKING:
    import numpy as np

    from netspec.datasets.base import Column

TYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte of the magic number, as numpy writes the type."""
MAX_AXES: Final = 8


class IDX(Dataset):
    """Images and labels in IDX files, raw or gzipped, each named; images without a channel axis get one.

    A raw file larger than the memory that data may take is read a batch at a time; a gzipped one can only be read
    whole.
    """

    example = "idx images.idx3 labels.idx1"

    images = Text("file of the inputs")
    labels = Text("file of the class numbers, counted from 0")
    val_images = Maybe(Text("file of the inputs of the validation part", None))
    val_labels = Maybe(Text("file of the class numbers of the validation part", None))
    test_images = Maybe(Text("file of the inputs of the test part", None))
    test_labels = Maybe(Text("file of the class numbers of the test part", None))

    def gives(self) -> Gives:
        return Gives(target=LABELS)

    def read(self, files: Files) -> Arrays:
        train = read_pair(files.file(self.images), files.file(self.labels), budget=files.budget)
        val = self._held(files, "val", self.val_images, self.val_labels)
        test = self._held(files, "test", self.test_images, self.test_labels)
        count = 1 + max(int(part.target[:].max()) for part in (train, val, test) if part)
        return Arrays(train, val, test, ("image",), numbered(count))

    def _held(self, files: Files, part: str, images: str | None, labels: str | None) -> Part | None:
        """A part with files of its own, where there is one."""
        if images and labels:
            return read_pair(files.file(images), files.file(labels), budget=files.budget)
        if images or labels:
            raise DataError(f"idx: {part}_images and {part}_labels come together, only one of them is given")
        return None


def read_pair(images: Path, labels: Path, classes: int = checks.MAX_CLASSES, budget: Budget | None = None) -> Part:
    """Inputs and their class numbers from two IDX files. Raises DataError."""
    x, y = read_idx(images, budget), read_idx(labels, budget)[:]
    if y.ndim != 1 or y.dtype.kind not in "iu":
        text = f"{show(labels)} holds {_shape(y)} of {y.dtype}, expected one whole number a sample"
        raise DataError(f"{text}. Are images and labels swapped?")
    if x.ndim < 2:
        raise DataError(f"{show(images)} holds one number a sample, expected images. Are images and labels swapped?")
    checks.labels_below(y, classes, show(labels))
    x = checks.settled(x, show(images))
    x = x.reshape(len(x), 1, *x.shape[1:]) if x.ndim == 3 else x
    return checks.part([x], y.astype("int64"), [show(images), show(labels)])


def read_idx(path: Path, budget: Budget | None = None) -> np.ndarray[Any, Any] | FileRows:
    """The array in an IDX file, which stays there unless it is gzipped.

    Raises DataError for a wrong magic number or length.
    """
    import numpy as np

    with unpacked(path) as stream:
        dtype, shape = _header(stream, path)
        length = prod(shape) * np.dtype(dtype).itemsize
        if not is_packed(path):
            start = stream.tell()
            _need_length(path, shape, length, path.stat().st_size - start)
            return FileRows(path, start, np.dtype(dtype), shape, np.dtype(dtype))
        if length > MAX_UNPACKED:
            raise DataError(f"{show(path)} announces {length:,} bytes of values, at most {MAX_UNPACKED:,} are read")
        needed = length + checks.settling(np.dtype(dtype), prod(shape))
        (budget or Budget()).take(needed, show(path), "Unpack the file, which is then read a batch at a time")
        content = _at_most(stream, length + 1)
    _need_length(path, shape, length, len(content))
    return np.frombuffer(content, dtype).reshape(shape)


def _need_length(path: Path, shape: tuple[int, ...], length: int, found: int) -> None:
    """Refuse a file that holds more or fewer bytes of values than its header announces."""
    if found != length:
        sizes = " x ".join(str(n) for n in shape)
        holds = f"only {found:,}" if found < length else "more"
        text = f"{show(path)} announces {sizes} values, which are {length:,} bytes, and holds {holds}"
        raise DataError(f"{text}. It is {'truncated' if found < length else 'mislabelled'}: fetch it again.")


def _at_most(stream: BufferedIOBase, length: int) -> bytearray:
    """Up to `length` bytes, taken in pieces: what a header announces is not believed before it is there."""
    content = bytearray()
    while piece := stream.read(min(1 << 20, length - len(content))):
        content += piece
    return content


def _header(stream: BufferedIOBase, path: Path) -> tuple[str, tuple[int, ...]]:
    """The dtype and the shape of an IDX file. Raises DataError."""
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError(f"{show(path)} is {len(magic)} bytes long, too short for an IDX file")
    zeros, kind, axes = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0" or kind not in TYPES or not 1 <= axes <= MAX_AXES:
        text = f"{show(path)} begins with the bytes {magic.hex(' ')}, expected those of an IDX file"
        raise DataError(f"{text}: 00 00, a type (08 for bytes), the number of axes (01 for labels, 03 for images)")
    sizes = stream.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise DataError(f"{show(path)} ends inside its header of {axes} sizes: it is truncated, fetch it again")
    return TYPES[kind], struct.unpack(f">{axes}I", sizes)


def _shape(array: Column) -> str:
    """The shape of an array as a message tells it."""
    return "values of " + " x ".join(str(n) for n in array.shape)
