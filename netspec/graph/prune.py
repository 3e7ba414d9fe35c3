"""Drops from each level's results what nothing reads, so that forwards return and run only what is used."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.graph.draft import Level, Step
from netspec.graph.model import Value, flat
from netspec.graph.uses import handed, readings


def prune(root: Level) -> None:
    """Keep of every level's exports those that are read, or the main one; alike in all uses of a block.

    Members that only further runs are wanted of are noted as idle.
    """
    wanted: set[Value] = set()
    outputs = root.outputs
    if outputs is not None:
        values = list(outputs.values()) if isinstance(outputs, dict) else flat(outputs)
        wanted.update(v.actual for v in values)
    kept: dict[object, set[int]] = {}
    _mark(root, wanted, kept)
    _mark(root, wanted, kept)  # what a block gives in one use it gives in all, and so reads in all
    for step in _calls(root):
        assert step.body is not None
        keep = kept.get(step.body.source) or {0}
        step.body.exports = {v: inner for i, (v, inner) in enumerate(step.body.exports.items()) if i in keep}
    for each in root.walk():
        first = each.first_run
        if isinstance(first, Step) and first.op is not None and not first.buffers():
            first.idle = wanted.isdisjoint(flat(first.results))


def _mark(level: Level, wanted: set[Value], kept: dict[object, set[int]]) -> None:
    """Note the values that steps read, and for each call, by its source, which of its results those are."""
    for step in level.steps:
        for value in (*step.inputs, *([step.passed] if step.passed else []), *readings(step)):
            wanted.add(value.actual)
    for step in reversed(level.steps):
        if step.body is None:
            continue
        indices = kept.setdefault(step.body.source, set())
        for i, (outer, inner) in enumerate(step.body.exports.items()):
            if outer in wanted or i in indices:
                indices.add(i)
                wanted.add(inner.actual)
        wanted.update(value.actual for value in handed(step.body))
        _mark(step.body, wanted, kept)


def _calls(level: Level) -> Iterator[Step]:
    """The steps that call levels, at any depth."""
    for step in level.steps:
        if step.body is not None:
            yield step
            yield from _calls(step.body)
