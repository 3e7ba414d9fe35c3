"""The evaluations of a run, as its folder has them. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from netspec.files import kind, need_file
from netspec.runtime.store.notes import plain
from netspec.runtime.store.own import METRICS

MAX_LINE: Final = 16 * 2**20
"""Bytes that an evaluation takes in the metrics, at most: a table of confusions of 1,000 classes has room."""


def records_in(folder: Path) -> list[dict[str, Any]]:
    """The evaluations of the run in a folder, up to the first that is not whole. Raises DataError."""
    path = folder / METRICS
    if not kind(path):
        return []
    need_file(path, "the measurements of a run")
    found: list[dict[str, Any]] = []
    with path.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            record = _record(line)
            if record is None:
                break
            found.append(record)
    return found


def _record(line: bytes) -> dict[str, Any] | None:
    """The evaluation in a line of the metrics; None where it holds none."""
    try:
        found = plain(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    placed = isinstance(found, dict) and all(type(found.get(name)) is int for name in ("epoch", "step"))
    return found if placed else None
