"""Windows: what it has no means for is refused by name where it is asked for by name."""

from __future__ import annotations

import os
from typing import Final

from netspec.errors import UsageError

WINDOWS: Final = os.name == "nt"


def refuse_on_windows(what: str, instead: str) -> None:
    """Raises UsageError on Windows, which names what cannot be there and what can."""
    if WINDOWS:
        raise UsageError(f"{what} cannot be on Windows. {instead}")
