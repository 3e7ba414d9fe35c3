"""What changed between two networks: steps, shapes, counts, and which weights of the one still load into the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from netspec.graph.model import Graph
from netspec.tensors import show
from netspec.views.table import Counted, Row, Summary, counted, listed, plain, shape, summary

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """A step that only one network has, or that differs between them."""

    before: Row | None
    after: Row | None


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of the second network, by what becomes of those of the first."""

    loads: tuple[str, ...]
    """Of equal name and shape."""
    misfits: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Of equal name but another shape: the old and the new one."""
    new: Shapes
    """Those that the first network has not."""
    dropped: Shapes
    """Those that only the first network has."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two networks side by side."""

    before: Summary
    after: Summary
    changes: tuple[Change, ...]
    weights: Weights

    def listed(self) -> dict[str, Any]:
        """Plain data for JSON."""
        pairs = {"parameters": (self.before.parameters, self.after.parameters)}
        macs = (plain(self.before.macs), plain(self.after.macs))
        return {
            "changes": [
                {"before": c.before and listed(c.before), "after": c.after and listed(c.after)} for c in self.changes
            ],
            **{name: {"before": a, "after": b} for name, (a, b) in {**pairs, "macs": macs}.items()},
            "weights": {
                "load": list(self.weights.loads),
                "misfit": {n: {"before": list(a), "after": list(b)} for n, (a, b) in self.weights.misfits.items()},
                "new": {name: list(size) for name, size in self.weights.new.items()},
                "dropped": {name: list(size) for name, size in self.weights.dropped.items()},
            },
        }


def difference(before: Graph, after: Graph) -> Difference:
    """Compare two networks. Steps are matched by their names, so an inserted one changes no other."""
    first, second = summary(before), summary(after)
    return Difference(first, second, tuple(_changes(first.rows, second.rows)), _weights(before, after))


def _changes(before: tuple[Row, ...], after: tuple[Row, ...]) -> Iterator[Change]:
    """What was taken away, added, or changed, row by row."""
    matcher = SequenceMatcher(None, [_key(row) for row in before], [_key(row) for row in after], autojunk=False)
    for what, a, b, c, d in matcher.get_opcodes():
        if what == "equal":
            pairs = zip(before[a:b], after[c:d], strict=True)
            yield from (Change(old, new) for old, new in pairs if (old.op, old.output) != (new.op, new.output))
        else:
            yield from (Change(old, None) for old in before[a:b])
            yield from (Change(None, new) for new in after[c:d])


def _key(row: Row) -> str:
    """What a step is known by: its name if it owns something, else its level and what it does."""
    if row.parameters or row.level or row.op == "input":
        return row.path
    return f"{row.path.rpartition('.')[0]}.{row.op.partition('(')[0]}()"


def _weights(before: Graph, after: Graph) -> Weights:
    """Which tensors of the one network the other can load."""
    old, new = (graph.parameters() | graph.buffers() for graph in (before, after))
    both = [name for name in new if name in old]
    return Weights(
        tuple(name for name in both if old[name] == new[name]),
        {name: (old[name], new[name]) for name in both if old[name] != new[name]},
        {name: size for name, size in new.items() if name not in old},
        {name: size for name, size in old.items() if name not in new},
    )


def text(found: Difference) -> str:
    """The difference as lines of text."""
    cells = [_cells(change) for change in found.changes]
    widths = [max((len(line[i]) for line in cells), default=0) for i in range(3)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells]
    if not lines:
        lines = ["the steps and their shapes are the same"]
    return "\n".join([*lines, "", *totals(found), *_misfits(found.weights)])


def totals(found: Difference) -> Iterator[str]:
    """What is counted, before and after."""
    before, after, weights = found.before, found.after, found.weights
    yield f"parameters  {_pair(before.parameters, after.parameters)}"
    yield f"MACs        {_pair(before.macs, after.macs)}"
    whole = len(weights.loads) + len(weights.misfits) + len(weights.new)
    yield f"weights     {len(weights.loads)} of {whole} tensors still load"


def _cells(change: Change) -> tuple[str, str, str]:
    """A change as the texts of its columns."""
    old, new = change.before, change.after
    row = new or old
    assert row is not None
    sign = "~" if old and new else "+" if new else "-"
    ops = [r.op for r in (old, new) if r is not None]
    outputs = [", ".join(map(shape, r.output)) for r in (old, new) if r is not None]
    return f"{sign} {row.path}", *(" -> ".join(dict.fromkeys(texts)) for texts in (ops, outputs))  # type: ignore[return-value]


def _pair(before: Counted, after: Counted) -> str:
    """A number before and after, and by how much it changed."""
    if before == after:
        return f"{counted(after) or 0}"
    more = f" ({after - before:+,})" if isinstance(before, int) and isinstance(after, int) else ""
    return f"{counted(before) or 0} -> {counted(after) or 0}{more}"


def _misfits(weights: Weights) -> Iterator[str]:
    """Which tensors do not load, in lines."""
    for name, (old, new) in weights.misfits.items():
        yield f"  ~ {name}  {show(old)} -> {show(new)}"
    for sign, shapes in (("+", weights.new), ("-", weights.dropped)):
        yield from (f"  {sign} {name}  {show(size)}" for name, size in shapes.items())
