"""Golden files: what a person has read and found good."""

from __future__ import annotations

import os
from pathlib import Path


def assert_reviewed(found: str, golden: Path) -> None:
    """Hold a text against its golden file, or renew the file where NETSPEC_OVERWRITE_GOLDEN is set."""
    if os.environ.get("NETSPEC_OVERWRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text()
