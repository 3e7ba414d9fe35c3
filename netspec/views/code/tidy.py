"""What is done to the classes of a program once they are all there: trees in, trees out."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from netspec.python.names import Namespace
from netspec.python.nodes import same, walk
from netspec.python.reserved import RESERVED
from netspec.views.code.program import Program


def merged(program: Program, stems: Mapping[str, str]) -> Program:
    """A program without the classes that say what another does which would have their name, had it not been taken.

    `stems` are the names without the numbers behind them, which are counted anew; the last class keeps its own. What
    comments say of two classes is kept where they agree.
    """
    classes, comments = program.classes, dict(program.comments)
    found: list[ast.ClassDef] = []
    alike: dict[str, list[ast.ClassDef]] = {}
    called: dict[str, str] = {}
    names = Namespace(RESERVED | {classes[-1].name})
    for each in classes:
        stem = stems[each.name]
        cls = _renamed(each, called, comments)
        assert isinstance(cls, ast.ClassDef)
        twins = (other for other in alike.get(stem, ()) if same(other.bases, cls.bases) and same(other.body, cls.body))
        if twin := next(twins, None):
            called[cls.name] = twin.name
            _agree(twin, cls, comments)
            continue
        name = cls.name if each is classes[-1] else names.fresh(stem)
        called |= {cls.name: name} if name != cls.name else {}
        found.append(ast.ClassDef(name, cls.bases, cls.keywords, cls.body, cls.decorator_list))
        alike.setdefault(stem, []).append(found[-1])
    return Program(tuple(found), comments)


def _agree(twin: ast.ClassDef, other: ast.ClassDef, comments: dict[ast.stmt, str]) -> None:
    """Take away what is said of the statements of one class and not of the other's."""
    for a, b in zip(walk(twin), walk(other), strict=True):
        if isinstance(a, ast.stmt) and isinstance(b, ast.stmt) and comments.get(a) != comments.get(b):
            comments.pop(a, None)


def _renamed(node: ast.AST, called: Mapping[str, str], comments: dict[ast.stmt, str]) -> ast.AST:
    """A tree in which classes are called otherwise; what stays as it is may be a part of the old one."""
    if not called:
        return node
    if isinstance(node, ast.Name):
        return ast.Name(called[node.id], node.ctx) if node.id in called else node
    fields = {name: getattr(node, name, None) for name in node._fields}
    new = {name: _renamed_in(value, called, comments) for name, value in fields.items()}
    if all(new[name] is value for name, value in fields.items()):
        return node
    copy = type(node)(**new)
    if isinstance(copy, ast.stmt) and isinstance(node, ast.stmt) and node in comments:
        comments[copy] = comments[node]
    return copy


def _renamed_in(value: object, called: Mapping[str, str], comments: dict[ast.stmt, str]) -> object:
    """A field of a node with its names renamed; itself where nothing in it is."""
    if isinstance(value, ast.AST):
        return _renamed(value, called, comments)
    if isinstance(value, list):
        new = [_renamed_in(item, called, comments) for item in value]
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value
