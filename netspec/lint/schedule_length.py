"""The learning rate's schedule against the length of the run."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from netspec.errors import At, Problem
from netspec.lint.base import Facts, Rule
from netspec.schedulers.base import Scheduler
from netspec.sections.train_record import Train


class ScheduleLength(Rule):
    """The schedule of the learning rate comes to its end within the run.

    A cosine over 100 epochs in a run of 10 never lowers the rate, milestones behind the end are never met, and a run
    that ends within its warm-up has only seen small rates. Nothing says so, but the curve of
    `netspec summary --train`.
    """

    code = "schedule-length"
    severity = "warning"
    stage = "experiment"
    example = """\
input: 1x8x8
layers: [fc 10]
data: {source: digits}
train: {loss: cross_entropy, optimizer: sgd lr=0.1, scheduler: cosine T_max=100, epochs: 10}
"""

    def check(self, facts: Facts) -> Iterator[Problem]:
        train = facts.train
        if train is not None:
            for path, schedule in train.schedules:
                yield from self._one(facts, train, schedule, At(path))

    def _one(self, facts: Facts, train: Train, schedule: Scheduler, at: At) -> Iterator[Problem]:
        """The problem of one schedule."""
        steps = steps_of(train, facts.trained_on)
        if steps is not None and schedule.warmup >= steps:
            text = f"the warm-up takes {schedule.warmup:,} steps, the run has {steps:,}"
            yield self.problem(text, at, "Take a shorter warmup, or more epochs.")
            return
        length: int | None = epochs_of(train, facts.trained_on)
        if schedule.unit == "step":
            length = steps - schedule.warmup if steps else None
        reach = schedule.reach()
        if reach is not None and length is not None and reach > length:
            noun = schedule.unit
            text = f"{schedule.said} takes {reach:,} {noun}s to its end, the run has {length:,} for it"
            yield self.problem(text, at, "Shorten it, or train longer; the rates are shown by summary --train.")


def steps_of(train: Train, count: int | None) -> int | None:
    """The steps of a run over `count` samples, where they are known."""
    return train.steps(count) if count is not None else train.max_steps


def epochs_of(train: Train, count: int | None) -> int:
    """The epochs of a run over `count` samples, of which the last may not be whole."""
    if count is None or train.max_steps is None:
        return train.epochs
    return min(train.epochs, ceil(train.max_steps / train.per_epoch(count)))
