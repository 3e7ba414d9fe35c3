"""A little of each campaign in campaign.py."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "options",
    [
        ["--kills", "8"],
        ["--flips", "60", "--cuts", "30"],
        pytest.param(
            ["--refusals", "--every", "83"],
            marks=pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
        ),
        ["--signals", "1"],
    ],
    ids=lambda options: options[0],
)
def test_nothing_is_lost(options: list[str]) -> None:
    command = [sys.executable, "-m", "tests.train.campaign", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" 0 faults") == len([o for o in options if o.startswith("--") and o != "--every"])
