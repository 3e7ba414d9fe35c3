"""Choosing tokens one after the other: from the scores of the next one to a text that goes on.

Top-k keeps the likeliest tokens (Fan, Lewis and Dauphin 2018), top-p the fewest of them that have a probability
together (Holtzman et al. 2020); the temperature divides the scores before either. One number is drawn a token, from
numpy's generator, so that a seed gives the same text in torch and in ONNX Runtime wherever their scores agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from netspec.errors import DataError, UsageError
from netspec.runs.language_model import LanguageModel, Vocabulary

Array = np.ndarray[Any, Any]
HALF_CHARACTER: Final = "\ufffd"
"""What stands for bytes that are no character yet."""
LONGEST: Final = 4
"""Bytes of a character, at most: what is none after so many tokens never becomes one."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 1.0
    """What scores are divided by; 0 takes the likeliest token each time."""
    top_k: int | None = None
    """Choose from so many of the likeliest tokens."""
    top_p: float | None = None
    """Choose from the fewest of the likeliest tokens that have this probability together."""
    seed: int = 0
    """The same seed gives the same text."""

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be."""
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature is {self.temperature:g}, expected 0 or more")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k is {self.top_k}, expected 1 or more")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UsageError(f"top_p is {self.top_p:g}, expected more than 0 and at most 1")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}, expected 0 or more")

    def choose(self, logs: Array, drawn: float) -> int:
        """A token by the logarithms of the probabilities, and a number from 0 to 1 that chance has drawn."""
        order = np.argsort(-logs, kind="stable")
        if self.temperature == 0:
            return int(order[0])
        order = order[: self.top_k]
        scaled = (logs[order] - logs[order[0]]) / self.temperature
        sums = np.cumsum(np.exp(scaled))
        if self.top_p is not None:
            sums = sums[: int(np.searchsorted(sums, self.top_p * sums[-1])) + 1]
        return int(order[min(int(np.searchsorted(sums, drawn * sums[-1], side="right")), len(sums) - 1)])


class Reader(Protocol):
    """A network that reads a text token by token."""

    model: LanguageModel

    def forget(self) -> None:
        """Begin with a new text."""

    def read(self, tokens: Sequence[int]) -> Array:
        """Read further tokens; gives the logarithms of the probabilities of the one after them."""


def tokens_after(reader: Reader, prompt: Sequence[int], how: Sampling, size: int | None) -> Iterator[int]:
    """The tokens after a prompt, without end, of those below `size`. Raises DataError.

    Where the window of the network is full, the older half of it is forgotten, and the rest read anew; a network that
    takes exactly so many tokens sees the last of them each time.
    """
    window, exact = reader.model.window, reader.model.exact
    _need_fit(reader.model, prompt)
    chance = np.random.Generator(np.random.PCG64(how.seed))
    text = list(prompt if window is None else prompt[-window:])
    reader.forget()
    fresh = text
    while True:
        logs = reader.read(fresh)[:size]
        if np.isnan(logs).any() or not np.isfinite(logs.max()):
            raise DataError("the network gives scores that are no numbers: its weights are not those of a good run")
        token = how.choose(logs, chance.random())
        yield token
        text.append(token)
        fresh = [token]
        if window is not None and (exact or len(text) > window):
            text = text[-window:] if exact else text[-max(window // 2, 1) :]
            reader.forget()
            fresh = text


def _need_fit(model: LanguageModel, prompt: Sequence[int]) -> None:
    """Refuse a prompt that the network cannot begin with. Raises DataError."""
    least = (model.window or 1) if model.exact else 1
    if len(prompt) < least:
        tokens = f"{len(prompt):,} token{'s' * (len(prompt) != 1)}"
        if model.exact:
            way_out = f"Give a longer one; a network with {model.tokens}: int T takes any number, trained anew."
            raise DataError(f"the prompt has {tokens}, the network takes {least:,} and no fewer. {way_out}")
        raise DataError("the prompt has no token to begin with: give at least one")


@dataclass(slots=True)
class Continuation:
    """What follows a prompt: its pieces in turn, as soon as they are known; the whole in `text` at the end."""

    prompt: str
    tokens: list[int]
    """The tokens that were chosen, those of a stop word among them."""
    text: str
    """What was given so far, without the stop word."""
    ended: str
    """What it ended with: the stop word that was met, nothing where it was long enough."""
    cached: bool
    """Whether what was read is kept from token to token, and not read anew for each."""
    _source: Iterator[int] = field(repr=False)
    _vocabulary: Vocabulary = field(repr=False)
    _stops: tuple[str, ...] = field(repr=False)
    _count: int = field(repr=False)
    _open: str = field(default="", repr=False)
    """What was chosen and may still become a stop word."""
    _told: tuple[int, int] = field(default=(0, 0), repr=False)
    """From which token on the last piece was, and up to which."""

    @classmethod
    def of(
        cls,
        reader: Reader,
        vocabulary: Vocabulary,
        prompt: str,
        *,
        how: Sampling,
        tokens: int,
        stop: Sequence[str],
        cached: bool,
    ) -> Continuation:
        """What follows a prompt, up to so many tokens or a `stop` word. Raises UsageError and DataError."""
        if tokens < 0:
            raise UsageError(f"tokens is {tokens}, expected 0 or more")
        if "" in stop:
            raise UsageError("a stop word is empty, so nothing could come before it")
        begun = vocabulary.encode(prompt)
        _need_fit(reader.model, begun)
        source = tokens_after(reader, begun, how, vocabulary.size)
        return cls(prompt, [], "", "", cached, source, vocabulary, tuple(stop), tokens)

    def __iter__(self) -> Iterator[str]:
        """The pieces that are not known yet. What may be the beginning of a stop word is held back."""
        while len(self.tokens) < self._count and not self.ended:
            self.tokens.append(next(self._source))
            self._open += self._said()
            met = [(place, stop) for stop in self._stops if (place := self._open.find(stop)) >= 0]
            if met:
                place, self.ended = min(met, key=lambda pair: (pair[0], -len(pair[1])))
                self._open = self._open[:place]
            yield from self._give(len(self._open) if met else len(self._open) - self._begun())
        yield from self._give(len(self._open))

    def read(self) -> str:
        """The whole text, once it has ended."""
        for _ in self:
            pass
        return self.text

    def _said(self) -> str:
        """What the tokens say beyond what was said; nothing while they end within a character.

        The tokens of the piece before are read with those behind it, because some begin otherwise alone.
        """
        begin, end = self._told
        text, known = (self._vocabulary.decode(self.tokens[begin:stop]) for stop in (None, end))
        if text.endswith(HALF_CHARACTER) and len(self.tokens) - end < LONGEST and len(self.tokens) < self._count:
            return ""
        self._told = end, len(self.tokens)
        return text[len(known) :]

    def _begun(self) -> int:
        """How many letters at the end may be the beginning of a stop word."""
        sizes = (size for stop in self._stops for size in range(1, len(stop)) if self._open.endswith(stop[:size]))
        return max(sizes, default=0)

    def _give(self, count: int) -> Iterator[str]:
        """The first letters of what was held back, if there are any."""
        piece, self._open = self._open[:count], self._open[count:]
        if piece:
            self.text += piece
            yield piece
