"""Arrays in .npy files, as `numpy.save` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part, numbered
from netspec.datasets.files import Budget, Files, show
from netspec.datasets.options import NAMES, names
from netspec.datasets.rows import FileRows
from netspec.dims import BATCH
from netspec.errors import DataError
from netspec.records import Checked, Maybe, refuse
from netspec.tensors import Tensor

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MAX_AXES: Final = 16
TARGETS: Final = {"anyOf": [NAMES, {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1}]}


def some_targets(value: Any) -> str | tuple[str, ...] | dict[str, str]:
    """The check of a field that takes one target, a list of several, or several by the names of outputs."""
    if isinstance(value, dict) and value and all(isinstance(x, str) and x for pair in value.items() for x in pair):
        return dict(value)
    if isinstance(value, dict) or not value or not isinstance(value, str | list | tuple):
        raise refuse("the name of a target, a list of them, or {OUTPUT: NAME} for several")
    return value if isinstance(value, str) else names(value)


def by_name(value: str | tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    """What holds each target by the target's name."""
    return dict(value) if isinstance(value, Mapping) else {name: name for name in names(value)}


def by_stem(value: str | tuple[str, ...] | Mapping[str, str]) -> dict[str, str]:
    """The file of each target by the target's name, which is that of the file where nothing else is said."""
    return dict(value) if isinstance(value, Mapping) else {Path(name).stem: name for name in names(value)}


UNPACK: Final = "Save it with numpy.save or numpy.savez, which is read a batch at a time"
BY_ROWS: Final = "Save it row by row, as numpy.save does with numpy.ascontiguousarray(x), to read a batch at a time"


class NPY(Dataset):
    """Arrays in .npy files, a row for each sample: one file for each input of the network, one for the target.

    Files larger than the memory that data may take are read a batch at a time. Bytes are images and
    become 0.0 to 1.0; other whole numbers stay whole. A target with one whole number a row holds classes.
    """

    example = "npy x.npy y.npy"

    inputs = Checked("files that the network takes, in its order", names, NAMES, textual=True)
    target = Checked(
        "file that the network learns to give; {OUTPUT: FILE, ...} or a list for several, which losses name",
        some_targets,
        TARGETS,
        textual=True,
    )
    val_inputs = Maybe(Checked("files of the validation part, in the same order", names, NAMES, None, textual=True))
    val_target = Maybe(Checked("the same of the validation part", some_targets, TARGETS, None, textual=True))
    test_inputs = Maybe(Checked("files of the test part, in the same order", names, NAMES, None, textual=True))
    test_target = Maybe(Checked("the same of the test part", some_targets, TARGETS, None, textual=True))
    first = checks.FirstClass()

    @property
    def targets(self) -> tuple[str, ...]:
        named = by_stem(self.target)
        return tuple(named) if len(named) > 1 else ()

    def read(self, files: Files) -> Arrays:
        train = self._part(files, self.inputs, self.target)
        val = self._held(files, "val", self.val_inputs, self.val_target)
        test = self._held(files, "test", self.test_inputs, self.test_target)
        parts = [part for part in (train, val, test) if part]
        classes = counted(parts, self.first)
        lead = next(name for name in self.targets if name not in train.others) if self.targets else ""
        others = {name: counted([part.led_by(name) for part in parts]) for name in train.others}
        found = Arrays(train, val, test, tuple(Path(i).stem for i in self.inputs), classes)
        return replace(found, lead=lead, classes_of=others)

    def announced(self, files: Files) -> Gives | None:
        if self.targets:  # which of several leads is found once they are read
            return None
        try:
            paths = [files.file(path) for path in (*self.inputs, *by_stem(self.target).values())]
        except DataError:  # not there, or not for a check to open: a run says which
            return None
        return foretold([(header_of(path), show(path)) for path in paths])

    def _held(self, files: Files, part: str, inputs: tuple[str, ...] | None, target: Any) -> Part | None:
        """A part with files of its own, where there is one. Raises DataError."""
        if inputs and target:
            if self.targets and not (isinstance(target, dict) and target.keys() == set(self.targets)):
                row = ", ".join(f"{name}: FILE" for name in self.targets)
                raise DataError(f"npy: {part}_target has not the names of the targets. Write {part}_target: {{{row}}}")
            return self._part(files, inputs, target)
        if inputs or target:
            raise DataError(f"npy: {part}_inputs and {part}_target come together, only one of them is given")
        return None

    def _part(self, files: Files, inputs: tuple[str, ...], target: Any) -> Part:
        """The arrays of one part, held against each other. Raises DataError."""
        named, count = by_stem(target), len(inputs)
        paths = [files.file(path) for path in (*inputs, *named.values())]
        arrays = [read_file(path, files.budget) for path in paths]
        targets = dict(zip(named, arrays[count:], strict=True))
        found = checks.with_targets(arrays[:count], targets, [show(path) for path in paths])
        return checks.counted_from(found, self.first)


