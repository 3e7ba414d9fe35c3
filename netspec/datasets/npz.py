"""Arrays in one .npz file, as `numpy.savez` writes it."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from netspec.datasets import checks
from netspec.datasets.base import LABELS, Arrays, Dataset, Gives, Part
from netspec.datasets.files import MAX_UNPACKED, Budget, Files, show
from netspec.datasets.npy import (
    TARGETS,
    Header,
    by_name,
    counted,
    foretold,
    npy_rows,
    read_header,
    read_npy,
    some_targets,
)
from netspec.datasets.options import NAMES, names
from netspec.datasets.rows import FileRows
from netspec.errors import DataError
from netspec.records import Checked, Maybe, Text
from netspec.words import did_you_mean, printable

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

NPY_MAGIC: Final = b"\x93NUMPY"
ZIP_MAGIC: Final = b"PK"
PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy writes. Others unpack piece by piece without a bound."""
PARTS: Final = ("train", "val", "test")
LOCAL_HEADER: Final = 30
"""Bytes before the name of a member of a zip file; the last four are two lengths."""


class NPZ(Dataset):
    """Arrays by name in a .npz file, a row for each sample, in the order of the network's inputs.

    In place of one array `x` there may be `x_train`, with or without `x_val` and `x_test`. Bytes are
    images and become 0.0 to 1.0; other whole numbers stay whole. A target with one whole number a row holds classes.
    What `numpy.savez` wrote is read a batch at a time where it is larger than the memory that data may take; what
    `numpy.savez_compressed` wrote is packed, and can only be read whole.
    """

    example = "npz data/train.npz"

    @property
    def targets(self) -> tuple[str, ...]:
        named = by_name(self.target)
        return tuple(named) if len(named) > 1 else ()

    path = Text("the .npz file")
    inputs = Checked(
        "arrays that the network takes, in its order",
        names,
        NAMES,
        ("x",),
        textual=True,
    )
    target = Checked(
        "array that the network learns to give; a list of several, or {OUTPUT: ARRAY, ...}, which losses name",
        some_targets,
        TARGETS,
        "y",
        textual=True,
    )
    classes = Maybe(Text("array of the classes' names", None))
    first = checks.FirstClass()

    def read(self, files: Files) -> Arrays:
        with opened(files.file(self.path), files.budget) as archive:
            return self._arrays(archive)

    def announced(self, files: Files) -> Gives | None:
        if self.targets:  # which of several leads is found once they are read
            return None
        try:
            path = files.file(self.path)
        except DataError:  # not there, or not for a check to open: a run says which
            return None
        with opened(path) as archive:
            held = (*self.inputs, *by_name(self.target).values())
            suffix = "_train" * any(f"{name}_train" in archive.names for name in held)
            wanted = [f"{name}{suffix}" for name in held]
            gives = foretold([(archive.header(name), archive.label(name)) for name in wanted])
            if self.classes is None or gives.target != LABELS:
                return gives
            return replace(gives, classes=prod(archive.header(self.classes).shape))

    def _arrays(self, archive: Archive) -> Arrays:
        """The arrays of an archive by parts, where their names say which. Raises DataError."""
        wanted = (*self.inputs, *by_name(self.target).values())
        there = [p for p in PARTS if any(f"{name}_{p}" in archive.names for name in wanted)]
        if "train" in there:
            parts = {part: self._part(archive, f"_{part}") for part in there}
        else:
            parts = {"train": self._part(archive, "")}
        lead = self._lead(parts["train"])
        classes = self._classes(archive, parts)
        others = {name: counted([part.led_by(name) for part in parts.values()]) for name in parts["train"].others}
        found = Arrays(parts["train"], parts.get("val"), parts.get("test"), self.inputs, classes)
        return replace(found, lead=lead, classes_of=others)

    def _lead(self, train: Part) -> str:
        """The target that leads, where there are several."""
        return next(name for name in self.targets if name not in train.others) if self.targets else ""

    def _part(self, archive: Archive, suffix: str) -> Part:
        """The arrays of one part, whose names end so. Raises DataError."""
        wanted = [f"{name}{suffix}" for name in (*self.inputs, *by_name(self.target).values())]
        arrays, labels = [archive.read(name) for name in wanted], [archive.label(name) for name in wanted]
        inputs, held = arrays[: len(self.inputs)], arrays[len(self.inputs) :]
        part = checks.with_targets(inputs, dict(zip(by_name(self.target), held, strict=True)), labels)
        part = checks.counted_from(part, self.first)
        return replace(part, key=partial(_key, archive.path, suffix, len(part)))

    def _classes(self, archive: Archive, parts: dict[str, Part]) -> tuple[str, ...] | None:
        """The names of the classes, from an array of their own if one is named."""
        whole = all(part.target.ndim == 1 and part.target.dtype.kind == "i" for part in parts.values())
        if self.classes is None or not whole:
            return counted(list(parts.values()), self.first)
        named = archive.texts(self.classes)
        for part, held in parts.items():
            checks.labels_below(held.target[:], len(named), f"{show(archive.path)}, the target of {part}")
        return named


