"""No test is decided by a clock on the wall: the machine may be busy with other things."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.effort import computing

CLOCKS = {"perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns"}
FILES = sorted(Path(__file__).parent.rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_asks_for_the_time(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            assert not (ast.unparse(node.value) == "time" and node.attr in CLOCKS), f"{path}:{node.lineno}"
        elif isinstance(node, ast.ImportFrom):
            assert node.module != "time", f"{path}:{node.lineno}"
        elif isinstance(node, ast.keyword) and node.arg == "timeout":
            assert ast.unparse(node.value) == "HANGING", f"{path}:{node.value.lineno}"
        elif isinstance(node, ast.keyword) and node.arg == "deadline":
            assert ast.unparse(node.value) == "None", f"{path}:{node.value.lineno}"


def test_a_bound_on_work_can_be_passed() -> None:
    with pytest.raises(AssertionError, match="are allowed"), computing(0):
        sum(range(1000))
