"""What the source says of itself in words: each module and function what it does, values what they hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import netspec

ROOT = Path(netspec.__file__).parent
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in sorted(ROOT.rglob("*.py"))}
LEAST = 0.138
"""Of all lines, those of docstrings and of the sentences that records and sections are described by."""
SENTENCES = ("rule", "sentence")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def docstrings(node: ast.AST) -> Iterator[ast.Constant]:
    """The docstrings in a node: its own, and those behind its fields."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant) and isinstance(inner.value.value, str):
            yield inner.value


def sentences(cls: ast.ClassDef) -> Iterator[ast.expr]:
    """What describes a class or its fields in words beside docstrings: `rule = "..."`, `lr = Float("...", ...)`."""
    for inner in cls.body:
        if isinstance(inner, ast.Assign):
            value = inner.value
            if isinstance(inner.targets[0], ast.Name) and inner.targets[0].id in SENTENCES:
                yield value
            while isinstance(value, ast.Call) and value.args and isinstance(value.args[0], ast.Call):
                value = value.args[0]
            if isinstance(value, ast.Call) and value.args and is_sentence(value.args[0]):
                yield value.args[0]


def is_sentence(node: ast.expr) -> bool:
    """Whether an argument is text of several words."""
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    )


def lines(node: ast.expr) -> int:
    """How many lines an expression stands in."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_about_a_seventh_of_all_lines_are_words_about_it() -> None:
    total = sum(len((ROOT / file).read_text().splitlines()) for file in TREES)
    said = sum(lines(text) for tree in TREES.values() for node in ast.walk(tree) for text in docstrings(node))
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    said += sum(lines(text) for cls in classes for text in sentences(cls))
    assert said / total >= LEAST, f"{said} of {total} lines"


@pytest.mark.parametrize("file", TREES)
def test_modules_and_functions_say_what_they_do(file: str) -> None:
    """Those at the top of a file; a class says it for its methods, or the one that it takes them from."""
    tree = TREES[file]
    assert ast.get_docstring(tree), file
    silent = [
        node.name
        for node in tree.body
        if isinstance(node, Function | ast.ClassDef) and not ast.get_docstring(node) and not is_apart(node)
    ]
    assert not silent, f"{file}: {', '.join(silent)}"


def is_apart(node: Function | ast.ClassDef) -> bool:
    """Whether another says it: the one behind overloads, an assigned docstring, Python's own name."""
    if isinstance(node, ast.ClassDef):
        return any(isinstance(inner, ast.Assign) and ast.unparse(inner.targets[0]) == "__doc__" for inner in node.body)
    overload = any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
    return overload or (node.name.startswith("__") and node.name.endswith("__"))