def _key(path: Path, suffix: str, count: int, name: str, what: str) -> Array:
    """One array of a file for a split to go by: a group or a time for each sample. Raises DataError."""
    import numpy as np

    with opened(path) as archive:
        found: Array = archive.plain(f"{name}{suffix}")
    if found.shape != (count,) or found.dtype.kind not in ("SUiu" if what == "group" else "fiu"):
        text = f"{show(path)}, array {name + suffix!r} holds {found.dtype} of {found.shape}"
        raise DataError(f"{text}, expected a {what} for each of {count:,} samples")
    return found.astype(np.str_) if what == "group" else found.astype(np.float64)


class Archive:
    """The arrays of an open .npz file. Nothing in it is unpickled, and sizes are checked before memory is taken."""

    def __init__(self, archive: zipfile.ZipFile, path: Path, budget: Budget) -> None:
        self.path, self._budget, self._size = path, budget, path.stat().st_size
        self._archive = archive
        self._members = {i.filename.removesuffix(".npy"): i for i in archive.infolist() if i.filename.endswith(".npy")}
        self.names = tuple(self._members)

    def label(self, name: str) -> str:
        """What messages call an array."""
        return f"{show(self.path)}, array {name!r}"

    def read(self, name: str) -> Array | FileRows:
        """One array in a dtype that training knows, which stays in the file if it is not packed. Raises DataError."""
        member, label = self._member(name), self.label(name)
        with self._archive.open(member) as stream:
            if member.compress_type == zipfile.ZIP_STORED:
                start = self._start(member)
                if member.compress_size != member.file_size or start + member.file_size > self._size:
                    raise DataError(f"{label} announces {member.file_size:,} bytes, which are not in the file")
                found = npy_rows(stream, member.file_size, label, self.path, self._budget, start)
            else:
                found = self._unpacked(stream, member, label)
        return checks.settled(found, label)

    def header(self, name: str) -> Header:
        """What one array announces. Raises DataError."""
        member, label = self._member(name), self.label(name)
        self._need_known(member, label)
        with self._archive.open(member) as stream:
            return read_header(stream, member.file_size, label)

    def plain(self, name: str) -> Array:
        """One array as it was saved. Raises DataError."""
        member = self._member(name)
        with self._archive.open(member) as stream:
            return self._unpacked(stream, member, self.label(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts in one array. Raises DataError."""
        array = self.plain(name)
        if array.dtype.kind not in "USiu":
            raise DataError(f"{self.label(name)} holds {array.dtype}, expected names")
        return tuple(str(text) for text in array.astype("U").ravel())

    def _member(self, name: str) -> zipfile.ZipInfo:
        """The file in the archive that holds an array. Raises DataError."""
        if name not in self._members:
            hint = did_you_mean(name, self.names) or f"It has: {', '.join(self.names) or 'none'}."
            raise DataError(f"{show(self.path)} has no array {name!r}. {printable(hint)}")
        return self._members[name]

    def _need_known(self, member: zipfile.ZipInfo, label: str) -> None:
        """Refuse what numpy never packs. Raises DataError."""
        if member.compress_type not in PACKINGS:
            raise DataError(f"{label} is packed in a way that numpy does not pack. Write it with numpy.savez.")

    def _unpacked(self, stream: IO[bytes], member: zipfile.ZipInfo, label: str) -> Array:
        """A packed array, in bounds. Raises DataError."""
        self._need_known(member, label)
        if member.file_size > MAX_UNPACKED:
            raise DataError(f"{label} unpacks to {member.file_size:,} bytes, at most {MAX_UNPACKED:,} are read")
        return read_npy(stream, member.file_size, label, self._budget)

    def _start(self, member: zipfile.ZipInfo) -> int:
        """Where the bytes of a member begin in the file: after its header, a name and more of any length."""
        with self.path.open("rb") as stream:
            stream.seek(member.header_offset)
            header = stream.read(LOCAL_HEADER)
        name, more = struct.unpack("<HH", header[-4:])
        return member.header_offset + LOCAL_HEADER + int(name) + int(more)


@contextmanager
def opened(path: Path, budget: Budget | None = None) -> Iterator[Archive]:
    """The arrays of the file at `path`. Faults of the file become DataError."""
    try:
        _need_zip(path)
        with zipfile.ZipFile(path) as archive:
            yield Archive(archive, path, budget or Budget())
    except zipfile.BadZipFile as error:
        reason = "its end, which lists the arrays, is missing" if not zipfile.is_zipfile(path) else error
        raise DataError(f"{show(path)} is not a whole .npz file: {reason}. Fetch or write it again.") from None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{show(path)} is not a whole .npz file: {error}") from None
    except OSError as error:
        raise DataError(f"{show(path)} cannot be read: {error.strerror or error}") from None


def _need_zip(path: Path) -> None:
    """Refuse a file that is something else, or empty. Raises DataError."""
    with path.open("rb") as stream:
        begin = stream.read(len(NPY_MAGIC))
    if begin == NPY_MAGIC:
        raise DataError(f"{show(path)} is no .npz file: it holds one array, as numpy.save writes it. Read it with npy.")
    if not begin.startswith(ZIP_MAGIC):
        found = "it is empty" if not begin else "it is no zip archive"
        raise DataError(f"{show(path)} is no .npz file: {found}. numpy.savez writes one.")
