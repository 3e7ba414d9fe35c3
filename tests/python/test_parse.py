"""Where text is parsed as Python: what netspec printed, once more, and the expressions of specs. Nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import netspec

ROOT = Path(netspec.__file__).parent


def calls(file: Path) -> set[str]:
    """What a file calls, by its whole name."""
    tree = ast.parse(file.read_text())
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_two_files_parse() -> None:
    parsing = {"ast.parse", "compile", "eval"}
    found = {str(path.relative_to(ROOT)): calls(path) & parsing for path in ROOT.rglob("*.py")}
    assert {file: names for file, names in found.items() if names} == {
        "language/expressions.py": {"ast.parse"},
        "python/allowlist.py": {"ast.parse"},
        "runtime/export/scan_loops.py": {"compile"},
        "runtime/network/printed.py": {"compile"},
    }
