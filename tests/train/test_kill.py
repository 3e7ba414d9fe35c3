"""A few kills of the campaign in campaign.py."""

from __future__ import annotations

import subprocess
import sys


def test_killed_runs_resume_to_the_bit() -> None:
    command = [sys.executable, "-m", "tests.train.campaign", "--kills", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "0 faults" in done.stderr
