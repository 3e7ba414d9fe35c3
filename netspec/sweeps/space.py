"""The search space: `params.width=32,64,96` is a choice, `train.optimizer.lr=1e-4..1e-2:log` a range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log, prod
from random import Random
from typing import Any, Final

from netspec.errors import UsageError
from netspec.words import did_you_mean

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE: Final = re.compile(rf"({_NUMBER})\.\.({_NUMBER})((?::.*)?)")
_WORDS: Final = ("log", "step")
LARGEST: Final = 1e18
"""The largest number that a range may hold: whole ones are exact in a journal up to there, and none is infinite."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A few values, as they are written."""

    path: str
    """The value of the spec that is varied, as an override names it."""
    values: tuple[str, ...]

    @property
    def size(self) -> int | None:
        """How many values there are; None for more than can be counted."""
        return len(self.values)

    def suggest(self, trial: Any) -> str:
        """The value that an optuna trial chooses, as an override has it."""
        return str(trial.suggest_categorical(self.path, self.values))

    def drawn(self, random: Random) -> str:
        """Any value."""
        return random.choice(self.values)


@dataclass(frozen=True, slots=True)
class Range:
    """All numbers from `low` to `high`, both included; those that are `step` apart if there is one."""

    path: str
    """The value of the spec that is varied, as an override names it."""
    low: float
    high: float
    step: float | None = None
    """None for all numbers between."""
    log: bool = False
    """Whether equal ratios count alike instead of equal differences."""

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return isinstance(self.low, int)

    @property
    def size(self) -> int | None:
        """How many values it has; None for all numbers between its ends."""
        return round((self.high - self.low) / self.step) + 1 if self.step is not None else None

    @property
    def values(self) -> tuple[str, ...]:
        """The values as they are written, where they can be counted."""
        return tuple(self.text(self.low + i * (self.step or 0)) for i in range(self.size or 0))

    def suggest(self, trial: Any) -> str:
        """What optuna suggests for a trial, as an override has it."""
        if self.whole:
            step = 1 if self.step is None or self.log else self.step
            return self.text(trial.suggest_int(self.path, self.low, self.high, step=step, log=self.log))
        return self.text(trial.suggest_float(self.path, self.low, self.high, step=self.step, log=self.log))

    def drawn(self, random: Random) -> str:
        """A value at random, as an override has it."""
        if self.size is not None and self.step is not None:
            return self.text(self.low + random.randrange(self.size) * self.step)
        if self.log:
            return self.text(exp(random.uniform(log(self.low), log(self.high))))
        return self.text(random.uniform(self.low, self.high))

    def text(self, value: float) -> str:
        """A value in four digits, which are as many as anyone wants to read or to type again."""
        return str(int(value)) if self.whole else f"{min(max(float(f'{value:.4g}'), self.low), self.high):g}"


Axis = Choice | Range


@dataclass(frozen=True, slots=True)
class Space:
    """Every axis of a sweep, and the overrides that all trials share."""

    axes: tuple[Axis, ...]
    """Each varies one value."""
    fixed: tuple[str, ...] = ()

    @property
    def size(self) -> int | None:
        """How many combinations there are; None for more than can be counted."""
        sizes = [axis.size for axis in self.axes]
        return None if None in sizes else prod(size for size in sizes if size)

    def combination(self, number: int) -> dict[str, str]:
        """One of the combinations that can be counted, the last axis moving fastest."""
        found = {}
        for axis in reversed(self.axes):
            number, index = divmod(number, len(axis.values))
            found[axis.path] = axis.values[index]
        return {axis.path: found[axis.path] for axis in self.axes}

    def samples(self, seed: int, count: int) -> Iterator[dict[str, str]]:
        """Up to `count` combinations: all where there are no more, else any."""
        if self.size is not None and self.size <= count:
            yield from map(self.combination, range(self.size))
            return
        random = Random(seed)  # noqa: S311  nothing secret
        for _ in range(count):
            yield {axis.path: axis.drawn(random) for axis in self.axes}


def read_space(assignments: Sequence[str]) -> Space:
    """The space that overrides with choices and ranges span. Raises UsageError."""
    axes: list[Axis] = []
    fixed: list[str] = []
    for text in assignments:
        path, equals, value = text.partition("=")
        if not equals or not path or not value:
            raise UsageError(f"{text!r} is not path=values. For example: params.width=32,64,96")
        if path in [axis.path for axis in axes]:
            raise UsageError(f"{path} is given twice")
        values = list(_split(value))
        if "" in values:
            raise UsageError(f"{text!r} has nothing between two commas")
        if len(values) > 1:
            axes.append(Choice(path, tuple(dict.fromkeys(values))))
        elif match := _RANGE.fullmatch(value):
            axes.append(_range(path, match, text))
        else:
            fixed.append(text)
    if not axes:
        example = "params.width=32,64,96 or train.optimizer.lr=1e-4..1e-2:log"
        raise UsageError(f"there is nothing to sweep over. Name values to try: {example}")
    return Space(tuple(axes), tuple(fixed))


def _range(path: str, match: re.Match[str], text: str) -> Range:
    """A range, from the text `1e-4..1e-2:log` or `2..8:step=2`. Raises UsageError."""
    low, high = _number(match[1]), _number(match[2])
    if not (isinstance(low, int) and isinstance(high, int)):
        low, high = float(low), float(high)
    logarithmic = False
    step: float | None = 1 if isinstance(low, int) else None
    for word in match[3].split(":")[1:]:
        name, equals, value = word.partition("=")
        if word == "log":
            logarithmic = True
        elif name == "step" and equals and re.fullmatch(_NUMBER, value):
            step = _number(value)
        else:
            hint = did_you_mean(name, _WORDS) or "A range ends there, in :log or in :step=8."
            raise UsageError(f"{text!r}: there is no {word!r}. {hint}")
    return _sound(Range(path, low, high, step, logarithmic), text)


def _sound(given: Range, text: str) -> Range:
    """The range, ending where its steps end. Raises UsageError for one that holds no two values."""
    low, high, step = given.low, given.high, given.step
    for number in (low, high, step or 0):
        if not abs(number) <= LARGEST:
            raise UsageError(f"{text!r}: {number} is more than any number that is tried. Ranges end at {LARGEST:g}.")
    if low >= high:
        raise UsageError(f"{text!r}: {low} is not below {high}")
    if given.log and low <= 0:
        raise UsageError(f"{text!r}: a logarithm needs a range above 0")
    if given.log and step not in (None, 1):
        raise UsageError(f"{text!r}: log and step do not go together. Name the values: 8,16,32")
    if step is None:
        return given
    if step <= 0 or (given.whole and not isinstance(step, int)):
        raise UsageError(f"{text!r}: the step is not a {'whole ' if given.whole else ''}number above 0")
    count = int((high - low) / step + 1e-9)
    if not count:
        raise UsageError(f"{text!r}: the step leads out of the range at once")
    return Range(given.path, low, low + count * step, step, given.log)


def _number(text: str) -> int | float:
    """A number, whole where it is written so."""
    return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)


def _split(text: str) -> Iterator[str]:
    """What stands between commas outside brackets and quotes."""
    depth, quote, begin = 0, "", 0
    for at, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and not depth:
            yield text[begin:at].strip()
            begin = at + 1
    yield text[begin:].strip()
