"""Where a run is told of: in a notebook, on a terminal, or line by line."""

from __future__ import annotations

import sys
from typing import IO

from netspec.runtime.train.notebook import Plots, in_notebook
from netspec.runtime.train.progress import Lines, Live, Progress


def progress_for(stream: IO[str] | None = None) -> Progress:
    """The way to tell that suits `stream`, which is stderr: curves in a notebook, a bar on a terminal, else lines."""
    if stream is None and in_notebook():
        return Plots()
    stream = stream or sys.stderr
    return Live(stream) if stream.isatty() else Lines(stream)
