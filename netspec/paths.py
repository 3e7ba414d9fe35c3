"""Where paths lead."""

from __future__ import annotations

import os
from pathlib import Path


def real(path: Path) -> Path:
    """A path with its links followed, as far as they lead: those that lead in a circle stay, and open nothing."""
    return Path(os.path.realpath(path))
