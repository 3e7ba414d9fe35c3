"""Mixup and its kin: batches of training data are mixed with one another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.random import RandomState

from netspec.transforms.base import Mixing
from netspec.transforms.mixing import blend

Target = torch.Tensor | dict[str, torch.Tensor]
"""What a batch is compared with: one tensor, or several by their names, the one that leads first."""
Batch = tuple[tuple[torch.Tensor, ...], Any]
"""The inputs of a network, and the Target; which of its two kinds that is, the data says."""


@dataclass(frozen=True, slots=True)
class Mixer:
    """Mixes each batch by one of the ways that a spec names. `classes` are as many as the target tells apart."""

    ways: tuple[Mixing, ...]
    """One of them is drawn for each batch."""
    classes: int

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The mixed batch. It follows from the generator's seed; numpy draws, because torch has no seeded Beta."""
        inputs, target = batch
        assert isinstance(target, torch.Tensor)
        draw = RandomState(generator.initial_seed() % 2**32)
        way = self.ways[draw.randint(len(self.ways))]
        mixed, share = way.mix(inputs, draw)
        return mixed, blend(target, share, self.classes)


def with_partners(rows: slice, count: int) -> torch.Tensor:
    """The places of these rows of a batch of `count`, after that of the one that the first of them is mixed with.

    They are int64, one axis, one more than there are rows.
    """
    return torch.arange(rows.start - 1, rows.stop) % count
