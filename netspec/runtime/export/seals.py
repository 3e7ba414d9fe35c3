"""Where the manifest stands in files of C, of Python and of torch.export, and what it binds there. Needs no torch.

C has it in a comment at the end of the source, Python among the metadata of its weights, so that the source is that of
the network alone, and an archive of torch.export as a file in it, with a checksum of all of the archive at its end.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from netspec.errors import DataError
from netspec.files import need_file, sha256, shown
from netspec.json_text import json_text
from netspec.runtime.export.manifest import MANIFEST, Sealed, manifest_of, sha256_of
from netspec.runtime.export.model_file import MAX_SAID, Said
from netspec.runtime.store.notes import plain
from netspec.views.c.program import interface, spelled
from netspec.weights.header import METADATA, read_header

SOURCE: Final = 2**30
"""Bytes of a C file that is read, at most."""
ABOUT: Final = "netspec.json"
"""The member of an archive that says where it comes from, in its folder `extra`."""
SEAL: Final = f"{MANIFEST}.json"
"""The member that is its manifest, in the same folder."""
SUM: Final = re.compile(rb"sha256 [0-9a-f]{64}")
"""The last bytes of an archive: a checksum of all before the number itself."""
DIGITS: Final = 64
UNKNOWN: Final = "0" * DIGITS


# --- C --------------------------------------------------------------------------------------------


class SealedC(Sealed):
    """A C file with its manifest, and its header."""

    __slots__ = ()

    @property
    def beside(self) -> Path:
        return self.path.with_suffix(".h")


def seal_c(file: Path, said: Mapping[str, Any]) -> None:
    """Put a manifest at the end of a source, with the checksums of what is there and of its header."""
    sums = {"sha256": sha256(file), "beside": sha256(file.with_suffix(".h"))}
    with file.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write("\n" + "\n".join(spelled(f"{MANIFEST}: ", {**said, **sums})) + "\n")


def read_c(path: Path) -> SealedC:
    """A C file with its manifest; nothing of it is compiled. Raises DataError for another file, or one without."""
    need_file(path, "a C file that netspec wrote")
    if path.stat().st_size > SOURCE:
        raise DataError(f"{shown(path)} takes {path.stat().st_size:,} bytes, at most {SOURCE:,} are read")
    whole = path.read_bytes()
    begin = whole.rfind(f"\n/*\n{MANIFEST}: ".encode())
    try:
        metadata = _texts(interface(whole[:begin].decode())["metadata"] if begin >= 0 else {})
        metadata |= {MANIFEST: json_text(interface(whole[begin:].decode(), f"{MANIFEST}: "))} if begin >= 0 else {}
    except (ValueError, LookupError, TypeError, RecursionError):
        raise DataError(f"{shown(path)} is no C file that netspec has written") from None
    alone = whole.endswith(b"\n*/\n") and whole.count(b"*/", begin) == 1
    return SealedC(path, Said(metadata, MANIFEST if alone else "", begin), manifest_of(path, metadata))


# --- Python ---------------------------------------------------------------------------------------


class SealedPy(Sealed):
    """A Python file, whose manifest is in the file of its weights."""

    __slots__ = ()

    @property
    def beside(self) -> Path:
        return self.path.with_suffix(".safetensors")

    @property
    def fault(self) -> str:
        if sha256(self.path) != self.manifest["sha256"]:
            return "its bytes are not those that were written"
        head, text = _header(self.beside)
        before, _, after = text.partition(json_text(self.said.metadata[MANIFEST]))
        if _sum_of_weights(self.beside, head, before + after) != self.manifest.get("beside"):
            return f"{self.beside.name} is not what was written beside it"
        return ""


def seal_py(file: Path, said: Mapping[str, Any]) -> None:
    """Put a manifest into the metadata of the weights beside a source, with the checksums of both, itself left out."""
    weights = file.with_suffix(".safetensors")
    begin, text = _header(weights)
    known = json.loads(text)
    about = dict(known.pop(METADATA, {}))
    sums = {"sha256": sha256(file), "beside": UNKNOWN}
    written = json_text({METADATA: {**about, MANIFEST: json_text({**said, **sums})}, **known})
    written += " " * (-len(written.encode()) % 8)
    before, _, after = written.partition(json_text(json_text({**said, **sums})))
    sums["beside"] = _sum_of_weights(weights, begin, before + after)
    header = f"{before}{json_text(json_text({**said, **sums}))}{after}".encode()
    made = weights.with_name(f"{weights.name}.sealed")
    with weights.open("rb") as stream, made.open("wb") as other:
        stream.seek(begin)
        other.write(struct.pack("<Q", len(header)) + header)
        shutil.copyfileobj(stream, other, 2**20)
    made.replace(weights)


def read_py(path: Path) -> SealedPy:
    """A Python file with the manifest beside it; nothing of it is run. Raises DataError where there is none."""
    need_file(path, "a Python file that netspec wrote")
    weights = path.with_suffix(".safetensors")
    if not weights.exists():
        raise DataError(f"{shown(path)} is verified by what {weights.name} says, its weights, which is not beside it")
    metadata = read_header(weights).metadata
    return SealedPy(path, Said(metadata, MANIFEST, 0), manifest_of(path, metadata))


def _header(weights: Path) -> tuple[int, str]:
    """Where the tensors of a file begin, and its header as it stands there."""
    with weights.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        return 8 + length, stream.read(length).decode()


def _sum_of_weights(weights: Path, begin: int, header: str) -> str:
    """The checksum of a header and of the tensors, which begin there."""
    found = hashlib.sha256(header.encode())
    with weights.open("rb") as stream:
        stream.seek(begin)
        while part := stream.read(2**20):
            found.update(part)
    return found.hexdigest()


# --- torch.export ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SealedArchive(Sealed):
    """An archive with its manifest, and the checksum at its end."""

    sum: str = ""

    @property
    def fault(self) -> str:
        if not self.sum:
            return "something was written behind its manifest"
        return "" if sha256_of(self.path, self.said.body) == self.sum else "its bytes are not those that were written"


def seal_pt2(file: Path, said: Mapping[str, Any]) -> None:
    """Put a manifest into an archive, and the checksum of all of it behind its last entry."""
    with zipfile.ZipFile(file, "a") as archive:
        root = archive.namelist()[0].split("/")[0]
        at_the_end = {"sha256": ""}
        archive.writestr(zipfile.ZipInfo(f"{root}/extra/{SEAL}"), json_text({**said, **at_the_end}))
        archive.comment = f"sha256 {UNKNOWN}".encode()
    length = file.stat().st_size - DIGITS
    found = sha256_of(file, length)
    with file.open("r+b") as stream:
        stream.seek(length)
        stream.write(found.encode())


def read_pt2(path: Path) -> SealedArchive:
    """An archive with its manifest; nothing of it is loaded. Raises DataError for another file, or one without."""
    need_file(path, "an archive of torch.export")
    try:
        with zipfile.ZipFile(path) as archive:
            about = _texts(plain(_member(archive, ABOUT) or "{}"))
            seal = _member(archive, SEAL)
            comment = archive.comment
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        text = str(error) or type(error).__name__
        raise DataError(f"{shown(path)} is no archive of torch.export that is read: {shown(text)}") from None
    metadata = about | ({MANIFEST: seal} if seal else {})
    found = comment[-DIGITS:].decode() if SUM.fullmatch(comment) else ""
    said = Said(metadata, MANIFEST, path.stat().st_size - DIGITS)
    return SealedArchive(path, said, manifest_of(path, metadata), found)


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """A text of an archive; empty where there is none. Raises ValueError for one that is too large."""
    found = [info for info in archive.infolist() if info.filename.split("/")[1:] == ["extra", name]]
    if not found:
        return ""
    if len(found) > 1 or found[0].file_size > MAX_SAID:
        raise ValueError(f"{name} is in it {len(found)} times, of {found[0].file_size:,} bytes")
    with archive.open(found[0]) as stream:
        return stream.read(MAX_SAID).decode()


def _texts(said: Any) -> dict[str, str]:
    """What a file says of itself. Raises ValueError where that is no text for each key."""
    if not isinstance(said, dict) or not all(isinstance(x, str) for pair in said.items() for x in pair):
        raise ValueError("what it says of itself are no texts")
    return dict(said)
