"""The standard streams of a process, which may be closed, full, or read by nobody any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from netspec.errors import UsageError


class Stream:
    """A stream of text as it is, but for what becomes of text that it does not take."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class Talk(Stream):
    """For words to a person, who may have gone: what cannot be said is not, and nothing ends for it."""

    def write(self, text: str) -> int:
        """Write what a closed stream may lose."""
        with suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class Results(Stream):
    """For results: where one is lost, the command has failed. Raises UsageError, and BrokenPipeError."""

    def write(self, text: str) -> int:
        """Write a result. Raises where nobody takes it."""
        if text == "":  # as click asks whether this is a stream of text
            return 0
        with self._delivering():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._delivering():
            self._stream.flush()

    @contextmanager
    def _delivering(self) -> Iterator[None]:
        """Within it a stream that takes nothing more is not written to again. Raises BrokenPipeError, UsageError."""
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)  # for what Python still holds, and writes when it ends
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise
            raise UsageError(f"standard output cannot be written: {error.strerror or error}") from None


def hold() -> None:
    """Make the three streams safe to use: open those that are closed, so that no file gets a number of theirs.

    What is written to a standard output that was closed is refused by the system as it would have been.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the least number that is free
    out, err = (
        stream or open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  it stays open
        for number, stream in ((1, sys.stdout), (2, sys.stderr))
    )
    sys.stdout, sys.stderr = Results(out), Talk(err)


@contextmanager
def unheard() -> Iterator[None]:
    """Within it nobody sees what libraries write to the stream of errors without Python knowing."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
