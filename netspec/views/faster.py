"""What of a training is faster on this machine, as text and as data: which settings were tried, and which to take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

LAST_BITS: Final = "the same but for last bits"
CHANGES: Final = {"batch": "other steps, another run"}
"""What another value of a key makes of the results of a run; of others only the last bits differ."""


class Way(Protocol):
    """A key of `train` with another value that was tried."""

    @property
    def key(self) -> str:
        """Its name in the section."""
        ...

    @property
    def override(self) -> str:
        """What sets it on the command line: `train.batch=256`."""
        ...

    @property
    def samples_per_s(self) -> float:
        """Samples that are trained in a second with it."""
        ...

    @property
    def times(self) -> float:
        """How many times as many these are as without it."""
        ...


def listed(faster: Sequence[Way], tried: Sequence[Way]) -> dict[str, Any]:
    """Plain data for JSON: the overrides to take, the best first, and all that were tried."""
    return {
        name: [{"override": w.override, "times": w.times, "samples_per_s": w.samples_per_s} for w in ways]
        for name, ways in (("faster", _best_first(faster)), ("tried", tried))
    }


def lines(faster: Sequence[Way], tried: Sequence[Way]) -> Iterator[str]:
    """A line for each setting that is faster, the best first; one for all that were tried where none is."""
    for way in _best_first(faster):
        speeds = f"{way.samples_per_s:,.0f} against {way.samples_per_s / way.times:,.0f}"
        told = f"{way.override} trains {way.times:.2g} times as many samples a second here, {speeds}"
        yield f"  faster      {told}; {CHANGES.get(way.key, LAST_BITS)}"
    if not faster and tried:
        names = ", ".join(way.override for way in tried)
        yield f"  faster      nothing that was tried, by more than noise: {names}"


def _best_first(ways: Sequence[Way]) -> list[Way]:
    """In the order of what they gain."""
    return sorted(ways, key=lambda way: -way.times)
