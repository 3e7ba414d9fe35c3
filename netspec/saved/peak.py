"""The moment of a step at which most memory is in use, as a tape tells it.

Forward, what is kept piles up beside what the operation at hand reads and makes. Backward, in the other order, the
gradient of each result makes those of what it was computed from, and what was kept for it is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import inf

from netspec.dims import Size, substitute
from netspec.saved.held import Storage
from netspec.saved.tape import Tape

Weigh = Callable[[Size], int]


def weighing(sizes: dict[str, int], block: int) -> Weigh:
    """How many bytes a size is for numbers in place of its letters, in blocks of so many."""
    known: dict[Size, int] = {}

    def weigh(size: Size) -> int:
        if size not in known:
            found = substitute(size, dict(sizes))
            known[size] = -(-(found if isinstance(found, int) else 0) // block) * block
        return known[size]

    return weigh


@dataclass
class _Use:
    """What is in use: its bytes, and the pieces of memory."""

    weigh: Weigh
    tape: Tape

    def __post_init__(self) -> None:
        self.pieces: dict[tuple[str, Storage], None] = {}
        self.bytes = 0

    def size(self, storage: Storage) -> int:
        """Bytes of a piece, as often as it is there."""
        return self.weigh(storage.bytes) * self.weigh_times(storage)

    def weigh_times(self, storage: Storage) -> int:
        """How often it is there."""
        times = self.tape.made_storages.get(storage, 1)
        return times if isinstance(times, int) else max(0, self.weigh(times))

    def take(self, kind: str, storage: Storage) -> None:
        """Begin to use a piece, unless it is in use."""
        if (kind, storage) not in self.pieces:
            self.pieces[kind, storage] = None
            self.bytes += self.size(storage)

    def free(self, kind: str, storage: Storage) -> None:
        """Use it no longer."""
        if (kind, storage) in self.pieces:
            del self.pieces[kind, storage]
            self.bytes -= self.size(storage)


def moments(tape: Tape, held: Iterable[Storage], weigh: Weigh) -> Iterator[_Use]:
    """What is in use at each moment of a step, besides parameters; `held` is what the loop itself holds on to."""
    use = _Use(weigh, tape)
    order = sorted(tape.first_kept.items(), key=lambda pair: pair[1])
    at = 0
    for number, made in enumerate(tape.made):
        while at < len(order) and order[at][1] <= number:
            use.take("kept", order[at][0])
            at += 1
        passing = [
            s for s in dict.fromkeys((made.storage, *made.of)) if not s.lasting and ("kept", s) not in use.pieces
        ]
        passing += [made.work] if made.work is not None else []
        for storage in passing:
            use.take("passing", storage)
        yield use
        for storage in passing:
            use.free("passing", storage)
    for storage, _ in order[at:]:
        use.take("kept", storage)
    lasting = set(held)
    for storage in lasting:
        if ("kept", storage) not in use.pieces:
            use.take("held", storage)
    yield use
    left = list(reversed(order))
    behind = 0
    for number in range(len(tape.made) - 1, -1, -1):
        made = tape.made[number]
        if made.back:
            use.take("gradient", made.storage)
            for storage in made.back:
                use.take("gradient", storage)
            if made.work is not None:
                use.take("passing", made.work)
            yield use
            use.free("gradient", made.storage)
            if made.work is not None:
                use.free("passing", made.work)
        # What was made beside a result, to be kept, goes with that result and not before it.
        while made.back and behind < len(left) and left[behind][1] > number:
            use.free("kept", left[behind][0])
            if left[behind][0] in lasting:
                use.take("held", left[behind][0])
            behind += 1
    yield use


def peak(tape: Tape, held: Iterable[Storage], weigh: Weigh) -> tuple[int, Size]:
    """The most bytes that are in use in forward and backward, besides parameters, and the same as a formula."""
    kept = tuple(held)
    most, when = -inf, 0
    for number, use in enumerate(moments(tape, kept, weigh)):
        if use.bytes > most:
            most, when = use.bytes, number
    for number, use in enumerate(moments(tape, kept, weigh)):
        if number == when:
            total: Size = 0
            for _, storage in use.pieces:
                total = total + storage.bytes * tape.made_storages.get(storage, 1)
            return use.bytes, total
    return 0, 0
