"""Embeddings of positions against the length of the data."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.dims import Dim, Size, substitute
from netspec.errors import Problem
from netspec.graph.model import Step
from netspec.lint.base import Facts, Rule
from netspec.lint.embedding_rows import Bounds, rows, short


class PositionRows(Rule):
    """An embedding of positions has a vector for every place of the data's windows.

    A network for sequences of any length knows only as many positions as it has vectors; a longer window would end
    the run at its first step.
    """

    code = "position-rows"
    stage = "experiment"
    example = """\
input: int T
layers:
  words: embedding 256 16
  places: arange T
  known: embedding(places) 32 16
  both: add(words known)
  scores: linear 256
data: {source: text book.txt 64 units=bytes}
train: {loss: cross_entropy axis=-1, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        sizes = _sizes(facts)
        bounds: Bounds = {}
        for step in facts.graph.root.walk():
            if step.op is not None and step.op.counts:
                bound = _counted(step, sizes)
                bounds |= {id(step.value): bound} if bound else {}
        for step, _, last in short(facts.graph.root, bounds) if bounds else ():
            text = f"{step.told} has vectors for {rows(step)} positions, windows of the data have {last + 1}"
            yield Problem(self.code, text, step.at, f"Give it {last + 1} vectors, or cut shorter windows.")


def _sizes(facts: Facts) -> dict[str, Size]:
    """The network's dynamic sizes that the data knows, by name."""
    given, wanted = facts.gives.inputs or (), (facts.inputs or {}).values()
    pairs = (pair for x, y in zip(given, wanted, strict=False) for pair in zip(x.shape[1:], y.shape[1:], strict=False))
    return {str(dim): size for size, dim in pairs if isinstance(dim, Dim) and isinstance(size, int)}


def _counted(step: Step, sizes: dict[str, Size]) -> tuple[int, int] | None:
    """The first and the last number that an arange counts, where both are known."""
    op = step.op
    start, end = (substitute(getattr(op, name), sizes) for name in ("start", "end"))
    return (start, end - 1) if isinstance(start, int) and isinstance(end, int) else None
