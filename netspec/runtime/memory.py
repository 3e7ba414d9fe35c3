"""How much memory data may take, and how many processes may read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import torch

from netspec.runtime import windows

LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where the system says how much memory the container around this process has."""
MAX_WORKERS: Final = 8
UNTOLD: Final = 8 << 30
"""Bytes of memory that a machine is taken to have which does not tell."""


def room_for(memory: int | None, device: torch.device) -> int:
    """Bytes of data that this process holds: what the spec says, else its part of half of what there is."""
    if memory is not None:
        return memory
    limits = [path.read_text().strip() for path in map(Path, LIMITS) if path.is_file()]
    there = [int(limit) for limit in limits if limit.isdecimal()]
    there.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else UNTOLD)
    own = min(there) // processes()
    if device.type == "cuda":
        own = min(own, torch.cuda.mem_get_info(device)[1])
    return own // 2


def workers_for(workers: int | None) -> int:
    """Processes that read for this one: as many as the spec says, else one for each of its processors but one.

    On Windows there are none. Raises UsageError where the spec wants some there.
    """
    if workers:
        windows.refuse_on_windows(
            "data.workers, which read for the training process,", "It reads by itself: data.workers=0."
        )
    if workers is not None or windows.WINDOWS:
        return workers or 0
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(here // processes() - 1, MAX_WORKERS))


def processes() -> int:
    """How many processes train on this machine, as torchrun says it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def shown_bytes(count: int) -> str:
    """A number of bytes as a person would say it."""
    size, units = float(count), ["bytes", "KB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}"
