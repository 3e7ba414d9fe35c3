"""What becomes of stored weights in a network: by their headers, as text and as data. Nothing is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from netspec.graph.groups import tensors
from netspec.graph.model import Graph
from netspec.ops.state import State
from netspec.tensors import show
from netspec.weights.fit import COUNT, Fit, Taken, Wanted, fit
from netspec.weights.stored import Stored
from netspec.words import one_line

SHOWN: Final = 12
"""Tensors of a kind that `check` tells of."""


def fitted(graph: Graph, root: Path) -> Fit:
    """How the weights that a spec in the folder `root` names fit its network."""
    return fit(graph.weights.loads, wanted(graph), root, graph.weights.freeze.adapters)


def wanted(graph: Graph) -> Iterator[Wanted]:
    """Every tensor that the network owns, parameters before buffers, once with all of its names."""
    shapes = graph.parameters()
    kinds: dict[str, str] = {}
    buffers: dict[tuple[int, str], list[str]] = {}
    for path, step in graph.root.owners():
        kind = step.op.result() if isinstance(step.op, State) else "" if getattr(step.op, "origin", "") else "float32"
        for part in (*step.parameters(), *step.buffers()):
            kinds[f"{path}.{part}" if part else path] = "int64" if part == COUNT else kind
        for part in step.buffers():
            buffers.setdefault((id(step), part), []).append(f"{path}.{part}" if part else path)
    for tensor in tensors(graph):
        yield Wanted(tuple(tensor.names), shapes[tensor.names[0]], kinds[tensor.names[0]])
    held = graph.buffers()
    for names in buffers.values():
        yield Wanted(tuple(names), held[names[0]], kinds[names[0]])


def listed(found: Fit) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "loaded": [
            {
                "name": each.name,
                "from": each.source,
                "file": str(each.file),
                "dtype": each.entry.kind,
                "shape": list(each.shape),
                "stored": list(each.entry.shape),
                "resize": each.resize or None,
            }
            for each in found.taken
        ],
        "fresh": {name: list(shape) for name, shape in found.fresh.items()},
        "left_over": [
            {"name": name, "file": str(held.file), "dtype": held.entry.kind, "shape": list(held.entry.shape)}
            for _, name, held in found.left
        ],
        "notes": found.notes,
    }


def text(found: Fit, most: int | None = None) -> str:
    """The fit as lines of text: totals, and behind them every tensor, or `most` of those that are not just loaded."""
    return "\n".join(one_line(line) for line in _lines(found, most))


def _lines(found: Fit, most: int | None) -> Iterator[str]:
    """What is said of weights that fit: how many are loaded, resized, left as they are."""
    files = " and ".join(dict.fromkeys(load.file for load in found.loads))
    resized = found.resized
    counts = f"{len(found.taken) - len(resized):,} tensors loaded, {len(resized):,} resized"
    yield f"weights     {counts}, {len(found.fresh):,} fresh, {len(found.left):,} left over, from {files}"
    kinds = [
        ("resized", [f"{_named(t)}  {show(t.entry.shape)} -> {show(t.shape)}  {t.how}" for t in resized]),
        ("fresh", [f"{name}  {show(shape)}" for name, shape in found.fresh.items()]),
        ("left over", [f"{name}  {show(held.entry.shape)}  of {load.file}" for load, name, held in found.left]),
    ]
    if most is None:
        plain = [t for t in found.taken if not t.resize]
        kinds.insert(0, ("loaded", [f"{_named(t)}  {show(t.shape)}  {t.entry.kind}" for t in plain]))
    for word, lines in kinds:
        yield from (f"  {word:<9} {line}" for line in lines[:most])
        if most is not None and len(lines) > most:
            yield f"  {word:<9} and {len(lines) - most:,} more"
    yield from (f"  note      {note}" for note in found.notes)


def _named(taken: Taken) -> str:
    """A tensor by its name here, with its name in the file where that is another."""
    return taken.name if taken.name == taken.source else f"{taken.name} (there {taken.source})"


# --- the tensors of a file ----------------------------------------------------------------------


def listed_file(found: Stored) -> dict[str, Any]:
    """Plain data for JSON: the tensors of a file."""
    rows = [
        {"name": name, "dtype": held.entry.kind, "shape": list(held.entry.shape), "bytes": held.entry.bytes}
        for name, held in found.tensors.items()
    ]
    return {"tensors": rows, "metadata": dict(found.metadata)} | _totals(found)


def _totals(found: Stored) -> dict[str, int]:
    """How many tensors a file holds, how many numbers, and their bytes."""
    entries = [held.entry for held in found.tensors.values()]
    return {"count": len(entries), "numbers": sum(e.numbers for e in entries), "bytes": sum(e.bytes for e in entries)}


def text_of_file(found: Stored) -> str:
    """The tensors of a file as lines of text."""
    rows = [(one_line(name), held.entry.kind, show(held.entry.shape)) for name, held in found.tensors.items()]
    rows = [("name", "dtype", "shape"), *rows]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    total = _totals(found)
    ending = f"{total['count']:,} tensors, {total['numbers']:,} numbers, {total['bytes']:,} bytes"
    return "\n".join([lines[0], rule, *lines[1:], rule, ending, *([found.note] if found.note else [])])
