"""No file and no function outgrows its reader: where one would, there is a noun in it that wants a place of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import netspec

ROOT = Path(netspec.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LINES = 500
"""Of a file, at most."""
BODY = 50
"""Lines of a function at most, its arguments and its docstring apart."""


def bodies(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each function by its name and line, with the lines of its body."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            if body:
                yield f"{node.name}:{node.lineno}", (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LINES
    assert {name: count for name, count in bodies(ast.parse(text)) if count > BODY} == {}


def test_pages_have_one_head() -> None:
    heads = [path.name for path in (ROOT / "views").rglob("*.html") if "<head>" in path.read_text("utf-8")]
    assert heads == ["page.html"]
