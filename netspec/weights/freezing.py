"""What training leaves as it is, for the whole of a run or until an epoch or a step of it is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final, Literal

from netspec.weights.patterns import means

UNITS: Final = ("epoch", "step")
STATISTICS: Final = "running_mean"
"""What a norm is known by that stores statistics of the batches which it has met in training."""
EVER: Final = (inf, inf)
"""Epochs and steps that no run comes to."""


@dataclass(frozen=True, slots=True)
class When:
    """The end of so many epochs or steps."""

    unit: Literal["epoch", "step"]
    count: int
    """At least 1."""

    def __str__(self) -> str:
        return f"{self.unit} {self.count:,}"

    def passed(self, epoch: float, step: float) -> bool:
        """Whether it is over after so many whole epochs and so many steps."""
        return (epoch if self.unit == "epoch" else step) >= self.count


@dataclass(frozen=True, slots=True)
class Freezing:
    """A pattern of names that are not trained."""

    pattern: str
    until: When | None = None
    """When they begin to be; None for never."""
    keep: bool = True
    """Whether norms that it freezes keep the statistics that they have stored."""


REST: Final = Freezing("*")
"""What holds for all that is not among what alone is trained."""
ADAPTER: Final = "lora_"
"""What is in the name of each small matrix beside a weight."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """All that a spec freezes, and when what of it thaws."""

    rules: tuple[Freezing, ...] = ()
    """The first that matches a name decides."""
    thaws: tuple[tuple[str, When], ...] = ()
    """Patterns of frozen names, and when they begin to be trained, whatever their rule says."""
    trained: tuple[str, ...] | None = None
    """Patterns of what alone is trained, besides adapters; None where all is that no rule freezes."""
    adapters: frozenset[str] = frozenset()
    """The names of small matrices beside weights, which only a rule freezes that names them."""

    def __bool__(self) -> bool:
        return bool(self.rules) or self.trained is not None

    @property
    def whens(self) -> list[When]:
        """When something thaws."""
        thaws = [when for _, when in self.thaws] if self else []
        return list(dict.fromkeys(when for when in (*(rule.until for rule in self.rules), *thaws) if when))

    def until(self, name: str) -> When | None:
        """When a name that is frozen begins to be trained; None for never, and for one that is not frozen."""
        rule = self._rule(name)
        return next((when for pattern, when in self.thaws if means(pattern, name)), rule.until) if rule else None

    def frozen(self, names: Iterable[str], epoch: float = 0, step: float = 0) -> bool:
        """Whether a parameter is frozen, by any of its names, after so many whole epochs and so many steps.

        What is frozen because it is not among those that alone are trained is so by all of its names.
        """
        rules = [self._now(name, epoch, step) for name in names]
        return any(rule not in (None, REST) for rule in rules) or (bool(rules) and None not in rules)

    def holds(self, path: str, parameters: Iterable[str], epoch: float = 0, step: float = 0) -> bool:
        """Whether the norm at a path with these parameters keeps its statistics then.

        It does while all that it has is frozen, and while a pattern means the statistics themselves.
        """
        names = [f"{path}.{name}".removeprefix(".") for name in parameters]
        every = bool(names) and all(self.frozen([name], epoch, step) for name in names)
        return self.keeps(path, epoch, step) or (every and not self.moves(names))

    def keeps(self, path: str, epoch: float = 0, step: float = 0) -> bool:
        """Whether a pattern means the statistics of the norm at a path then, and keeps them."""
        own = self._now(f"{path}.{STATISTICS}".removeprefix("."), epoch, step)
        return own is not None and own.keep

    def moves(self, names: Iterable[str]) -> bool:
        """Whether what freezes one of these names lets the statistics of norms move."""
        return any(not rule.keep for name in names if (rule := self._rule(name)) is not None)

    def _rule(self, name: str) -> Freezing | None:
        """The first rule that means a parameter; None where none does."""
        if name in self.adapters:
            return next((rule for rule in self.rules if ADAPTER in rule.pattern and means(rule.pattern, name)), None)
        found = next((rule for rule in self.rules if means(rule.pattern, name)), None)
        if found is None and self.trained is not None and not any(means(pattern, name) for pattern in self.trained):
            return REST
        return found

    def _now(self, name: str, epoch: float, step: float) -> Freezing | None:
        """The rule that freezes a name then."""
        rule, until = self._rule(name), self.until(name)
        return None if until is not None and until.passed(epoch, step) else rule


UNFROZEN: Final = Frozen()
