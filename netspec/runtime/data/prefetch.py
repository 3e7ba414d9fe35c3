"""Prefetching: rows of data are read ahead of their use, in processes of their own."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
import torch

from netspec.datasets.rows import Rows
from netspec.errors import DataError
from netspec.runtime.data.worker import SLOTS, Slots

SLOT: Final = 4 * 2**20
"""Bytes of rows that are asked for together, about."""
PATIENCE: Final = 5.0
"""Seconds that a worker has to end by itself."""
Tensors = tuple[torch.Tensor, ...]


class Reader:
    """Reads rows of several fields. Told what comes next, its workers read it meanwhile, in the same order.

    Without workers, or where other rows are asked for than it was told, it reads there and then: what comes of it is
    the same, only later.
    """

    def __init__(self, fields: Sequence[Rows], workers: int = 0, pinned: bool = False) -> None:
        """`pinned` memory is the kind that an accelerator copies from by itself."""
        self.fields = tuple(fields)
        self.pinned = pinned
        self._count = workers
        self._workers: list[Worker] = []
        self._requests: Iterator[torch.Tensor] = iter(())
        self._expected: deque[torch.Tensor] = deque()
        self._asked: deque[Worker] = deque()
        self._turn = 0
        self._last: tuple[torch.Tensor, Tensors] = torch.empty(0, dtype=torch.int64), ()
        self._end = weakref.finalize(self, _end, self._workers)

    def expect(self, pieces: Iterable[torch.Tensor]) -> None:
        """Begin to read these pieces, for each of which `read` will be called in turn. Earlier expectations end.

        A piece is the int64 numbers of its rows, one axis.
        """
        for worker in self._asked:
            worker.wait()
        self._asked.clear()
        self._expected.clear()
        if self._count:
            self._start()
            self._requests = self._cut(pieces)
            self._ask()

    def read(self, rows: torch.Tensor) -> Tensors:
        """These rows of each field, batch first, in its dtype. Raises DataError, also for a worker that died."""
        if self._expected and torch.equal(self._expected[0], rows):
            self._expected.popleft()
            self._last = rows, self._collected(len(rows))
        elif not torch.equal(self._last[0], rows):  # equal where an optimizer looks at the same batch several times
            self._last = rows, tuple(torch.from_numpy(field.read(rows.numpy())) for field in self.fields)
        return self._last[1]

    def close(self) -> None:
        """End the workers."""
        self._end()

    def _start(self) -> None:
        """Start the workers, all before the first of them is waited for."""
        if not self._workers:
            self._workers += [Worker(self.fields) for _ in range(self._count)]
            task = pickle.dumps((self.fields, SLOT))
            for worker in self._workers:  # all of them are starting by now
                worker.begin(task)

    def _cut(self, pieces: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """The pieces, in as many parts as slots of workers need."""
        for piece in pieces:
            self._expected.append(piece)
            yield from piece.split(self._workers[0].slots.rows)

    def _ask(self) -> None:
        """Give the workers as much to do as they have slots for, in turns."""
        while len(self._asked) < SLOTS * self._count:
            rows = next(self._requests, None)
            if rows is None:
                return
            worker = self._workers[self._turn % self._count]
            worker.ask(rows.numpy())
            self._asked.append(worker)
            self._turn += 1

    def _collected(self, count: int) -> Tensors:
        """The next `count` rows, out of the slots of the workers that were asked for them."""
        whole = tuple(self._empty(field, count) for field in self.fields)
        done = 0
        while done < count:
            parts = self._asked.popleft().take()
            for x, part in zip(whole, parts, strict=True):
                x[done : done + len(part)] = torch.from_numpy(part)
            done += len(parts[0])
            self._ask()
        return whole

    def _empty(self, field: Rows, count: int) -> torch.Tensor:
        """A tensor of `count` rows of a field to read into; pinned where a GPU will copy from it."""
        kind = torch.from_numpy(np.empty(0, field.dtype)).dtype
        return torch.empty((count, *field.shape[1:]), dtype=kind, pin_memory=self.pinned)


class Worker:
    """The near end of a process that reads. What it is asked for it gives in the same order."""

    def __init__(self, fields: Sequence[Rows]) -> None:
        """Start a process that reads `fields`, one Rows for each input and the target, into memory shared with it."""
        memory = _shared_memory()
        ours, theirs = socket.socketpair()
        given = (theirs.fileno(), memory)
        command = [sys.executable, "-P", "-m", "netspec.runtime.data.worker", *map(str, given)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        # Signals to the whole group are for this process to answer; what is blocked here stays blocked there.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.process = subprocess.Popen(  # noqa: S603  this very Python and netspec
                command, stdin=subprocess.DEVNULL, pass_fds=given, env=environment
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self.connection = Connection(ours.detach())
        self.slots = Slots(fields, memory, SLOT)
        os.close(memory)
        self._asked: deque[tuple[int, int]] = deque()
        self._turn = 0

    def begin(self, task: bytes) -> None:
        """Say what it is that will be read, and the size of a slot, pickled. Raises DataError."""
        try:
            self.connection.send_bytes(task)
        except OSError:
            raise self._dead() from None

    def ask(self, rows: np.ndarray[Any, Any]) -> None:
        """Have rows read, at most as many as fit into a slot. Raises DataError."""
        slot = self._turn % SLOTS
        self._turn += 1
        self._asked.append((slot, len(rows)))
        try:
            self.connection.send((slot, rows))
        except OSError:
            raise self._dead() from None

    def take(self) -> list[np.ndarray[Any, Any]]:
        """The oldest rows asked for, field by field, good until as many more are asked for as there are slots.

        Raises DataError.
        """
        slot, count = self._asked[0]
        fault = self.wait()
        if fault is not None:
            raise DataError(fault)
        return [room[:count] for room in self.slots.fields[slot]]

    def wait(self) -> str | None:
        """Wait for the oldest rows asked for; what was wrong with them, if something was. Raises DataError."""
        self._asked.popleft()
        try:
            fault: str | None = self.connection.recv()
        except (EOFError, OSError):
            raise self._dead() from None
        return fault

    def end(self) -> None:
        """End the process, which notices that nobody is there any more."""
        self.connection.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _dead(self) -> DataError:
        """What is said of a worker that ended before its time, by itself or by a signal."""
        self.end()
        code = self.process.returncode
        text = f"process {self.process.pid}, which read data for this one,"
        if code >= 0:
            return DataError(f"{text} ended by itself with code {code}. data.workers=0 reads without such processes.")
        hint = "The system does so when memory runs out: lower data.workers or data.memory, and resume."
        return DataError(f"{text} was killed by {signal.Signals(-code).name}. {hint}")


def _end(workers: list[Worker]) -> None:
    """Have workers end and forget them; called too when their reader is no longer needed."""
    for worker in workers:
        worker.end()
    workers.clear()


def _shared_memory() -> int:
    """The descriptor of a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("netspec rows")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
