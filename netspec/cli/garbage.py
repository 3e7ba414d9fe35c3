"""When a command has Python look for garbage, which takes a good part of the time of a short one."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MADE: Final = 1_000_000
"""Objects that a command makes before garbage is looked for, if that is seldom: mostly it ends before that."""


@contextmanager
def collecting(seldom: bool) -> Iterator[None]:
    """Have Python collect garbage within it, perhaps `seldom`, and as before afterwards."""
    before, thresholds = gc.isenabled(), gc.get_threshold()
    if seldom:
        gc.set_threshold(MADE, *thresholds[1:])
    gc.enable()
    try:
        yield
    finally:
        if not before:
            gc.disable()
        gc.set_threshold(*thresholds)


@contextmanager
def importing() -> Iterator[None]:
    """Collect no garbage within it, because imports make objects that stay.

    Where torch is among what is imported, all objects that there are then are never looked through again.
    """
    before, fresh = gc.isenabled(), "torch" not in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if fresh and "torch" in sys.modules:
            gc.freeze()
        if before:
            gc.enable()
