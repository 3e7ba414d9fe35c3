"""Changes of low rank that are not low."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

from netspec.errors import Problem
from netspec.lint.base import Facts, Rule


class RankTooLarge(Rule):
    """The small matrices of lora are smaller than the weight that they stand beside.

    A weight of 10 x 64 can change by a matrix of rank 10 at most. More columns than that learn nothing more, and two
    matrices of them have more numbers than the weight has itself.
    """

    code = "rank-too-large"
    severity = "warning"
    stage = "network"
    about = ("beside",)
    example = """\
input: 64
layers: [fc 10 wrap=lora rank=16]
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        for step in facts.graph.root.walk():
            if step.wrap is None or not step.wrap.beside or step.again:
                continue
            most, rank = min(_pairs(step.parameters()))
            if rank > most:
                text = f"lora of {step.path} has rank {rank}, and what it changes has at most {most}"
                yield self.problem(text, step.at, f"Take a rank below {most}, or leave it out there.")


def _pairs(shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """For each two small matrices of a layer: the largest rank of the weight that they change, and theirs."""
    for name, (rank, *inner) in shapes.items():
        other = name.replace("lora_A", "lora_B").replace("lora_embedding_A", "lora_embedding_B")
        if other != name:
            yield min(prod(inner), shapes[other][0]), rank
