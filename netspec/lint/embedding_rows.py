"""Embeddings against the numbers that they meet."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.errors import Problem
from netspec.graph.model import Level, Step
from netspec.lint.base import Facts, Rule

Bounds = dict[int, tuple[int, int]]
"""The least and the largest number of values, by their identity."""


class EmbeddingRows(Rule):
    """An embedding has a vector for every number that the data may give it.

    A number beyond its last one ends the run in the middle, on a GPU without saying where.
    """

    code = "embedding-rows"
    stage = "experiment"
    example = """\
input: int T
layers: [embedding 128 16, linear 256]
data: {source: text book.txt units=bytes}
train: {loss: cross_entropy axis=-1, optimizer: sgd lr=0.01}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        held, inputs = facts.gives.numbers, facts.graph.root.inputs.values()
        if len(held) != len(inputs):
            return
        bounds = {id(value): bound for value, bound in zip(inputs, held, strict=True) if bound}
        for step, low, high in short(facts.graph.root, bounds):
            text = f"{step.told} has vectors for 0 to {rows(step) - 1}, the data holds numbers from {low} to {high}"
            hint = f"Give it {high + 1} vectors." if low >= 0 else "Count the numbers from 0."
            yield Problem(self.code, text, step.at, hint)


def short(root: Level, bounds: Bounds) -> Iterator[tuple[Step, int, int]]:
    """Embeddings that a value with such bounds goes into, and that have too few vectors for it."""
    for step in root.walk():
        if step.body is not None and step.body.kind == "block":
            inner = zip(step.body.inputs.values(), step.inputs, strict=False)
            bounds |= {id(own): bounds[id(given.actual)] for own, given in inner if id(given.actual) in bounds}
        if step.op is not None and step.op.family == "embedding":
            low, high = bounds.get(id(step.inputs[0].actual), (0, 0))
            if low < 0 or high >= rows(step):
                yield step, low, high


def rows(step: Step) -> int:
    """How many vectors an embedding has."""
    count: int = getattr(step.op, "num_embeddings")  # noqa: B009  its class is imported only where a spec names it
    return count
