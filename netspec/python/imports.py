"""The imports of a printed module: those of the names that its trees use, in the groups that they stand in."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable

from netspec.python.nodes import walk

Group = list[ast.stmt]


def names(trees: Iterable[ast.AST]) -> set[str]:
    """The names that trees use; what their strings say is none."""
    return {node.id for tree in trees for node in walk(tree) if isinstance(node, ast.Name)}


def imports(used: Collection[str], plugins: Collection[str] = ()) -> list[Group]:
    """The imports of a module that uses these names, and all of these plugins: Python's own, torch's, the plugins'."""
    standard = {
        "math": _whole("math"),
        "OrderedDict": _from("collections", "OrderedDict"),
        "fnmatch": _from("fnmatch", "fnmatch"),
    }
    torch = {"torch": _whole("torch"), "F": _whole("torch.nn.functional", "F")}
    groups = [
        [statement for name, statement in standard.items() if name in used],
        [*(statement for name, statement in torch.items() if name in used), _from("torch", "nn")],
        [_whole(name) for name in sorted(plugins)],
    ]
    return [group for group in groups if group]


def _whole(module: str, known_as: str | None = None) -> ast.stmt:
    """`import torch.nn as nn`."""
    return ast.Import([ast.alias(module, known_as)])


def _from(module: str, name: str) -> ast.stmt:
    """`from math import sqrt`."""
    return ast.ImportFrom(module, [ast.alias(name)], 0)
