"""Where arrays lie: as close together as their lives allow.

An array lives from the call that makes it to the last that reads it, and two whose lives meet never share a place. The
largest is placed first, each at the lowest place that is free for as long as it lives: a first fit by size, which is
near the optimum for networks that narrow (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net
inference"). All is known before anything runs, so the program needs no allocator, and its memory is told in the header.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from netspec.emit.c.writer import NUMPY, Call, Storage

ALIGNED = 4
"""Every array begins at a multiple of so many numbers."""


@dataclass(slots=True)
class Arena:
    """The memory for each dtype, and the place of each array in it."""

    sizes: dict[str, int] = field(default_factory=dict)
    """How many numbers each dtype needs."""
    offsets: dict[Storage, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """All of it together."""
        return sum(size * NUMPY[dtype]().itemsize for dtype, size in self.sizes.items())


def overwrite(calls: Sequence[Call]) -> None:
    """Let functions that can write where they have read do so, where nothing reads that afterwards.

    Such are activations and sums: place by place they read a number before they write one. What lies within another
    array then lives as long as that does.
    """
    last = {wire.storage: at for at, call in enumerate(calls) for wire in call.inputs}
    for at, call in enumerate(calls):
        result, *more = (wire.storage for wire in call.outputs)
        for which in () if more else call.overwrites:
            source = call.inputs[which].storage.actual
            if source.kind == "memory" and last[source] == at and source.size == result.size:
                source.within = result
                last[result] = max(last.get(result, at), at)
                break
        for wire in call.inputs:  # what is read under its own name counts for the memory that it lies in
            root = wire.storage.actual
            last[root] = max(last.get(root, 0), last[wire.storage])


def planned(calls: Sequence[Call]) -> Arena:
    """A place for each array: the largest first, each at the lowest place that is free for as long as it lives."""
    lives: dict[Storage, tuple[int, int]] = {}
    for at, call in enumerate(calls):
        for wire in (*call.inputs, *call.outputs):
            storage = wire.storage.actual
            if storage.kind == "memory":
                first, _ = lives.get(storage, (at, at))
                lives[storage] = first, at
    arena = Arena()
    for storage in sorted(lives, key=lambda s: (-s.size, lives[s])):
        size = -(-storage.size // ALIGNED) * ALIGNED
        begin, end = lives[storage]
        taken = sorted(
            (offset, offset + -(-other.size // ALIGNED) * ALIGNED)
            for other, offset in arena.offsets.items()
            if other.dtype == storage.dtype and lives[other][0] <= end and lives[other][1] >= begin
        )
        place = 0
        for start, stop in taken:
            if place + size <= start:
                break
            place = max(place, stop)
        arena.offsets[storage] = place
        arena.sizes[storage.dtype] = max(arena.sizes.get(storage.dtype, 0), place + size)
    return arena
