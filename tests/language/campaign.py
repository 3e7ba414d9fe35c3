"""Puts many damaged specs to every command that reads one: `python -m tests.language.campaign --cases 10000`.

A spec is refused by a SpecError, or it is a network that can be shown, printed, compiled and formatted: without another
exception, within CPU seconds and memory, and without running anything. `--only bytes,tokens` draws only such.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Final

from netspec import SpecError, loads
from netspec.text.reader import read_text
from netspec.views.format import formatted
from netspec.views.picture import picture
from netspec.views.table import summary, text
from tests import campaigns
from tests.language import fuzz

SECONDS: Final = 5
"""CPU time that one spec may take."""
MEMORY: Final = 2**30
"""Bytes that the process may have."""
QUIET: Final = {
    "import",
    "compile",
    "exec",
    "open",
    "os.listdir",
    "os.scandir",
    "marshal.loads",
    "object.__getattr__",
    "object.__setattr__",
}
"""Events of the interpreter's own, as it reads its modules and as the campaign compiles a printed network."""


def outcome(spec: str, read: Callable[[str], Any] = loads) -> str:
    """What becomes of a spec: `network` or `refused`, else what went wrong."""
    with watched() as events:
        try:
            found = _used(spec, read)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            found = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {str(error)[:120]}"
    return f"ran {events[0]}" if events else found


def _used(spec: str, read: Callable[[str], Any]) -> str:
    try:
        loaded = read(spec)
        compile(loaded.source(), "printed", "exec")
        text(summary(loaded.graph))
        summary(loaded.graph).listed()
        picture(loaded.graph)
        kind = "network"
    except SpecError as error:
        assert str(error)
        kind = "refused"
    for long in (False, True):
        try:
            formatted(read_text(spec), long=long)
        except SpecError as error:
            assert str(error)
    return kind


_events: list[str] | None = None


@contextmanager
def watched() -> Iterator[list[str]]:
    """The events of the interpreter inside that read or run something; see `sys.audit`."""
    global _events
    events: list[str] = []
    _events = events
    try:
        yield events
    finally:
        _events = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and not _expected(event, arguments):
        _events.append(f"{event}{arguments!r}"[:120])


def _expected(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "exec":  # of a module that is imported, or a dataclass; never of what was printed
        return getattr(arguments[0], "co_filename", "") != "printed"
    return event in QUIET or event.startswith(("sys._", "code.", "ctypes", "builtins.id", "gc."))


sys.addaudithook(_note)


def _work(pipe: Connection, read: Callable[[str], Any]) -> None:
    """A child that tells the outcome of each spec it is sent."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while True:
        spec = pipe.recv()
        pipe.send((time.process_time(), "begun"))
        pipe.send((time.process_time(), outcome(spec, read)))
        gc.collect()


class Child:
    """A process that specs are put to, one after the other, and which is replaced when one ends it."""

    def __init__(self, read: Callable[[str], Any] = loads) -> None:
        fresh = multiprocessing.get_context("spawn")  # what a fork would take along has threads and memory of its own
        self.pipe, other = fresh.Pipe()
        self.process = fresh.Process(target=_work, args=(other, read), daemon=True)
        self.process.start()
        other.close()

    def outcome(self, spec: str) -> str:
        """The same as `outcome`, also of a spec that ends the process or takes too long."""
        self.pipe.send(spec)
        try:
            begin, _ = self.pipe.recv()
            while not self.pipe.poll(SECONDS):
                if _cpu_seconds(self.process.pid or 0) - begin > SECONDS:
                    self.close()
                    return f"more than {SECONDS} s of CPU"
            end, found = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            return "the process died"
        return f"{end - begin:.1f} s of CPU" if end - begin > SECONDS else str(found)

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def _cpu_seconds(process: int) -> float:
    """CPU time of a process, as /proc has it."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def campaign(cases: int, seed: int, kinds: list[str]) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """How many specs of each kind came to what, and those that went wrong: which, what, and the spec."""
    counts: Counter[str] = Counter()
    faults = []
    child = Child()
    for i in range(cases):
        kind = kinds[i % len(kinds)]
        spec = fuzz.KINDS[kind](Random(f"{seed} {kind} {i}"))
        found = child.outcome(spec)
        counts[f"{kind} {found if found in ('network', 'refused') else 'fault'}"] += 1
        if found not in ("network", "refused"):
            faults.append((f"{seed} {kind} {i}", found, spec))
            if not child.process.is_alive():
                child = Child()
    child.close()
    return counts, faults


def main() -> int:
    options = campaigns.options(__doc__)
    kinds = [kind for kind in fuzz.KINDS if not options.only or kind in options.only.split(",")]
    counts, faults = campaign(options.cases, options.seed, kinds)
    for which, what, spec in faults[: options.show]:
        print(f"--- {which}: {what}\n{spec}")
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    for what, count in Counter(what for _, what, _ in faults).most_common():
        print(f"{count} x {what}")
    print(f"{len(faults)} faults in {options.cases} specs")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
