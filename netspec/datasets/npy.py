"""Arrays in .npy files, as `numpy.save` writes them."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from netspec.datasets import checks
from netspec.datasets.base import Arrays, Dataset, Part, numbered
from netspec.datasets.files import Files, show
from netspec.errors import DataError
from netspec.fields import Checked, Maybe, Text, refuse

if TYPE_CHECKING:
    import numpy as np

NAMES: Final = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}


def names(value: Any) -> tuple[str, ...]:
    """The check of a field that takes one name or a list of them."""
    found = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not found or not all(isinstance(n, str) and n for n in found):
        raise refuse("a name, or a list of names")
    return found


class NPY(Dataset):
    """Arrays in .npy files, a row for each sample: one file for each input of the network, one for the target.

    Bytes are images and become 0.0 to 1.0; other whole numbers stay whole. A target with one whole number a row holds
    classes.
    """

    example = "npy x.npy y.npy"

    inputs = Checked("files that the network takes, in its order", names, NAMES, textual=True)
    target = Text("file that the network learns to give")
    val_inputs = Maybe(Checked("files of the validation part, in the same order", names, NAMES, None, textual=True))
    val_target = Maybe(Text("file of the target of the validation part", None))
    test_inputs = Maybe(Checked("files of the test part, in the same order", names, NAMES, None, textual=True))
    test_target = Maybe(Text("file of the target of the test part", None))

    def read(self, files: Files) -> Arrays:
        train = self._part(files, self.inputs, self.target)
        val = self._held(files, "val", self.val_inputs, self.val_target)
        test = self._held(files, "test", self.test_inputs, self.test_target)
        classes = counted([part for part in (train, val, test) if part])
        return Arrays(train, val, test, tuple(Path(i).stem for i in self.inputs), classes)

    def _held(self, files: Files, part: str, inputs: tuple[str, ...] | None, target: str | None) -> Part | None:
        """A part with files of its own, where there is one."""
        if inputs and target:
            return self._part(files, inputs, target)
        if inputs or target:
            raise DataError(f"npy: {part}_inputs and {part}_target come together, only one of them is given")
        return None

    def _part(self, files: Files, inputs: tuple[str, ...], target: str) -> Part:
        paths = [files.file(path) for path in (*inputs, target)]
        arrays = [read_file(path) for path in paths]
        return checks.part(arrays[:-1], arrays[-1], [show(path) for path in paths])


def read_file(path: Path) -> np.ndarray[Any, Any]:
    """The array in the file at `path`, in a dtype that training knows. Raises DataError."""
    try:
        with path.open("rb") as stream:
            array = read_npy(stream, path.stat().st_size, show(path))
    except OSError as error:
        raise DataError(f"{show(path)} cannot be read: {error.strerror or error}") from None
    return checks.settled(array, show(path))


def counted(parts: list[Part]) -> tuple[str, ...] | None:
    """Names for the classes in the targets, by their numbers; None where a target holds no classes."""
    if not all(checks.is_classes(part.target) for part in parts):
        return None
    return numbered(1 + max(int(part.target.max()) for part in parts))


def read_npy(stream: IO[bytes], size: int, label: str) -> np.ndarray[Any, Any]:
    """The array in a .npy stream of `size` bytes; what the header announces is held against that size."""
    import numpy as np
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, columns, dtype = reader(stream)
        start = stream.tell()
    except (ValueError, TypeError, SyntaxError) as error:
        raise DataError(f"{label} has no readable header: {str(error).splitlines()[0]}") from None
    if dtype.hasobject:
        raise DataError(f"{label} holds Python objects, expected numbers. Objects are never unpickled.")
    length = prod(shape) * dtype.itemsize
    if length != size - start:
        text = f"{label} announces {' x '.join(map(str, shape))} values of {dtype}, which are {length:,} bytes"
        raise DataError(f"{text}, and holds {size - start:,}")
    content = bytearray(length)
    into = memoryview(content)
    while into and (count := stream.readinto(into)):  # type: ignore[attr-defined]
        into = into[count:]
    return np.frombuffer(content, dtype).reshape(shape, order="F" if columns else "C")
