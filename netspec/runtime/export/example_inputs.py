"""Example inputs: random tensors to trace a network with, and to compare what was made of it at other sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import torch
from torch import nn

from netspec.dims import names
from netspec.errors import NetspecError
from netspec.runtime.export.made_up import BATCH, Array, made_up
from netspec.tensors import Tensor as Described

SIZES: Final = (16, 32, 64, 8, 128, 224, 4, 256, 512)
"""What is tried for dimensions that only the run decides, until the network takes it."""
POOL: Final = 256
"""Whole numbers that an input is made of, at most."""


class Examples:
    """Random inputs of chosen sizes: floats from a normal distribution, whole numbers from those that were seen.

    `seen` are inputs from real data; without them whole numbers are 0 or 1, which any vocabulary has.
    """

    def __init__(self, inputs: Mapping[str, Described], seen: Sequence[torch.Tensor] = ()) -> None:
        """`seen` are samples of the data, batch first, one tensor for each input."""
        self.inputs = dict(inputs)
        self.seen = tuple(seen)
        self.free = sorted({n for x in inputs.values() for s in x.shape for n in names(s)} - {BATCH})
        """Dimensions besides the batch that only the run decides."""
        self.pools = [_pool(x) for x in self.seen] or [None] * len(self.inputs)
        """For each input the whole numbers that it is made of; None for floats, and where none were seen."""

    def draw(self, batch: int, sizes: Mapping[str, int], seed: int = 0) -> tuple[torch.Tensor, ...]:
        """Inputs of this batch size and these sizes of the free dimensions, the same for the same seed.

        There is one tensor for each input, on the CPU, batch first, in the dtype that the graph says.
        """
        return tuple(map(torch.from_numpy, made_up(self.inputs, self.pools, batch, sizes, seed)))

    def sizes(self, network: nn.Module) -> list[dict[str, int]]:
        """Up to two choices of the free dimensions that the network runs with. Raises NetspecError if none does."""
        found: list[dict[str, int]] = []
        reason = ""
        for candidate in self._candidates():
            try:
                network(*self.draw(2, candidate))
            except Exception as error:  # whatever a network raises for sizes that it cannot take
                reason = reason or str(error).splitlines()[0]
                continue
            found.append(candidate)
            if len(found) == 2 or not self.free:
                return found
        if not found:
            raise NetspecError(f"the network runs with none of the sizes that were tried: {reason}")
        return found

    def _candidates(self) -> Iterator[dict[str, int]]:
        """Sizes for the free dimensions: those of the data first, each dimension another one afterwards."""
        if self.seen:
            real: dict[str, int] = {}
            for x, tensor in zip(self.inputs.values(), self.seen, strict=True):
                real.update({str(s): n for s, n in zip(x.shape, tensor.shape, strict=True) if str(s) in self.free})
            if real.keys() == set(self.free):
                yield real
        elif not self.free:
            yield {}
        for size in SIZES:
            yield {name: size * (1 + i) for i, name in enumerate(self.free)}


def _pool(seen: torch.Tensor) -> Array | None:
    """Some of the whole numbers that an input holds; None for one of others."""
    if seen.dtype != torch.int64:
        return None
    found: Array = seen.unique().numpy()
    return found[:: max(1, -(-len(found) // POOL))]
