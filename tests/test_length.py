"""No file and no function outgrows its reader: where one would, there is a noun in it that wants a place of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import netspec

ROOT = Path(netspec.__file__).parent
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


def test_files_and_functions_are_short() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in ROOT.rglob("*.py")}
    assert {name: count for name, text in texts.items() if (count := len(text.splitlines())) > LINES} == {}
    found = {f"{name}:{where}": count for name, text in texts.items() for where, count in bodies(ast.parse(text))}
    assert {name: count for name, count in found.items() if count > BODY} == {}


def test_pages_have_one_head() -> None:
    heads = [path.name for path in (ROOT / "views").rglob("*.html") if "<head>" in path.read_text("utf-8")]
    assert heads == ["page.html"]
