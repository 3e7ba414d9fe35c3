"""Writes a model of ONNX whose weights are still where they came from, tensor by tensor, so that none is copied.

protobuf would have the whole file in memory, twice. A message that is written by hand around its parts, each with its
tag and its length, is the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from netspec.emit.onnx.writer import Array

if TYPE_CHECKING:
    from onnx import ModelProto

GRAPH: Final = 7
"""The number of ModelProto.graph."""
INITIALIZER: Final = 5
"""That of GraphProto.initializer."""
RAW_DATA: Final = 9
"""That of TensorProto.raw_data."""
ONE_FILE: Final = 2**31 - 2**20
"""What a single file of ONNX can hold, in bytes."""
PAGE: Final = 4096
"""Where a large tensor begins in a file beside the model: a runtime then maps it and copies nothing."""
EXTERNAL: Final = 1
"""TensorProto.DataLocation: the numbers are in another file."""


def save(model: ModelProto, arrays: Mapping[str, Array], file: Path) -> int:
    """Write a model whose initializers have their numbers in `arrays`, by name, and give how many bytes that are.

    What one file cannot hold goes into one beside it, which ends in `.data`. Raises OSError.
    """
    heads = [tensor.SerializeToString(deterministic=True) for tensor in model.graph.initializer]
    named = [arrays[tensor.name] for tensor in model.graph.initializer]
    total = sum(array.nbytes for array in named)
    if total > ONE_FILE:
        beside = file.with_name(f"{file.name}.data")
        _save_beside(model, named, beside)
        file.write_bytes(model.SerializeToString(deterministic=True))
        return file.stat().st_size + beside.stat().st_size
    del model.graph.initializer[:]
    graph = model.graph.SerializeToString(deterministic=True)
    model.ClearField("graph")
    pairs = list(zip(heads, named, strict=True))
    lengths = [len(head) + len(_head(RAW_DATA, array.nbytes)) + array.nbytes for head, array in pairs]
    inner = len(graph) + sum(len(_head(INITIALIZER, length)) + length for length in lengths)
    with file.open("wb") as stream:
        stream.write(model.SerializeToString(deterministic=True))
        stream.write(_head(GRAPH, inner) + graph)
        for (head, array), length in zip(pairs, lengths, strict=True):
            stream.write(_head(INITIALIZER, length) + head + _head(RAW_DATA, array.nbytes))
            _pour(array, stream)
        return stream.tell()


def _save_beside(model: ModelProto, arrays: list[Array], file: Path) -> None:
    """Write the numbers of all initializers into a file, and let the model say where in it they lie."""
    with file.open("wb") as stream:
        for tensor, array in zip(model.graph.initializer, arrays, strict=True):
            if array.nbytes >= PAGE:
                stream.write(bytes(-stream.tell() % PAGE))
            tensor.data_location = EXTERNAL
            for key, value in (("location", file.name), ("offset", stream.tell()), ("length", array.nbytes)):
                tensor.external_data.add(key=key, value=str(value))
            _pour(array, stream)


def _pour(array: Array, stream: IO[bytes]) -> None:
    """Write the numbers of an array, as they lie in memory where they are in order."""
    whole = np.ascontiguousarray(array)
    stream.write(whole.reshape(-1).view(np.uint8).data)


def _head(number: int, length: int) -> bytes:
    """What stands before a field of so many bytes: its number, and its length."""
    return bytes([*_varint(number << 3 | 2), *_varint(length)])


def _varint(value: int) -> Iterator[int]:
    """A whole number as protobuf has it: seven bits a byte, the lowest first."""
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
