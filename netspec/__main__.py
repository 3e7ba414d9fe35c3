"""The process of the command: `python -m netspec`, or `netspec`.

SIGINT and SIGTERM end it at once, with 130 and 143 and no draft left behind. While a run trains, it answers them
itself: it saves first.
"""

import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120  pathlib is not imported yet
if __name__ == "__main__" and not sys.flags.safe_path and os.path.realpath(sys.path[0]) != HOME:
    # Python puts the current folder before everything, and a yaml.py that lies there would run. It stays only where
    # netspec itself is found through it.
    del sys.path[0]

import gc
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

from netspec.drafts import sweep
from netspec.streams import hold


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the process was started with, or that which `arguments` are."""
    os.environ["PYTHONSAFEPATH"] = "1"  # the processes that it starts search no current folder either
    gc.disable()  # imports make objects and leave no garbage
    hold()
    _answer(_leave)
    try:
        from netspec.cli import main as command

        command(arguments)
    finally:
        gc.freeze()  # the process ends, so that nothing of it is looked through
        _answer(signal.SIG_IGN)  # the command is over, and its exit code stands


def _answer(handler: Any) -> None:
    """Have the signals that end a program answered by `handler`."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once, with a word on the way and the exit code of a program that a signal ended."""
    # No exception: libraries swallow those that come in the middle of an import.
    sweep()
    os.write(2, f"stopped by {signal.Signals(number).name}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
