"""The header of a safetensors file: what it holds, by name, kind of number and shape. The tensors are not read."""

from __future__ import annotations

import json
import struct
from math import prod
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from netspec.errors import DataError
from netspec.files import need_file, shown
from netspec.words import printable

KINDS: Final = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "C64": ("complex64", 8),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "U16": ("uint16", 2),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}
"""What the format calls kinds of numbers: torch's name of each, and its bytes."""
MAX_HEADER: Final = 16 * 2**20
"""Bytes of a header, at most: those of some 150,000 tensors."""
METADATA: Final = "__metadata__"
PICKLED: Final = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
"""What files of weights are called that torch.save wrote."""
BEGIN: Final = 9
"""The bytes by which a file is known: the length of its header, and the brace that opens it."""
AXES: Final = 64
"""Of a tensor, at most."""


class Entry(NamedTuple):
    """What a header says of a tensor."""

    kind: str
    """Of number, by torch's name."""
    shape: tuple[int, ...]
    begin: int = 0
    """Where in its file its numbers begin, in bytes."""

    @property
    def numbers(self) -> int:
        """How many it holds."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes in its file."""
        return self.numbers * WIDTHS[self.kind]


WIDTHS: Final = dict(KINDS.values())
"""The bytes of each kind of number, by torch's name."""


class Header(NamedTuple):
    """What a file holds, by the header alone."""

    tensors: dict[str, Entry]
    metadata: dict[str, str]


class Unsound(ValueError):
    """A header that is none; the message says how."""


def read_header(path: Path) -> Header:
    """What a file of tensors holds; the tensors are not read. Raises DataError for a file that is no sound one."""
    need_file(path, "a file of weights, such as best.safetensors")
    try:
        with path.open("rb") as stream:
            need_no_pickle(path, stream.read(BEGIN))
            stream.seek(0)
            return _header(stream, path.stat().st_size)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        reason = printable(str(error)) if isinstance(error, Unsound) else "its header is no JSON"
        raise DataError(f"{shown(path)} holds no weights that can be read: {reason}") from None


def need_no_pickle(path: Path, begin: bytes) -> None:
    """Refuse a file of pickle's, by its name or by how it begins. Raises DataError that says what converts it."""
    packed = begin.startswith(b"PK\x03\x04")
    bare = begin[:1] == b"\x80" and begin[1:2] in (b"\2", b"\3", b"\4", b"\5") and begin[8:] != b"{"
    if path.suffix in PICKLED or packed or bare:
        made = path.with_suffix(".converted.safetensors" if path.suffix == ".safetensors" else ".safetensors")
        way_out = f"`netspec weights convert {shown(path)} {shown(made)}` converts it once"
        raise DataError(f"{shown(path)} is a file of pickle's, only safetensors are read: {way_out}.")


def _header(stream: IO[bytes], size: int) -> Header:
    """The header of a .safetensors file of this size in bytes, and where its tensors begin. Raises Unsound."""
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
    tensors = {name: _entry(name, entry, 8 + length) for name, entry in found.items()}
    end = 0
    for name, (begin, stop) in sorted(((n, e["data_offsets"]) for n, e in found.items()), key=lambda item: item[1]):
        if begin != end:
            raise Unsound(f"the bytes of {name!r} begin at {begin:,}, and those before them end at {end:,}")
        end = stop
    if end != size - 8 - length:
        raise Unsound(f"its header speaks of {end:,} bytes of tensors, and {size - 8 - length:,} are there")
    return Header(tensors, metadata)


def _entry(name: str, entry: Any, begin: int) -> Entry:
    """What a header says of one tensor, held against itself; tensors begin at `begin`. Raises Unsound."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise Unsound(f"{name!r} has not just dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in KINDS:
        raise Unsound(f"{name!r} is of dtype {str(dtype)[:40]!r}. There are: {', '.join(KINDS)}")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > AXES:
        raise Unsound(f"shape or data_offsets of {name!r} are not lists of counts")
    kind, width = KINDS[dtype]
    wanted = prod(shape) * width
    if offsets[1] - offsets[0] != wanted:
        raise Unsound(f"{name!r} takes {wanted:,} bytes, and has {offsets[1] - offsets[0]:,}")
    return Entry(kind, tuple(shape), begin + offsets[0])


def _counts(value: Any) -> bool:
    """Whether a value is a list of whole numbers that 64 bits hold."""
    return isinstance(value, list) and all(type(count) is int and 0 <= count < 2**63 for count in value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs of a JSON object as a mapping. Raises Unsound for a name that stands there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Unsound(f"its header has {twice!r} twice")
    return found


def _no_number(word: str) -> Any:
    """Refuse NaN and infinity, which Python's reader of JSON takes. Raises Unsound."""
    raise Unsound(f"its header holds {word}, which is no JSON")
