"""Work of the system that goes on beside Python: reading, hashing and writing files of many megabytes."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def meanwhile(work: Callable[[], T]) -> Callable[[], T]:
    """Begin some work in a thread, and give what waits for its result. What the work raises is raised there."""
    results: list[T] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            faults.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()

    def result() -> T:
        thread.join()
        if faults:
            raise faults[0]
        return results[0]

    return result
