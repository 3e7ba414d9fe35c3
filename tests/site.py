"""Builds the documentation as a site, strictly, in an environment of its own: `python -m tests.site`.

It ends with 1 where a page is wrong: a link that leads nowhere, a docstring that is not there. Where the packages
cannot be had it says so and ends with 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PLACE: Final = ROOT / ".venv" / "site"
"""The environment, and in it what is built."""


def main() -> int:
    """Install what builds the site, and build it; what the program ends with."""
    python = str(PLACE / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements-docs.txt"]
    for command in ([sys.executable, "-m", "venv", str(PLACE)], pip):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"The site is not built, for its packages cannot be had: {done.stderr.strip().splitlines()[-1]}")
            return 0
    build = [python, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(PLACE / "html")]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    print(f"{done.stdout}{done.stderr}The site is {'not ' if done.returncode else ''}built: {PLACE / 'html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
