"""Bounds on work, which hold on a machine that is busy with other things too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

HANGING: Final = 1200.0
"""Seconds after which a process is taken to hang; nothing is decided by less."""


@contextmanager
def computing(seconds: float) -> Iterator[None]:
    """Demand that what is done within computes for no longer than `seconds`, ten times what it takes or more."""
    began = time.process_time()
    yield
    spent = time.process_time() - began
    assert spent < seconds, f"computed for {spent:.1f} s, {seconds:g} s are allowed"
