"""Proposes a spec for data that somebody has: looks at it, says what it saw, and writes what trains on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from netspec.datasets.files import Files, show
from netspec.errors import UsageError
from netspec.proposals.proposal import Proposal

TABLES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
"""What files of tables end in, and the source that reads them."""
Choose = Callable[[Sequence[str]], str]
"""Who says which column or array is to be learnt, of those that there are."""


def propose(paths: Sequence[str], root: Path, target: str | None, choose: Choose) -> Proposal:
    """A spec in the folder `root` for data at `paths`: a table, a folder of images, a .npz file, or .npy files.

    The last of several .npy files holds the targets. Raises UsageError for data that there is no proposal for, and
    DataError for what cannot be read.
    """
    files = Files(root)
    first = files.find(paths[0])
    kind = "".join(first.suffixes[-2:]).removesuffix(".gz") if first.suffix == ".gz" else first.suffix
    if kind == ".npy":
        from netspec.proposals.arrays import of_npy

        return of_npy(files, paths)
    if len(paths) > 1:
        raise UsageError(f"only .npy files are named several at a time, {show(first)} is none")
    if first.is_dir():
        from netspec.proposals.images import of_images

        return of_images(files, paths[0])
    if kind == ".npz":
        from netspec.proposals.arrays import of_npz

        return of_npz(files, paths[0], target, choose)
    if kind in TABLES:
        from netspec.proposals.tables import of_table

        return of_table(files, paths[0], TABLES[kind], target, choose)
    known = ", ".join([*TABLES, ".npz", ".npy"])
    raise UsageError(f"{show(first)}: a folder of images or a file that ends in one of {known} is expected")
