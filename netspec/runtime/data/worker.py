"""A data loading worker: `python -m netspec.runtime.data.worker SOCKET MEMORY` reads rows for another process.

It is told which rows of which fields to read, reads them into memory that both processes see, and says when they are
there. It never imports torch, so it starts in a fraction of a second and takes little memory, and it ends as soon as
the process that it works for does.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Sequence
from math import prod
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Final

from netspec.datasets.rows import Rows
from netspec.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SLOTS: Final = 2
"""How many requests a worker may be asked ahead of their use."""
ALIGNED: Final = 64


class Slots:
    """The memory that a worker fills and its master reads: for each slot, room for some rows of every field."""

    def __init__(self, fields: Sequence[Rows], memory: int, size: int) -> None:
        """`memory` is the descriptor of a file in memory, which is made large enough for slots of some `size` bytes."""
        import numpy as np

        sizes = [prod(field.shape[1:]) * field.dtype.itemsize for field in fields]
        self.rows = max(1, size // max(1, sum(sizes)))
        """The most rows that fit into a slot."""
        room = [-(-self.rows * each // ALIGNED) * ALIGNED for each in sizes]
        os.ftruncate(memory, max(1, SLOTS * sum(room)))
        self._memory = mmap.mmap(memory, 0)
        self.fields: list[list[Array]] = []
        """For each slot the room of each field, as an array."""
        place = 0
        for _ in range(SLOTS):
            self.fields.append([])
            for field, length in zip(fields, room, strict=True):
                shape = (self.rows, *field.shape[1:])
                self.fields[-1].append(np.ndarray(shape, field.dtype, self._memory, place))
                place += length


def serve(connection: Connection, memory: int) -> None:
    """Read what is asked for, until nobody is there to ask. A fault of the data is told, and not the end."""
    fields, size = connection.recv()
    slots = Slots(fields, memory, size)
    while True:
        slot, rows = connection.recv()
        connection.send(_fault(fields, slots.fields[slot], rows))


def _fault(fields: Sequence[Rows], into: Sequence[Array], rows: Array) -> str | None:
    """Read rows of every field; what is wrong with them, if something is."""
    try:
        for field, room in zip(fields, into, strict=True):
            room[: len(rows)] = field.read(rows)
    except DataError as error:
        return str(error)
    return None


if __name__ == "__main__":
    socket, shared = map(int, sys.argv[1:])
    try:
        serve(Connection(socket), shared)
    except (EOFError, ConnectionError):
        sys.exit()
