"""Memory limits: how many bytes data may take, and how many processes may read it."""

from __future__ import annotations

import os
from typing import Final

import torch

from netspec import machine, windows

MAX_WORKERS: Final = 8
UNTOLD: Final = 8 << 30
"""Bytes of memory that a machine is taken to have for data which does not tell how much it has."""


def room_for(memory: int | None, device: torch.device) -> int:
    """Bytes of data that this process holds: what the spec says, else its part of half of what there is."""
    if memory is not None:
        return memory
    own = machine.memory(UNTOLD) // processes()
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
    here = machine.cores()
    return max(1, min(here // processes() - 1, MAX_WORKERS))


def processes() -> int:
    """How many processes train on this machine, as torchrun says it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
