"""A run of several processes that is stopped before they have imported what they need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.effort import HANGING

WORK = """\
import os, signal, sys
from functools import partial
from netspec.__main__ import main
from netspec.runtime.device import launch

def started(*arguments, **options):
    context = begin(*arguments, **options)
    for process in context.processes:
        os.kill(process.pid, NUMBER)
    os.kill(os.getpid(), NUMBER)
    return context

begin, launch.start_processes = launch.start_processes, started
if __name__ == "__main__":
    from netspec.errors import NetspecError
    try:
        launch.launch(partial(main, ["check", "nothing.yaml"]), 2)
    except NetspecError as error:
        print(error)
        sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name == "nt", reason="runs of several processes are refused there")
def test_a_signal_at_the_very_begin_ends_it_without_a_traceback(tmp_path: Path) -> None:
    number = signal.SIGINT
    (tmp_path / "work.py").write_text(WORK.replace("NUMBER", str(int(number))))
    done = subprocess.run(
        [sys.executable, "work.py"], cwd=tmp_path, capture_output=True, text=True, timeout=HANGING, check=False
    )
    assert done.returncode == 128 + number, done.stderr
    assert done.stdout == f"stopped by {number.name} before the run had begun\n"
    assert "Traceback" not in done.stderr
