"""A way of doing a thing in a process of its own, so that what it sets there does not reach the other of a pair.

netspec tells the C library to keep memory while it trains, which would speed up whatever else trains in its process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks.ratios import Work


@contextlib.contextmanager
def apart(make: Callable[..., Work], *given: Any) -> Iterator[Work]:
    """The work that `make` makes of what is given, in a process that waits between one time and the next."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, torch.get_num_threads(), make, given))
    process.start()
    there.close()

    def work() -> float:
        here.send(True)
        return float(here.recv())

    try:
        yield work
    finally:
        here.close()
        process.join()


def _serve(asked: Connection, threads: int, make: Callable[..., Work], given: tuple[Any, ...]) -> None:
    torch.set_num_threads(threads)
    work = make(*given)
    with contextlib.suppress(EOFError):  # nobody asks any more
        while asked.recv():
            asked.send(work())
