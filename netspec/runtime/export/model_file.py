"""A model of ONNX as a file of strangers: what it says of itself, and whether it may be opened. Nothing is run.

Only the outermost fields of the message are looked at here, one after the other, with bounded lengths.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, NoReturn

from netspec.errors import DataError
from netspec.files import kind, need_file, shown
from netspec.words import printable

MAX_FILE: Final = 2**31
"""Bytes of a model without the tensors beside it, at most: protobuf takes no more."""
MAX_SAID: Final = 64 * 2**20
"""Bytes of all that a model says of itself, at most."""
MAX_FIELDS: Final = 10_000
"""Outermost fields of a model, at most."""
IR_VERSION: Final = 1
GRAPH: Final = 7
METADATA: Final = 14
"""The numbers of fields of ModelProto."""
KEY: Final = 1
VALUE: Final = 2
"""Those of StringStringEntryProto."""
VARINT: Final = 0
BYTES: Final = 2
"""How protobuf writes fields: the two kinds that a model has outermost."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says of itself."""

    metadata: dict[str, str]
    last: str
    """The key of the property that its last field is; empty where that is something else."""
    body: int
    """How many bytes come before its last field."""


def read_said(path: Path) -> Said:
    """What the model in a file says of itself. Raises DataError for what is no model, or larger than one can be."""
    need_file(path, "a model of ONNX, such as model.onnx")
    size = path.stat().st_size
    if size > MAX_FILE:
        _refuse(path, f"it takes {size:,} bytes, at most {MAX_FILE:,} are read")
    try:
        with path.open("rb") as stream:
            return _said(stream, size, path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None


def _said(stream: IO[bytes], size: int, path: Path) -> Said:
    """The same of an open file."""
    numbers: set[int] = set()
    metadata: dict[str, str] = {}
    last, begin, room = "", 0, MAX_SAID
    for count, (number, at, length) in enumerate(_fields(stream, size, path)):
        last, begin = "", at
        numbers.add(number)
        if count >= MAX_FIELDS:
            _refuse(path, f"it has more than {MAX_FIELDS:,} fields")
        if number == METADATA:
            room -= length
            if room < 0:
                _refuse(path, f"what it says of itself takes more than {MAX_SAID:,} bytes")
            last, value = _entry(stream.read(length), path)
            if last in metadata:
                _refuse(path, f"it says {last!r} twice")
            metadata[last] = value
        else:
            stream.seek(length, os.SEEK_CUR)
    if not {IR_VERSION, GRAPH} <= numbers:
        _refuse(path, "it has no version and no graph")
    return Said(metadata, last, begin)


def _fields(stream: IO[bytes], size: int, path: Path) -> Iterator[tuple[int, int, int]]:
    """Each outermost field: its number, where it begins, and its bytes that are still to be read."""
    while (begin := stream.tell()) < size:
        tag = _varint(stream, path)
        number, way = tag >> 3, tag & 7
        if way == VARINT:
            _varint(stream, path)
            yield number, begin, 0
        elif way == BYTES:
            length = _varint(stream, path)
            if length > size - stream.tell():
                _refuse(path, f"a part of {length:,} bytes is not whole")
            yield number, begin, length
        else:
            _refuse(path, "it does not begin as one")


def _varint(stream: IO[bytes], path: Path) -> int:
    """A whole number, seven bits a byte."""
    value = shift = 0
    while True:
        byte = stream.read(1)
        if not byte or shift > 63:
            _refuse(path, "it ends too early, or does not begin as one")
        value |= (byte[0] & 127) << shift
        shift += 7
        if byte[0] < 128:
            return value


def _entry(data: bytes, path: Path) -> tuple[str, str]:
    """A property: its key and its value."""
    from io import BytesIO

    found = {KEY: "", VALUE: ""}
    stream = BytesIO(data)
    for number, _, length in _fields(stream, len(data), path):
        text = stream.read(length)
        try:
            found[number] = text.decode("utf-8")
        except UnicodeDecodeError:
            _refuse(path, "what it says of itself is no text")
    return found[KEY], found[VALUE]


def need_harmless(path: Path, model: Any) -> list[Path]:
    """Refuse a model whose tensors lie elsewhere than beside it, and give the files that they lie in.

    `model` is its ModelProto, read without them. Raises DataError.
    """
    folder, found = path.parent, dict[str, None]()
    for name, location in _locations(model):
        plain = PurePosixPath(location)
        if not location or plain.name != location or "\\" in location or ":" in location or location in (".", ".."):
            _refuse(path, f"{name!r} lies in {location!r}, which is no file beside it")
        found[location] = None
    files = [folder / location for location in found]
    for file in files:
        if file.is_symlink() or kind(file) != "file":
            _refuse(path, f"its tensors lie in {file.name!r}, which is no file")
    return files


def _locations(message: Any) -> Iterator[tuple[str, str]]:
    """The name of each tensor of a message that lies in another file, at any depth, and that file's."""
    for field, value in message.ListFields():
        if field.type != field.TYPE_MESSAGE:
            continue
        for each in value if hasattr(value, "__len__") else [value]:
            if each.DESCRIPTOR.name == "TensorProto" and (each.external_data or each.data_location):
                said = {entry.key: entry.value for entry in each.external_data}
                yield each.name, said.get("location", "")
            yield from _locations(each)


def _refuse(path: Path, why: str) -> NoReturn:
    """Raises DataError."""
    raise DataError(f"{shown(path)} is no model of ONNX that is read: {printable(why)}")
