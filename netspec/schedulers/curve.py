"""How a learning rate moves, step by step, in plain numbers: torch's own recurrences without torch.

Training moves the rate with torch's schedulers. These rules are for looking ahead; a test holds
every one of them against torch's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netspec.schedulers.base import Scheduler


class Rate:
    """The rate of one group of parameters: where it stands, and what torch calls its initial rate."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.initial: float | None = None


class Moving(Protocol):
    """A schedule under way."""

    def move(self) -> None:
        """Go on by one."""


class Single:
    """A plain schedule under way. Made, it has taken its first step, as torch's constructors do."""

    def __init__(self, entry: Scheduler, rate: Rate) -> None:
        """Begin the schedule on a rate, in its first step."""
        self.entry, self.rate = entry, rate
        entry.prepare(rate)
        rate.initial = rate.value if rate.initial is None else rate.initial
        self.base = rate.initial  # in the first step CyclicLR does not know its own yet
        self.at = 0
        self._step()
        self.base = entry.base(rate.initial)

    def move(self) -> None:
        """Move the rate once."""
        self.at += 1
        self._step()

    def restart(self, value: float | None = None) -> None:
        """Begin anew from a rate; without one, from its own."""
        self.rate.value = self.base if value is None else value
        self.at = 0
        self._step()

    def _step(self) -> None:
        """Move the rate by one step of the schedule."""
        self.rate.value = self.entry.moved(self.at, self.rate.value, self.base)


class InTurn:
    """One schedule after the other."""

    def __init__(self, parts: Sequence[Single], milestones: Sequence[int], rate: Rate) -> None:
        """Each part takes over at its milestone, counted in steps of the schedule."""
        self.parts, self.milestones = parts, milestones
        self.at = 0
        parts[bisect_right(milestones, 0)].restart(rate.initial)

    def move(self) -> None:
        """Move the part whose turn it is; a part begins anew at its milestone."""
        self.at += 1
        turn = bisect_right(self.milestones, self.at)
        if turn and self.milestones[turn - 1] == self.at:
            self.parts[turn].restart()
        else:
            self.parts[turn].move()


class AtOnce:
    """Several schedules, each moving what the one before has left."""

    def __init__(self, parts: Sequence[Single]) -> None:
        self.parts = parts

    def move(self) -> None:
        """Move all parts."""
        for part in self.parts:
            part.move()


def curve(entry: Scheduler | None, value: float, steps: int, per_epoch: int, epochs: int) -> Iterator[float]:
    """The rate of each of `steps` steps, for a group of parameters whose rate begins with `value`.

    What falls with a measured value is shown as if it never had to.
    """
    if entry is None:
        yield from (value for _ in range(steps))
        return
    by_step = entry.unit == "step"
    length = max(1, steps - entry.warmup) if by_step else epochs
    rate = Rate(value)
    moving, left = entry.moving(rate, length), entry.moves(length)
    for step in range(steps):
        yield rate.value * ((step + 1) / (entry.warmup + 1)) if step < entry.warmup else rate.value
        due = step >= entry.warmup if by_step else (step + 1) % per_epoch == 0
        if due and left != 0:
            moving.move()
            left -= 1
