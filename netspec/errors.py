"""Everything that can go wrong, as data.

NetspecError            a message for a person; `exit_code` is what the command ends with
├── UsageError       2  the command line asks for something that cannot be
├── SpecError        3  the spec: carries every Problem found, not only the first
├── DataError        4  a file of data is missing, damaged or does not fit
├── Diverged         5  training produced a loss that is not finite
├── ExportMismatch   6  an exported file does not compute what the network computes
├── ExportFailed     6  the network cannot be written in the format at all
└── Interrupted         SIGINT (130) or SIGTERM (143) ended a run, whose state is saved

Exit code 1 is left for faults of netspec itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from netspec.source import Source

Path = tuple[str | int, ...]
Span = tuple[int, int]
FEW: Final = 20
"""How many words a hint lists."""
SAME: Final = 60
"""Words longer than this are like no other."""
EFFORT: Final = 10_000_000
"""How many pairs of characters are compared in search of what words may mean, in one reading of a spec."""
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class At:
    """A place in the spec: the path to a value, and optionally which of its characters.

    `on_key` points at the mapping key instead of the value behind it.
    """

    path: Path = ()
    span: Span | None = None
    on_key: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, with where it stands and what to try."""

    code: str
    message: str
    at: At = At()
    hint: str = ""
    severity: Severity = "error"
    used_at: tuple[At, ...] = field(default=())
    """For a problem inside a block: the lines that use the block, innermost first."""


class NetspecError(Exception):
    """Base of all errors that netspec raises for a person to read."""

    exit_code = 1


class UsageError(NetspecError):
    exit_code = 2


class SpecError(NetspecError):
    """A spec that does not fit together; `problems` holds each reason, `source` the text that they point into."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], report: str = "", source: Source | None = None) -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(report or "\n".join(p.message for p in self.problems))


class DataError(NetspecError):
    exit_code = 4


class Diverged(NetspecError):
    """A loss that is not finite; `reason` says at which step, the message also what to try."""

    exit_code = 5

    def __init__(self, reason: str, advice: str = "") -> None:
        self.reason = reason
        super().__init__(reason + advice)


class ExportMismatch(NetspecError):
    exit_code = 6


class ExportFailed(NetspecError):
    """The network cannot be written in this format at all."""

    exit_code = 6


class Interrupted(NetspecError):
    """The run was asked to stop and has saved its state; `exit_code` is 128 and the signal's number."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


_effort: ContextVar[list[int] | None] = ContextVar("_effort", default=None)


@contextmanager
def sparing() -> Iterator[None]:
    """Inside, the search for words that others may mean ends after EFFORT; mistakes beyond that have no such hint."""
    token = _effort.set(_effort.get() or [EFFORT])
    try:
        yield
    finally:
        _effort.reset(token)


def _spent() -> bool:
    left = _effort.get()
    return left is not None and left[0] <= 0


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """A hint that offers the nearest known word, or an empty string where none is as like as that."""
    near = nearest(word, known, likeness)
    return f"Did you mean {near!r}?" if near else ""


def offered(word: str, known: Iterable[str], otherwise: str = "There are: {}.") -> str:
    """A hint that offers the nearest known word, or where none is near as many of them as can be read."""
    if _spent():
        return ""
    names = list(dict.fromkeys(known))
    return did_you_mean(word, names) or (otherwise.format(few(names)) if names else "There are none.")


def few(names: Iterable[str]) -> str:
    """The names with commas between, as many as can be read."""
    listed = list(islice(names, FEW + 1))
    return ", ".join(listed[:FEW]) + (", ..." if len(listed) > FEW else "")


def listed(words: Iterable[str]) -> str:
    """Words as a sentence has them, each once: `a, b and c`."""
    names = list(dict.fromkeys(words))
    shown = names if len(names) <= FEW else [*names[:FEW], f"{len(names) - FEW:,} more"]
    return " and ".join([", ".join(shown[:-1]), *shown[-1:]] if len(shown) > 1 else shown)


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known word that is most like this one, or an empty string where none is as like as that."""
    if len(word) > SAME or _spent():
        return ""
    words = tuple(known)
    if (left := _effort.get()) is not None:
        left[0] -= (len(word) + 10) * (sum(map(len, words)) + 10 * len(words))
    return _nearest(word.lower(), words, likeness)


@lru_cache(maxsize=256)  # a mistake inside a repeat is met many times
def _nearest(word: str, known: tuple[str, ...], likeness: float) -> str:
    from difflib import get_close_matches  # only mistakes pay for it

    exact = {k.lower(): k for k in known if len(k) <= SAME}
    near = get_close_matches(word, exact, n=1, cutoff=likeness)
    return exact[near[0]] if near else ""


def printable(text: str) -> str:
    """`text` with control and bidirectional characters escaped, safe to show on a terminal."""
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs") else f"\\u{ord(c):04x}" for c in text
    )


def one_line(text: str) -> str:
    """The same with line breaks escaped too, for text that must not look like more than one line."""
    return printable(text).replace("\n", "\\n")
