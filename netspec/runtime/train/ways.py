"""Other ways to take the steps of a run, tried on its own network: another batch, other threads, maps stored otherwise.

A way is faster where each of its rounds is, by more than a tenth, than the fastest round of the run as it is. Both
take turns, so that what else the machine does slows both alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import torch
from torch import nn

from netspec import machine
from netspec.runtime.device.device import free_on
from netspec.runtime.train.trial import Trial, take

if TYPE_CHECKING:
    from netspec.runtime.train.loop import Trainer

BUDGET: Final = 5.0
"""Seconds that trying may take, about."""
ROUNDS: Final = 3
"""How often each of two ways takes its turn."""
TURN: Final = 0.04
"""Seconds of a turn, which is one step at the least."""
MARGIN: Final = 1.1
"""How many times as fast a way must be to be told."""
GAIN: Final = 1.05
"""How many times as fast twice the batch must be for its double to be tried too, and to be preferred to it."""
DOUBLINGS: Final = 4
LEAST: Final = 10
"""Steps of an epoch at the least: with fewer there is little to learn from it, however fast they are."""

Speeds = tuple[float, ...]
"""Samples a second in each round: of its fastest step."""


@dataclass(frozen=True, slots=True)
class Way:
    """A key of the section `train` with another value, and how fast a run trains with it."""

    key: str
    value: int | bool
    own: Speeds
    """Of this way."""
    others: Speeds
    """Of the run as it is, in the same rounds, and in its fastest step before them."""

    @property
    def override(self) -> str:
        """What is to be written on the command line for it."""
        return f"train.{self.key}={str(self.value).lower()}"

    @property
    def samples_per_s(self) -> float:
        """Samples that are trained in a second with it."""
        return max(self.own)

    @property
    def times(self) -> float:
        """How many times as many samples a second these are."""
        return max(self.own) / max(self.others)

    @property
    def faster(self) -> bool:
        """Whether they are more, by more than what differs from round to round."""
        return min(self.own) > MARGIN * max(self.others)

    def against(self, others: Speeds) -> Way:
        """The same, held against further rounds of the run as it is."""
        return replace(self, others=(*self.others, *others))


class Ways:
    """Tries one way after the other, as long as there is time."""

    def __init__(self, trainer: Trainer, trial: Trial) -> None:
        """`trial` is the step of the run as it is."""
        self.trainer, self.trial = trainer, trial
        self.device = trainer.stepper.device
        self.end = time.perf_counter() + BUDGET

    def batches(self) -> Iterator[Way]:
        """Twice the batch, and twice that, as long as it gains; then halves of it alike."""
        own = self.trial.samples
        for factor in (2.0, 0.5):
            before = 0.0
            for doubling in range(1, DOUBLINGS + 1):
                count = int(own * factor**doubling)
                if not self._allows(count):
                    break
                way = self._raced("batch", count, self._steps(count))
                yield way
                if way.samples_per_s < GAIN * max(before, *way.others):
                    break
                before = way.samples_per_s

    def threads(self) -> Iterator[Way]:
        """Other numbers of threads, up to the processors that there are."""
        here, most = torch.get_num_threads(), machine.cores()
        counts = sorted({*(2**power for power in range(most.bit_length())), most} - {here})
        steps = self._steps(self.trial.samples)

        def turn(count: int) -> float:
            torch.set_num_threads(count)
            try:
                return steps()
            finally:
                torch.set_num_threads(here)

        for count in counts if self.device.type == "cpu" else ():
            if self.has_time(self.trial.seconds):
                yield self._raced("threads", count, lambda count=count: turn(count))  # type: ignore[misc]

    def speeds(self) -> Speeds:
        """Of the run as its trainer takes it."""
        turn = self._steps(self.trial.samples)
        turn()
        return tuple(turn() for _ in range(ROUNDS))

    def _allows(self, count: int) -> bool:
        """Whether a batch of so many samples is there, fits into memory, and can be tried in the time that is left."""
        factor = count / self.trial.samples
        # Some losses compare each sample with all others, and take four times the memory for twice the batch.
        fits = factor < 1 or self.trial.peak * factor**2 <= _free(self.device)
        enough = count >= 2 and (factor < 1 or count * LEAST <= self.trial.count)
        return enough and fits and self.has_time(self.trial.seconds * factor)

    def has_time(self, seconds: float) -> bool:
        """Whether a way whose step takes so long can be tried yet."""
        turns = max(seconds, TURN) + max(self.trial.seconds, TURN)
        return time.perf_counter() + seconds + ROUNDS * turns <= self.end

    def _raced(self, key: str, value: int | bool, turn: Callable[[], float]) -> Way:
        """A way against the run as it is, in turns."""
        base = self._steps(self.trial.samples)
        turn()  # the first steps of a shape make ready what the others need
        pairs = [(base(), turn()) for _ in range(ROUNDS)]
        others = (self.trial.samples / self.trial.seconds, *(other for other, _ in pairs))
        return Way(key, value, tuple(own for _, own in pairs), others)

    def _steps(self, count: int) -> Callable[[], float]:
        """A turn of steps with so many samples, which gives how many samples a second the fastest has."""
        stepper, rows = self.trainer.stepper, self.trainer.order[:count]

        def turn() -> float:
            before, stepper.batch = stepper.batch, count
            try:
                end, best = time.perf_counter() + TURN, float("inf")
                while True:
                    begun = time.perf_counter()
                    take(self.trainer, rows)
                    now = time.perf_counter()
                    best = min(best, now - begun)
                    if now >= end:
                        return count / best
            finally:
                stepper.batch = before

        return turn


def preferred(ways: Sequence[Way]) -> tuple[Way, ...]:
    """Of each key the way that is told: of several that are about as fast as the fastest, the nearest to the run's."""
    found = []
    for key in dict.fromkeys(way.key for way in ways):
        faster = [way for way in ways if way.key == key and way.faster]
        most = max((way.times for way in faster), default=0.0)
        found += [way for way in faster if way.times * GAIN >= most][:1]
    return tuple(found)


def over_maps(module: nn.Module) -> bool:
    """Whether there are maps, which may be stored in two ways."""
    return any(isinstance(m, nn.Conv2d | nn.ConvTranspose2d) for m in module.modules())


def _free(device: torch.device) -> int:
    """Bytes that are free where a run computes."""
    return machine.free_memory() if device.type == "cpu" else free_on(device.type)
