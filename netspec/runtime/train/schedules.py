"""Learning rate schedules of torch's, from a spec's words, with a linear warm-up before them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch.optim import lr_scheduler

from netspec.schedulers.base import Scheduler
from netspec.schedulers.plateau import ReduceLROnPlateau
from netspec.sections.param_groups import SCHEDULE, Group
from netspec.views.meaning import worded


class Moved(torch.optim.Optimizer):
    """The groups of an optimizer that one schedule moves, for torch's scheduler in place of all."""

    def __init__(self, whole: torch.optim.Optimizer, word: str | None) -> None:
        """`word` is the text of a schedule that groups have for themselves; None stands for those without."""
        self.whole, self.word = whole, word

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Those groups, as they are now."""
        return [group for group in self.whole.param_groups if group.get(SCHEDULE) == self.word]

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """The options of the first, of which torch's schedulers ask which there are."""
        return dict((self.param_groups or self.whole.param_groups)[0])


class Schedule:
    """Moves the learning rate of an optimizer, and those of groups that have a schedule of their own.

    Call `before` ahead of each step of the optimizer, `after` behind it, `measured` with what
    an evaluation has found and `epoch` at the end of each epoch. Without an entry the rate stands still.
    """

    def __init__(
        self,
        entry: Scheduler | None,
        optimizer: torch.optim.Optimizer,
        steps: int,
        epochs: int,
        monitor: str,
        groups: Sequence[Group] = (),
    ) -> None:
        """`steps` are those of the whole run, `epochs` its epochs; a plateau watches `monitor`."""
        entries = {worded(group.schedule): group.schedule for group in groups if group.schedule is not None}
        parts = {word: Moved(optimizer, word) for word in entries}
        self.own = tuple(
            Schedule(entries[word], part, steps, epochs, monitor) for word, part in parts.items() if part.param_groups
        )
        """Those of groups."""
        self.entry = entry
        self.optimizer = Moved(optimizer, None) if self.own else optimizer
        self.warmup = entry.warmup if entry else 0
        self.monitor = getattr(entry, "monitor", None) or monitor
        self.length = max(1, steps - self.warmup) if entry and entry.unit == "step" else epochs
        """How many steps of its own the schedule has."""
        self.torch: Any = None
        if entry is not None and self.optimizer.param_groups:
            self.torch = make_scheduler(entry, self.optimizer, entry.keywords(self.length))
        if isinstance(self.optimizer, Moved):  # which takes no step itself, and torch warns of that
            vars(self.optimizer)["_opt_called"] = True
        self.by_step = bool(entry and entry.unit == "step")
        self.by_value = isinstance(entry, ReduceLROnPlateau)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.rate = float((self.optimizer.param_groups or optimizer.param_groups)[0]["lr"])
        """The learning rate of the newest step."""

    @property
    def moves(self) -> bool:
        """Whether a rate ever changes."""
        return self.entry is not None or bool(self.own)

    @property
    def moves_momentum(self) -> bool:
        """Whether it moves more than rates."""
        return _moves_momentum(self.torch) or any(each.moves_momentum for each in self.own)

    def before(self, step: int) -> None:
        """Set the rate for step number `step`, counted from 0, where the warm-up lasts."""
        for each in self.own:
            each.before(step)
        if not self.optimizer.param_groups:
            self.rate = self.own[0].rate
            return
        if step >= self.warmup:
            self.rate = self.optimizer.param_groups[0]["lr"]
            return
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        share = (step + 1) / (self.warmup + 1)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * share
        self.rate = self.rates[0] * share

    def after(self, step: int) -> None:
        """Go on by a step: end the warm-up's hold on the rate, or move the schedule."""
        for each in self.own:
            each.after(step)
        if step < self.warmup:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate
        elif self.by_step:
            self._move()

    def measured(self, values: dict[str, Any]) -> None:
        """Go on by an evaluation that found these values."""
        if self.by_value and self.monitor in values:
            self._move(values[self.monitor])

    def epoch(self) -> None:
        """Go on by an epoch."""
        for each in self.own:
            each.epoch()
        if self.torch is None or self.by_step or self.by_value:
            return
        with warnings.catch_warnings():  # a run resumed at the end of an epoch moves before its first step
            warnings.simplefilter("ignore", UserWarning)
            self._move()

    def _move(self, *value: float) -> None:
        """Move torch's scheduler once, by the value that a plateau watches if it is one."""
        # A OneCycleLR that is shorter than the run has no rate left to set: the last one stays.
        if self.torch is None:
            return
        total = getattr(self.torch, "total_steps", None)
        if total is None or self.torch.last_epoch < total - 1:
            self.torch.step(*value)

    def state(self) -> Any:
        """Everything that a resumed run needs of it."""
        found = {"torch": self.torch.state_dict() if self.torch is not None else None, "rate": self.rate}
        return {**found, "own": [each.state() for each in self.own]} if self.own else found

    def load(self, state: Any) -> None:
        """Take up a state that `state` gave."""
        for each, own in zip(self.own, state.get("own", ()), strict=True):
            each.load(own)
        self.rate = state["rate"]
        if self.torch is not None:
            self.torch.load_state_dict(state["torch"])


def _moves_momentum(scheduler: Any) -> bool:
    """Whether a scheduler of torch's, or one that it is composed of, moves momentum as well."""
    parts = getattr(scheduler, "_schedulers", ())
    return getattr(scheduler, "cycle_momentum", False) or any(map(_moves_momentum, parts))


def make_scheduler(entry: Scheduler, optimizer: torch.optim.Optimizer, keywords: dict[str, Any]) -> Any:
    """The torch scheduler that `entry` names."""
    cls: Any = getattr(lr_scheduler, type(entry).__name__)
    parts = keywords.pop("schedulers", None)
    with warnings.catch_warnings():  # torch warns of step order while a composed schedule builds its parts
        warnings.simplefilter("ignore", UserWarning)
        if parts is None:
            return cls(optimizer, **keywords)
        made = [make_scheduler(part, optimizer, dict(own)) for part, own in parts]
        return cls(optimizer, made, **keywords) if "milestones" in keywords else cls(made, optimizer=optimizer)
