"""Data that unpacks or parses to far more than its files hold is refused before the memory is taken."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from netspec.datasets import csv, files
from netspec.datasets.csv import CSV
from netspec.datasets.files import Budget, Files
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from tests.data.writing import idx_bytes, section

BOUNDED = """
import resource, sys
from pathlib import Path
import numpy, torch
from netspec.errors import DataError
from netspec.runtime.data.loading import load_data
from tests.data.writing import section
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_data(section(sys.argv[1]), Path(sys.argv[2]))
except DataError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, file=sys.stderr)
"""


def refused(source: str, folder: Path) -> tuple[str, int]:
    """What is said to a source in a process of its own, and how many bytes of memory that took."""
    command = [sys.executable, "-c", BOUNDED, source, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, int(done.stderr.split()[-1])


def header(shape: str, dtype: str = "<f4", order: bool = False) -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def pack(path: Path, length: int, **arrays: bytes) -> None:
    """A .npz file of packed arrays: each a header, and so many bytes that are only announced."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, begin in arrays.items():
            archive.writestr(f"{name}.npy", begin)
            archive.infolist()[-1].file_size += length


def test_a_packed_archive_of_gigabytes(tmp_path: Path) -> None:
    pack(tmp_path / "a.npz", 2_400_000_000, x=header("(600000, 1000)"), y=b"")
    said, taken = refused("npz a.npz", tmp_path)
    assert "a.npz, array 'x' takes 2,400,000,000 bytes of memory" in said
    assert "2,147,483,648 are left" in said
    assert "numpy.savez, which is read a batch at a time, or allow more in the spec: data.memory=16GB" in said
    assert taken < 200 * 2**20


def test_arrays_count_together_and_with_what_they_become(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((100, 10)), y=np.zeros(100, np.int64))
    source = section("npz a.npz").source
    assert len(source.read(Files(tmp_path, budget=Budget(100 * 10 * (8 + 4) + 800))).train) == 100
    with pytest.raises(DataError, match=r"'y' takes 800 bytes of memory, of 12,799 that are allowed 799 are left"):
        source.read(Files(tmp_path, budget=Budget(12_799)))


def test_a_spec_may_allow_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netspec.runtime.data.reading.MEMORY", 100)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((100, 10), np.float32), y=np.arange(100) % 2)
    with pytest.raises(DataError, match="allow more in the spec"):
        load_data(section({"source": "npz a.npz"}), tmp_path)
    assert len(load_data(section({"source": "npz a.npz", "memory": "1MB"}), tmp_path).train) == 90


def test_gzipped_values_and_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(idx_bytes(np.zeros((200, 10, 10)))))
    (tmp_path / "y").write_bytes(gzip.compress(idx_bytes(np.zeros(200))))
    (tmp_path / "t").write_bytes(gzip.compress(b"a word " * 10_000))
    small = Files(tmp_path, budget=Budget(10_000))
    with pytest.raises(DataError, match=r"x takes 20,000 bytes of memory, .* Unpack the file"):
        section("idx x y").source.read(small)
    for units in ("characters", "bytes"):
        with pytest.raises(DataError, match=r"t holds more than 769 bytes of text. Train on a part of it, or allow"):
            section(f"text t 8 units={units}").source.read(small)


def test_gzipped_text_of_more_than_there_is_memory_for(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as stream:
        for _ in range(48):
            stream.write(b"ab\n\n" * 2**20)
    said, taken = refused("text a.gz 64", tmp_path)
    assert "holds more than 165,191,049 bytes of text" in said
    assert taken < 600 * 2**20


def test_a_table_of_many_columns(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(200_000))
    (tmp_path / "a.csv").write_text(f"{names}\n{','.join('1' * 200_000)}\n")
    said, taken = refused("csv a.csv c0", tmp_path)
    assert "a.csv has 200,000 columns, at most 65,536 are read. Save the numbers as one array" in said
    assert taken < 200 * 2**20


def test_a_table_of_many_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "MAX_CELLS", 20)
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 11)
    with pytest.raises(DataError, match=r"a.csv has more than 20 cells, line 12 is one too many"):
        section("csv a.csv b").source.read(Files(tmp_path))


def test_many_columns_are_looked_at_once_each(tmp_path: Path) -> None:
    count = 60_000
    (tmp_path / "a.csv").write_text(",".join(f"c{i}" for i in range(count)) + "\n" + ",".join("1" * count) + "\n")
    table = CSV(path="a.csv", target="c0").table(tmp_path / "a.csv")
    assert len(table.columns) == count


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header(f"({2**62}, 0)"), "no rows of numbers"),
        (header("(1, " + "1, " * 20 + ")") + bytes(4), "at most 16 axes"),
        (header(f"({2**40},)", "|S0"), "no rows of numbers"),
        (header(f"({2**60}, 8)"), "and holds 0"),
        (header("(-1, 4)"), "no readable header"),
        (header("(True, 4)"), "no readable header"),
        (header("(2, 2), 'x': 1"), "no readable header"),
        (header("(" * 500), "no readable header"),
    ],
)
def test_shapes_that_are_none(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    (tmp_path / "y.npy").write_bytes(content)
    pack(tmp_path / "a.npz", 0, x=content, y=content)
    for source in ("npy x.npy y.npy", "npz a.npz"):
        with pytest.raises(DataError, match=words):
            section(source).source.read(Files(tmp_path))


def test_an_array_by_columns_is_counted(tmp_path: Path) -> None:
    with (tmp_path / "x.npy").open("wb") as stream:
        stream.write(header(f"({2**20}, {2**12})", order=True))
        stream.truncate(stream.tell() + 2**34)
    np.save(tmp_path / "y.npy", np.zeros(2**20, np.int64))
    said, taken = refused("npy x.npy y.npy", tmp_path)
    assert "takes 34,359,738,368 bytes of memory" in said
    assert "ascontiguousarray" in said
    assert taken < 200 * 2**20


def test_archives_that_lie(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((4, 4), np.float32))
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", packing) as archive:
            archive.writestr("x.npy", stream.getvalue())
            archive.writestr("y.npy", stream.getvalue())
        with pytest.raises(DataError, match="packed in a way that numpy does not pack"):
            section("npz a.npz").source.read(Files(tmp_path))


def test_what_a_stranger_unpacks_has_a_bound_of_its_own() -> None:
    assert files.Budget().whole == files.MEMORY < files.MAX_UNPACKED
