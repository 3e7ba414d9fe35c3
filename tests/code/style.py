"""The formatter and the linter that a careful person would run over a printed file."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Final

RUFF: Final = str(Path(sysconfig.get_path("scripts"), "ruff"))
"""The program itself: hundreds of files are looked at, and a Python around each takes ten times as long."""
SETTINGS: Final = ("--isolated", "--line-length", "120")


def assert_formatted(*paths: Path | str, source: str = "", lint: bool = True) -> None:
    """Every file is as `ruff format` would leave it, and has nothing that `ruff check` would name."""
    formatted = (RUFF, "format", *SETTINGS, "--diff")
    linted = (RUFF, "check", *SETTINGS, "--select", "E,F,W,I", "--output-format", "concise")
    for command in (formatted, linted) if lint else (formatted,):
        done = subprocess.run([*command, *map(str, paths)], input=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def assert_source_formatted(source: str, lint: bool = True) -> None:
    """The same of one printed file."""
    assert_formatted("-", source=source, lint=lint)
