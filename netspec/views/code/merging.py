"""Classes that came out equal: of `Out` and `Out2` with the same body one is enough."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

from netspec.python.nodes import same


def merged(classes: Sequence[ast.ClassDef], comments: dict[ast.stmt, str]) -> list[ast.ClassDef]:
    """The classes without those that are equal to one before them but for a number behind the name.

    What only one of both says in comments is not said.
    """
    kept: list[ast.ClassDef] = []
    names: dict[str, str] = {}
    for made in classes:
        own = _renamed(made, names, comments) if names else made
        twin = next((other for other in kept if _stem(other.name) == _stem(own.name) and _alike(other, own)), None)
        if twin is None:
            kept.append(own)
            continue
        names[own.name] = twin.name
        for one, other in zip(_statements(twin), _statements(own), strict=True):
            if comments.get(one) != comments.get(other):
                comments.pop(one, None)
    return kept


def _stem(name: str) -> str:
    return re.sub(r"_?\d+$", "", name)


def _alike(one: ast.ClassDef, other: ast.ClassDef) -> bool:
    return same(one.bases, other.bases) and same(one.body, other.body)


def _statements(node: ast.AST) -> list[ast.stmt]:
    return [inner for inner in ast.walk(node) if isinstance(inner, ast.stmt)]


def _renamed(made: ast.ClassDef, names: Mapping[str, str], comments: dict[ast.stmt, str]) -> ast.ClassDef:
    """A class whose constructor makes those that are kept in place of others."""

    def visit(node: ast.AST) -> ast.AST:
        fields = {}
        for name, child in ast.iter_fields(node):
            if isinstance(child, list):
                fields[name] = [visit(item) if isinstance(item, ast.AST) else item for item in child]
            else:
                fields[name] = visit(child) if isinstance(child, ast.AST) else child
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in names:
                fields["func"] = ast.Name(names[called], ast.Load())
        new = type(node)(**fields)
        if isinstance(node, ast.stmt) and isinstance(new, ast.stmt) and node in comments:
            comments[new] = comments.pop(node)
        return new

    body = [
        visit(item) if isinstance(item, ast.FunctionDef) and item.name == "__init__" else item for item in made.body
    ]
    return ast.ClassDef(made.name, made.bases, made.keywords, body, made.decorator_list)  # type: ignore[arg-type]
