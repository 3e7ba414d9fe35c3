"""Every example runs, and says what it promises."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "tutorial": r"10 parameter tensors, the first \[6, 1, 5, 5\]\noutput \[1, 10\]\n",
    "tabular": r"validation accuracy 0\.[89]\d*\naccuracy on new rows, some of a country never seen 0\.[89]\d*\n",
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.stem)
def test_an_example_runs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(path), run_name="__main__")
    assert re.search(SAYS[path.stem], capsys.readouterr().out)
