"""TensorBoard logs of what a run measures: an extra that is imported only where a spec asks for it."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from netspec.files import saving
from netspec.optional import need
from netspec.runtime.train.history import Record


class Board:
    """Writes records into a folder that TensorBoard reads. Raises UsageError where the package is missing."""

    def __init__(self, folder: Path, step: int) -> None:
        """`step` is the one a resumed run goes on from: what was written behind it no longer counts."""
        need("tensorboard", "train.tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        _hush()
        self.folder = folder
        with saving(folder):
            self.writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, record: Record) -> None:
        """Take in a record: its numbers become curves over the steps, such as `val/accuracy`."""
        with saving(self.folder):
            for name, value in record.items():
                if isinstance(value, float):
                    self.writer.add_scalar(name.replace(".", "/"), value, record["step"])

    def settle(self) -> None:
        """Hand everything to the system."""
        with saving(self.folder):
            self.writer.flush()

    def close(self) -> None:
        """Write no more."""
        with saving(self.folder):
            self.writer.close()


@cache
def _hush() -> None:
    """TensorBoard writes in a thread. What a disk refuses it there is raised here, and is not to be shown twice."""
    show = threading.excepthook

    def shown(fault: threading.ExceptHookArgs) -> None:
        if not (isinstance(fault.exc_value, OSError) and type(fault.thread).__module__.startswith("tensorboard.")):
            show(fault)

    threading.excepthook = shown
