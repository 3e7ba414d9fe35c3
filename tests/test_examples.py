"""Every example runs in a process of its own, and says what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "tutorial": r"10 parameter tensors, the first \[6, 1, 5, 5\]\noutput \[1, 10\]\n",
    "tabular": r"validation accuracy 0\.[89]\d*\naccuracy on new rows, some of a country never seen 0\.[89]\d*\n",
    "detector": r"accuracy \d\.\d+ boxes off by 0\.[012]\d*\noutputs in use: cls \(3, 3\), box \(3, 4\)\n",
    "distillation": r"the student's accuracy 0\.[5-9]\d*\n",
    "plugin": r"within 1 of the frequency [\d.]+\nlargest difference of the exported file [\d.e-]+\n",
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_an_example_runs(path: Path) -> None:
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(SAYS[path.stem], done.stdout)
