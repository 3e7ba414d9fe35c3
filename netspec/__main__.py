"""The process of the command: `python -m netspec`, or `netspec`.

SIGINT and SIGTERM end it at once, with 130 and 143 and no draft left behind. While a run trains, it answers them
itself: it saves first.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

from netspec.drafts import sweep


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the process was started with, or that which `arguments` are."""
    _answer(_leave)
    try:
        from netspec.cli import main as command

        command(arguments)
    finally:
        _answer(signal.SIG_IGN)  # the command is over, and its exit code stands


def _answer(handler: Any) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    # No exception: libraries swallow those that come in the middle of an import.
    sweep()
    os.write(2, f"stopped by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
