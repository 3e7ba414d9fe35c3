"""Composed schedules: one after the other, or all at once."""

from __future__ import annotations

from typing import Any

from netspec.catalogue import Catalogue
from netspec.errors import UsageError
from netspec.language.calls import read_entry
from netspec.language.refusals import Refused
from netspec.records import Checked, Field, refuse
from netspec.schedulers.base import Scheduler, Unit
from netspec.schedulers.curve import AtOnce, InTurn, Moving, Rate, Single
from netspec.schedulers.falling import Milestones
from netspec.schedulers.plateau import ReduceLROnPlateau
from netspec.schedulers.waves import OneCycleLR


def _parts(value: Any) -> tuple[Scheduler, ...]:
    """The schedules in a list, read as rows."""
    from netspec.vocabulary import SCHEDULERS

    if not isinstance(value, list | tuple) or not value:
        raise refuse("a list of schedules")
    return tuple(_part(item, SCHEDULERS) for item in value)


def _part(value: Any, catalogue: Catalogue[Scheduler]) -> Scheduler:
    """One schedule that can be a part of another."""
    try:
        part = value if isinstance(value, Scheduler) else read_entry(value, (), catalogue)[0]
    except Refused as refused:
        raise refuse(f"schedules: {'; '.join(p.message for p in refused.problems)}") from None
    if isinstance(part, ReduceLROnPlateau | Composed):
        raise refuse(f"plain schedules, {type(part).__name__} cannot be a part of another")
    if part.every is not None or part.warmup:
        raise refuse("schedules without every= and warmup=, which belong to the whole")
    return part


def Parts() -> Field[Any]:
    """The schedules that a schedule is made of."""
    json = {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "string"}, {"type": "object"}]}}
    return Checked("the schedules, as rows", _parts, json)


class Composed(Scheduler):
    """What both compositions share: they count steps if one of their parts does."""

    schedulers = Parts()

    @property
    def unit(self) -> Unit:
        if self.every is None and any(part.unit == "step" for part in self.schedulers):
            return "step"
        return super().unit

    @property
    def sets_rate(self) -> bool:
        return any(part.sets_rate for part in self.schedulers)

    @property
    def moves_momentum(self) -> bool:
        return any(part.moves_momentum for part in self.schedulers)

    def problems(self) -> list[tuple[str, str]]:
        found = [("schedulers", f"{field} {text}") for part in self.schedulers for field, text in part.problems()]
        if sum(isinstance(part, OneCycleLR) for part in self.schedulers) > 1:
            found.append(("schedulers", "has several OneCycleLR, of which torch would take one highest rate"))
        return found

    def begun(self, rate: Rate, length: int) -> list[Single]:
        """The parts under way, made one after the other."""
        return [Single(part.over(own), rate) for part, own in self.timed(length)]

    def timed(self, length: int) -> list[tuple[Scheduler, int]]:
        """Each part with how long it runs. Raises UsageError for one that has no rate left before its end."""
        found = list(zip(self.schedulers, self.lengths(length), strict=True))
        for part, own in found:
            if 0 <= part.moves(own) < own - 1:
                text = f"{type(part).__name__} has {part.moves(own) + 1} rates, as a part it runs for {own:,}"
                raise UsageError(f"{text}. Drop its total_steps.")
        return found

    def lengths(self, length: int) -> list[int]:
        """How long each part runs, of a run of `length`."""
        return [length] * len(self.schedulers)

    def reach(self) -> int | None:
        return max((found for part in self.schedulers if (found := part.reach()) is not None), default=None)

    def stretches(self, length: int) -> bool:
        """Whether one of its parts is stretched over its own length."""
        return any(part.stretches(own) for part, own in zip(self.schedulers, self.lengths(length), strict=True))

    def keywords(self, length: int) -> dict[str, Any]:
        """The parts with their own arguments, next to torch's other arguments."""
        parts = [(part, part.keywords(own)) for part, own in self.timed(length)]
        return super().keywords(length) | {"schedulers": parts}


class SequentialLR(Composed):
    """Follows one schedule after the other, changing at the milestones."""

    words = ("sequential",)
    example = "{sequential: {schedulers: [linear total_iters=5, exponential 0.9], milestones: [5]}}"

    milestones = Milestones("when the next schedule begins")

    def problems(self) -> list[tuple[str, str]]:
        if len(self.milestones) != len(self.schedulers) - 1:
            text = f"has {len(self.milestones)} entries for {len(self.schedulers)} schedules, one less is needed"
            return [("milestones", text)]
        return super().problems()

    def reach(self) -> int | None:
        """How long it takes to come to its last schedule, and for that to be done."""
        return int(self.milestones[-1]) + (self.schedulers[-1].reach() or 1)

    def lengths(self, length: int) -> list[int]:
        """How many moves each part makes, at least 1."""
        ends = [*self.milestones, length]
        return [max(1, end - begin) for begin, end in zip([0, *self.milestones], ends, strict=True)]

    def moving(self, rate: Rate, length: int) -> Moving:
        return InTurn(self.begun(rate, length), self.milestones, rate)


class ChainedScheduler(Composed):
    """Follows several schedules at once, the factor of each multiplying the rate."""

    words = ("chained",)
    example = "{chained: {schedulers: [constant total_iters=2, exponential 0.9]}}"

    def moving(self, rate: Rate, length: int) -> Moving:
        return AtOnce(self.begun(rate, length))
