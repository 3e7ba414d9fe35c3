"""Children of a process that has imported torch: a hundred runs then cost no hundred imports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import netspec.runs.train  # noqa: F401  once here, not in each child


def in_child(task: Callable[[], object], talk: Path) -> int:
    """Do `task` in a child whose stdout and stderr go to the file `talk`; its exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            with talk.open("w") as stream:
                os.dup2(stream.fileno(), 1)
                os.dup2(stream.fileno(), 2)
            task()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
