"""Files of tensors in the format safetensors: a header in JSON, then the bytes of one tensor after the other.

safetensors itself reads them, once the header is found to be sound and to be what was asked for. It does not write
them: its files are of mode 0600, and have their metadata in another order each time.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import torch

from netspec.errors import DataError
from netspec.files import need_file, shown
from netspec.json_text import json_text
from netspec.words import printable

DTYPES: Final = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""What the format calls torch's dtypes."""
MAX_HEADER: Final = 16 * 2**20
"""Bytes of a header, at most: those of some 150,000 tensors."""
ALIGNED: Final = 8
METADATA: Final = "__metadata__"


class Entry(NamedTuple):
    """What a header says of a tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]


class Header(NamedTuple):
    """What a file holds, by the header alone."""

    tensors: dict[str, Entry]
    metadata: dict[str, str]


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors to one file, the same bytes for the same tensors. Raises OSError where the disk refuses.

    They may lie on any device and in any layout; the file has them contiguous, by name.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    # The widest numbers come first, so that each tensor lies where its numbers may lie.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    end = 0
    for name in order:
        tensor, begin = tensors[name], end
        end += tensor.numel() * tensor.element_size()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json_text(header).encode()
    text += b" " * (-len(text) % ALIGNED)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in order:
            whole = tensors[name].detach().cpu().contiguous()
            stream.write(whole.reshape(-1).view(torch.uint8).numpy().data)


def read_header(path: Path) -> Header:
    """What a file of tensors holds; the tensors are not read. Raises DataError for a file that is no sound one."""
    need_file(path, "a file of weights, such as best.safetensors")
    try:
        with path.open("rb") as stream:
            return _header(stream, path.stat().st_size)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        reason = printable(str(error)) if isinstance(error, Unsound) else "its header is no JSON"
        raise DataError(f"{shown(path)} holds no weights that can be read: {reason}") from None


class Unsound(ValueError):
    """A header that is none; the message says how."""


def _header(stream: IO[bytes], size: int) -> Header:
    """The header of a file of `size` bytes, held against itself. Raises Unsound, ValueError for what is no JSON."""
    begin = stream.read(8)
    (length,) = struct.unpack("<Q", begin) if len(begin) == 8 else (0,)
    if not 2 <= length <= size - 8:
        raise Unsound("it does not begin with the length of a header that is in it")
    if length > MAX_HEADER:
        raise Unsound(f"its header takes {length:,} bytes, at most {MAX_HEADER:,} are read")
    text = stream.read(length).decode("utf-8")
    found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(found, dict):
        raise Unsound("its header is no mapping")
    metadata = found.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Unsound("its metadata are no texts")
    tensors = {name: _entry(name, entry) for name, entry in found.items()}
    end = 0
    for name, (begin, stop) in sorted(((n, e["data_offsets"]) for n, e in found.items()), key=lambda item: item[1]):
        if begin != end:
            raise Unsound(f"the bytes of {name!r} begin at {begin:,}, and those before them end at {end:,}")
        end = stop
    if end != size - 8 - length:
        raise Unsound(f"its header speaks of {end:,} bytes of tensors, and {size - 8 - length:,} are there")
    return Header(tensors, metadata)


def _entry(name: str, entry: Any) -> Entry:
    """What a header says of one tensor, held against itself. Raises Unsound."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise Unsound(f"{name!r} has not just dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Unsound(f"{name!r} is of dtype {str(dtype)[:40]!r}. There are: {', '.join(DTYPES)}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise Unsound(f"shape or data_offsets of {name!r} are not lists of counts")
    wanted = prod(shape) * DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != wanted:
        raise Unsound(f"{name!r} takes {wanted:,} bytes, and has {offsets[1] - offsets[0]:,}")
    return Entry(DTYPES[dtype], tuple(shape))


def _counts(value: Any) -> bool:
    """Whether a value is a list of whole numbers that a size can be."""
    return isinstance(value, list) and all(type(count) is int and 0 <= count < 2**63 for count in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of JSON. Raises Unsound for a key that is there twice, of which others would take either."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise Unsound(f"its header has {next(n for n in found if names.count(n) > 1)!r} twice")
    return found


def _no_number(word: str) -> Any:
    """Refuse NaN and Infinity, which JSON does not have. Raises Unsound."""
    raise Unsound(f"its header holds {word}, which is no JSON")