def read_file(path: Path, budget: Budget | None = None) -> Array | FileRows:
    """The array in the file at `path`, in a dtype that training knows. Raises DataError."""
    try:
        with path.open("rb") as stream:
            found = npy_rows(stream, path.stat().st_size, show(path), path, budget or Budget())
    except OSError as error:
        raise DataError(f"{show(path)} cannot be read: {error.strerror or error}") from None
    return checks.settled(found, show(path))


def header_of(path: Path) -> Header:
    """The header of the file at `path`. Raises DataError."""
    try:
        with path.open("rb") as stream:
            return read_header(stream, path.stat().st_size, show(path))
    except OSError as error:
        raise DataError(f"{show(path)} cannot be read: {error.strerror or error}") from None


def counted(parts: list[Part], first: int = 0) -> tuple[str, ...] | None:
    """Names for the classes in the targets, by their numbers from `first` on; None where a target holds no classes."""
    if not all(checks.are_classes(part.target) for part in parts):
        return None
    return numbered(1 + max(int(part.target[:].max()) for part in parts), first)


class Header(NamedTuple):
    """What a .npy stream announces, and where its values begin."""

    shape: tuple[int, ...]
    columns: bool
    """Whether the first axis changes fastest, so that no row lies in one place."""
    dtype: np.dtype[Any]
    start: int


def foretold(headers: Sequence[tuple[Header, str]]) -> Gives:
    """What arrays give by their headers, each with its name in messages, the target last. Raises DataError."""
    found: list[Tensor] = []
    for header, label in headers:
        checks.need_rows(header.shape, header.dtype, label)
        image = header.dtype.kind == "u" and header.dtype.itemsize == 1 and len(found) < len(headers) - 1
        found.append(Tensor((BATCH, *header.shape[1:]), "float32" if image else checks.KINDS[header.dtype.kind]))
    last = headers[-1][0]
    return Gives(tuple(found[:-1]), LABELS if checks.are_labels(last.shape, last.dtype.kind) else found[-1])


def read_header(stream: IO[bytes], size: int, label: str) -> Header:
    """The header of a .npy stream of `size` bytes, held against that size. Raises DataError."""
    from tokenize import TokenError  # numpy reads a header as Python's tokens

    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        header = Header(*reader(stream), stream.tell())
        if not all(type(count) is int and 0 <= count < 2**63 for count in header.shape):
            raise ValueError(f"{header.shape} is not a shape")
    except (ValueError, TypeError, SyntaxError, TokenError, MemoryError, RecursionError, OverflowError) as error:
        raise DataError(f"{label} has no readable header: {(str(error) or 'it is nested').splitlines()[0]}") from None
    if len(header.shape) > MAX_AXES or 0 in header.shape[1:] or not header.dtype.itemsize:
        text = f"{label} announces {' x '.join(map(str, header.shape[:MAX_AXES]))} values of {header.dtype}"
        raise DataError(f"{text}, which are no rows of numbers with at most {MAX_AXES} axes")
    if header.dtype.hasobject:
        raise DataError(f"{label} holds Python objects, expected numbers. Objects are never unpickled.")
    length = prod(header.shape) * header.dtype.itemsize
    if length != size - header.start:
        text = f"{label} announces {' x '.join(map(str, header.shape))} values of {header.dtype}"
        raise DataError(f"{text}, which are {length:,} bytes, and holds {size - header.start:,}")
    return header


def read_npy(stream: IO[bytes], size: int, label: str, budget: Budget) -> Array:
    """The array in a .npy stream of `size` bytes, within the budget. Raises DataError."""
    header = read_header(stream, size, label)
    budget.take(_needed(header), label, UNPACK)
    return _content(stream, header)


def npy_rows(stream: IO[bytes], size: int, label: str, path: Path, budget: Budget, origin: int = 0) -> Array | FileRows:
    """The same for a stream that lies as it is in the file `path`, `origin` bytes from its start.

    The array stays in the file, unless its rows do not lie in one place each.
    """
    header = read_header(stream, size, label)
    if header.columns:
        budget.take(_needed(header), label, BY_ROWS)
        return _content(stream, header)
    return FileRows(path, origin + header.start, header.dtype, header.shape, header.dtype)


def _needed(header: Header) -> int:
    """Bytes that it takes to read the array, bring its rows together, and have it in a dtype that training knows."""
    count = prod(header.shape)
    read = count * header.dtype.itemsize * (2 if header.columns else 1)
    return read + checks.settling(header.dtype, count)


def _content(stream: IO[bytes], header: Header) -> Array:
    """The array behind a header, in one piece and row by row."""
    import numpy as np

    content = bytearray(prod(header.shape) * header.dtype.itemsize)
    into = memoryview(content)
    while into and (count := stream.readinto(into)):  # type: ignore[attr-defined]
        into = into[count:]
    array = np.frombuffer(content, header.dtype).reshape(header.shape, order="F" if header.columns else "C")
    return np.asarray(array, order="C")
