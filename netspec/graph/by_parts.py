"""Levels that run their steps for parts of their inputs: for each place along an axis, or for each expert."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netspec.dims import Size, substitute

if TYPE_CHECKING:
    from netspec.graph.model import Value

ROUTED: Final = "routed"
"""The size of what is routed to one expert."""


@dataclass(frozen=True, slots=True)
class Scan:
    """How a level goes along an axis: it runs once for each place, and hands states from one place to the next."""

    axis: int
    length: Size
    """The places on it."""
    reverse: bool
    """Whether it begins with the last place."""
    over: int
    """How many of the level's inputs it goes along, and is given one place of; the others are the states."""
    nexts: tuple[Value, ...] = ()
    """For each state what the next place is given."""
    last: Set[Value] = frozenset()
    """Those of the values that it gives which are states behind the last place; the others are of every place."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a level runs experts: each for those tokens alone that are routed to it."""

    experts: int
    apart: bool
    """Whether each expert is a step of its own; else the steps are run for one after the other."""
    weighted: bool
    """Whether what they give is weighted, by the last of the level's inputs."""
    shares: Size
    """How many tokens all of them have together."""
    ends: tuple[Value, ...] = ()
    """What each step that is an expert gives, or all steps together."""

    def spread(self, count: Size) -> Size:
        """What one run of a step counts, over the runs of all experts."""
        # A count grows evenly with what is routed: so much without any, and the rest with it.
        fixed = substitute(count, {ROUTED: 0})
        shared = substitute(count + fixed * -1, {ROUTED: self.shares})
        return fixed + shared // self.experts if self.apart else fixed * self.experts + shared
