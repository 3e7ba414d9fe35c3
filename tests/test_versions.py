"""What needs no torch is the same in every version of Python that is here: `python -m tests.versions` prepares them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LARGE
from tests.language.test_mistakes import SPECS as MISTAKES
from tests.versions import OTHERS, PACKAGES, ROOT, environment

QUOTES = r"""
netspec: 1
input: 8
blocks:
  b k:
    "lin$('a' if k == 'z' else k)": fc 8
    "x$(k + '-')y": relu
  c n: {"h$(n * 2 if n > 1 else 'one')": fc $n}
layers: [b one, b two, c 1, c 3]
"""
"""Names that strings are computed for: since 3.12 an f-string may hold its own quotes, before it may not."""


def specs() -> dict[str, str]:
    """Ready specs but for the large ones, names with quotes, and mistakes of every kind."""
    paths = [path for path in sorted((ROOT / "specs").glob("*.yaml")) if path.stem not in LARGE]
    ready = {path.name: path.read_text("utf-8") for path in paths}
    return {"quotes": QUOTES, **ready, **MISTAKES}


@cache
def told(python: str) -> dict[str, Any]:
    """What the Python at this place makes of the specs."""
    done = subprocess.run(
        [python, "-W", "error", "-m", "tests.versions", "told"],
        input=json.dumps(specs()), capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def python_of(version: str) -> str:
    """A Python of this version that has the packages; the test is skipped where there is none."""
    tried = [
        place
        for place in (environment(version), Path(f"python{version}"))
        if place.is_file() or place.name == str(place)
    ]
    for place in tried:
        code = f"import sys, {', '.join('yaml' if name == 'pyyaml' else name for name in PACKAGES)}"
        try:
            done = subprocess.run([place, "-c", code], capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return str(place)
    pytest.skip(f"no Python {version} with {', '.join(PACKAGES)}: python -m tests.versions")


@pytest.mark.parametrize("version", OTHERS)
def test_another_version_says_and_prints_the_same(version: str) -> None:
    other, own = told(python_of(version)), told(sys.executable)
    assert other.keys() == own.keys()
    for name in own:
        assert other[name] == own[name], name
    assert all("printed" in own[name] for name in specs() if name not in MISTAKES)
