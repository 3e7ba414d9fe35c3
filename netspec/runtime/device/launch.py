"""The launcher: starts the processes of a run on this machine, and answers for all of them."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from types import FrameType
from typing import Final

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

from netspec.errors import NetspecError
from netspec.windows import refuse_on_windows

GRACE: Final = 10.0
"""Seconds that the others have to end by themselves once one has ended; then they are told to, and then killed."""
HERE: Final = "127.0.0.1"
PASSED: Final = (signal.SIGINT, signal.SIGTERM)


class Ended(NetspecError):
    """A process of the run that did not end by itself; `exit_code` is that of the run."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def launch(work: Callable[[], None], count: int) -> int:
    """Have `count` processes do `work`, which ends by sys.exit, and return the exit code of the first of them.

    SIGINT and SIGTERM go on to all of them. Raises Ended where one of them is killed or cannot go on, and UsageError
    on Windows.
    """
    refuse_on_windows("a run of several processes", "Leave --nproc out; one process uses all processors.")
    store = TCPStore(HERE, 0, is_master=True, wait_for_workers=False)
    names = {
        "MASTER_ADDR": HERE,
        "MASTER_PORT": str(store.port),
        "WORLD_SIZE": str(count),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the store is here already, the first process makes none
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, torch.get_num_threads() // count)),
    }
    with contextlib.ExitStack() as stack:
        passing = stack.enter_context(Passing())
        with _held_back():
            context = start_processes(_begin, (work, names), nprocs=count, join=False, start_method="spawn")
        passing.to(context)
        try:
            while not context.join(timeout=1.0, grace_period=GRACE):
                pass
        except ProcessExitedException as end:
            return _code(context, end, passing.number)
    return 0


class Passing:
    """While it is entered, SIGINT and SIGTERM go on to the processes of a context; the first is kept in `number`.

    It is entered before there are processes: held back in this thread, a signal may still be taken by one of torch's.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._context: ProcessContext | None = None
        self._early: list[int] = []

    def __enter__(self) -> Passing:
        self._before = {n: signal.signal(n, self._pass) for n in PASSED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def to(self, context: ProcessContext) -> None:
        """Pass on to the processes of `context`, first of all what has come before they were there."""
        self._context = context
        for number in self._early:
            self._pass(number, None)

    def _pass(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal, and pass each on."""
        self.number = self.number or number
        if self._context is None:
            self._early.append(number)
            return
        for process in self._context.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _begin(local: int, work: Callable[[], None], names: dict[str, str]) -> None:
    """Do `work` as one of the processes."""
    os.environ.update(names, RANK=str(local), LOCAL_RANK=str(local))
    for number in PASSED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED)
    work()


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Within it no signal is answered. A process that is started there holds it back too, until it has imported all."""
    resource_tracker.ensure_running()  # where it began later, it would let signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _code(context: ProcessContext, end: ProcessExitedException, stopped: int | None) -> int:
    """What the run ends with once one of its processes has not ended well. Raises Ended."""
    codes = [process.exitcode for process in context.processes]
    if stopped is not None and codes[0] < 0:
        raise Ended(128 + stopped, f"stopped by {signal.Signals(stopped).name} before the run had begun")
    killed = end.error_index if end.exit_code < 0 else next((i for i, code in enumerate(codes) if code < 0), None)
    if killed is None or codes[0] > 1:
        return codes[0] if codes[0] > 0 else end.exit_code
    text = f"process {killed} of {len(codes)} was ended by {signal.Signals(-codes[killed]).name}, and the run with it"
    raise Ended(128 - codes[killed], f"{text}. What it had saved stays: --resume goes on from there.")
