"""The memory allocator, what becomes of memory that a step frees: it stays with the process, for the next step.

By itself glibc's malloc hands large pieces back to the system, which hands them out again page by page, each cleared.
How large is large it learns from what was freed before, up to 32 MiB: LeNet at batch 64 on little data meets some 1,000
page faults a step so, a quarter of its time, and ResNet-18 some 8,000. See mallopt(3).
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Any, Final

TRIM_THRESHOLD: Final = -1
"""M_TRIM_THRESHOLD: how many free bytes at the end of the heap are kept."""
MMAP_THRESHOLD: Final = -3
"""M_MMAP_THRESHOLD: from how many bytes on a piece is not of the heap, but the system's, and freed to it."""
MOST: Final = 1 << 30
"""More than one tensor of a step takes, and half of what the thresholds, which are of type int, can hold."""
ADAPTED: Final = 32 << 20
"""Where glibc's own adaptation of the threshold ends, the most that some versions take."""


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Within it the process keeps memory that it frees; afterwards the system has that back.

    Peak memory stays as it is. glibc cannot be told to adapt again: afterwards its threshold stays at 32 MiB, where
    its own adaptation ends. Where the C library is not glibc, nothing changes.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    _keep(libc, MOST)
    try:
        yield
    finally:
        _keep(libc, ADAPTED)
        libc.malloc_trim(0)


def _keep(libc: Any, size: int) -> None:
    """Take pieces below `size` from the heap, and keep twice as much free at its end."""
    for allowed in (size, ADAPTED):
        if libc.mallopt(MMAP_THRESHOLD, allowed):
            libc.mallopt(TRIM_THRESHOLD, min(2 * allowed, (1 << 31) - 1))
            return


def _glibc() -> Any:
    """The C library of this process, None where it has no such settings."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
