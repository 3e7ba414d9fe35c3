"""Streaming: a part of the data that does not fit into memory, read as it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch

from netspec.datasets.rows import pieces
from netspec.runtime.data.mixing import Batch
from netspec.runtime.data.prefetch import Reader
from netspec.runtime.data.split import Share, Split, like, tensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed(Split):
    """A part of which some fields stay in their files: what `inputs` and `target` hold is a tensor or Rows.

    It gives the same batches as the same part in memory, to the bit.
    """

    inputs: tuple[Any, ...]
    target: Any
    others: Mapping[str, Any] = field(default_factory=dict)
    reader: Reader
    """Reads the fields that are Rows, in the order of the inputs and the target."""
    place: torch.device
    """The device that batches are put on."""

    @property
    def device(self) -> torch.device:
        return self.place

    def order(self, generator: torch.Generator) -> torch.Tensor:
        # The processor reads, so it is the one that must know the numbers.
        return self._drawn(generator)

    def expect(self, batches: Iterable[torch.Tensor], rows: Share = slice) -> None:
        """Begin to read what `batch` will be asked for in training."""
        mixes = self.mixer is not None
        self.reader.expect(indices[self._places(indices, rows(len(indices)), mixes)] for indices in batches)

    def targets(self) -> Iterator[torch.Tensor]:
        for _, piece in pieces(self.target):
            yield self.steps.target(torch.as_tensor(piece))

    def batches(self, size: int, rows: Share = slice) -> Iterator[Batch]:
        """All samples in their order, `size` at a time, read ahead."""
        stretches = torch.arange(len(self)).split(size)
        self.reader.expect([indices[rows(len(indices))] for indices in stretches])
        for indices in stretches:
            yield self.batch(indices, rows=rows(len(indices)))

    def to(self, device: torch.device | str) -> Streamed:
        """The same part with its batches on `device`."""
        place = torch.device(device)
        self.reader.pinned = place.type == "cuda"
        whole = self.whole
        fields = [x.to(place) if isinstance(x, torch.Tensor) else x for x in tensors(whole)]
        return replace(cast("Streamed", self.holding(like(whole, fields), self.steps)), place=place)

    def _picked(self, indices: torch.Tensor) -> Batch:
        """The fields of these samples: what is in memory is picked there, the rest comes from the reader."""
        read, there = iter(self.reader.read(indices.cpu())), indices.to(self.place)
        whole = self.whole
        found = [
            x.index_select(0, there) if isinstance(x, torch.Tensor) else next(read).to(self.place, non_blocking=True)
            for x in tensors(whole)
        ]
        return like(whole, found)
