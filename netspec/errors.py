"""Everything that can go wrong, as data.

NetspecError            a message for a person; `exit_code` is what the command ends with
├── UsageError       2  the command line asks for something that cannot be
├── SpecError        3  the spec: carries every Problem found, not only the first
├── DataError        4  a file of data is missing, damaged or does not fit
│   └── MissingData     what a spec names as its data is not there
├── Diverged         5  training produced a loss that is not finite
├── ExportMismatch   6  an exported file does not compute what the network computes
├── ExportFailed     6  the network cannot be written in the format at all
└── Interrupted         SIGINT (130) or SIGTERM (143) ended a run, whose state is saved

Exit code 1 is left for faults of netspec itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Path = tuple[str | int, ...]
Span = tuple[int, int]
Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class At:
    """A place in the spec: the path to a value, and optionally which of its characters.

    `on_key` points at the mapping key instead of the value behind it.
    """

    path: Path = ()
    """Keys and places, from the root of the spec."""
    span: Span | None = None
    """From the first to behind the last, counted from 0; all of the value where there is none."""
    on_key: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, with where it stands and what to try."""

    code: str
    """Its kind in a word, `shape-mismatch`, which programs may go by."""
    message: str
    """What was found, and what was expected."""
    at: At = At()
    """Where it stands."""
    hint: str = ""
    """What to try."""
    severity: Severity = "error"
    """Only errors keep a spec from being used."""
    used_at: tuple[At, ...] = field(default=())
    """For a problem inside a block: the lines that use the block, innermost first."""
    takes: tuple[At, ...] = field(default=())
    """For a step that does not go with what it takes: the steps that give it that."""


class NetspecError(Exception):
    """Base of all errors that netspec raises for a person to read."""

    exit_code = 1


class UsageError(NetspecError):
    """A command, a call or an option that does not go together, or a file that is not there."""

    exit_code = 2


class DataError(NetspecError):
    """Data, weights or a run folder that cannot be used as they are."""

    exit_code = 4


class MissingData(DataError):
    """A file or folder of data that is not there."""


class Diverged(NetspecError):
    """A loss that is not finite; `reason` says at which step, the message also what to try."""

    exit_code = 5

    def __init__(self, reason: str, advice: str = "") -> None:
        self.reason = reason
        super().__init__(reason + advice)


class ExportMismatch(NetspecError):
    """An exported file that computes something else than the network."""

    exit_code = 6


class ExportFailed(NetspecError):
    """The network cannot be written in this format at all."""

    exit_code = 6


class Interrupted(NetspecError):
    """The run was asked to stop and has saved its state; `exit_code` is 128 and the signal's number."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number
