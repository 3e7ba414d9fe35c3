"""What is done to the classes of a program once they are all there: trees in, trees out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from netspec.graph.combining import key
from netspec.python.names import Namespace
from netspec.python.nodes import same, walk
from netspec.python.reserved import RESERVED
from netspec.views.code.program import Program

Tree = TypeVar("Tree", bound=ast.AST)


def merged(program: Program, stems: Mapping[str, str], places: Mapping[str, str]) -> Program:
    """A program without the classes that say what another does which would have their name, had it not been taken.

    `stems` are the names without the numbers behind them, which are counted anew; the last class keeps its own. Where
    several would have one, each is called as in `places`, which say where in the network it stands, if it is there.
    What comments say of two classes is kept where they agree.
    """
    classes, comments = program.classes, dict(program.comments)
    found: list[ast.ClassDef] = []
    alike: dict[str, list[ast.ClassDef]] = {}
    called: dict[str, str] = {}
    shared: set[str] = set()
    for each in classes:
        stem = stems[each.name]
        cls = _renamed(each, called, comments)
        twins = (other for other in alike.get(stem, ()) if same(other.bases, cls.bases) and same(other.body, cls.body))
        if twin := next(twins, None):
            called[cls.name] = twin.name
            shared.add(twin.name)
            _agree(twin, cls, comments)
            continue
        found.append(cls)
        alike.setdefault(stem, []).append(cls)
    names = Namespace(RESERVED | {classes[-1].name})
    called = {classes[-1].name: classes[-1].name}
    for at, each in enumerate(found):
        cls, stem = _renamed(each, called, comments), stems[each.name]
        if each.name not in called:
            alone = len(alike[stem]) > 1 and each.name not in shared
            called[each.name] = names.fresh(places.get(each.name, stem) if alone else stem)
        found[at] = ast.ClassDef(called[each.name], cls.bases, cls.keywords, cls.body, cls.decorator_list)
    return replace(program, classes=tuple(found), comments=comments)


def decided(program: Program) -> Program:
    """A program in whose constructors nothing asks again what an `if` around it has asked: its arguments stay the same.

    `c` for `c if t != 1 else 1` where that stands below `if t != 1:`.
    """
    classes = tuple(ast.ClassDef(c.name, c.bases, [], [_decided(part) for part in c.body], []) for c in program.classes)
    return replace(program, classes=classes)


def _decided(part: ast.stmt) -> ast.stmt:
    """A constructor that asks nothing twice; any other function as it is."""
    if not isinstance(part, ast.FunctionDef) or part.name != "__init__":
        return part
    if ast.If not in map(type, part.body):
        return part
    return ast.FunctionDef(part.name, part.args, [_asked(statement, {}) for statement in part.body], [])


def _asked(statement: ast.stmt, known: Mapping[Hashable, bool]) -> ast.stmt:
    """A statement where it is known whether these conditions hold."""
    if not isinstance(statement, ast.If):
        return _chosen(statement, known) if known else statement
    there = {**known, **dict(_told(statement.test, True))}
    body = [_asked(inner, there) for inner in statement.body]
    other = {**known, **dict(_told(statement.test, False))}
    return ast.If(statement.test, body, [_asked(inner, other) for inner in statement.orelse])


def _told(test: ast.expr, holds: bool) -> Iterator[tuple[Hashable, bool]]:
    """The conditions that are decided by one that holds, or does not."""
    yield key(test), holds
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) is holds:
        for part in test.values:
            yield from _told(part, holds)
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and (other := _CONTRARY.get(type(test.ops[0]))):
        yield key(ast.Compare(test.left, [other()], test.comparators)), not holds


def _chosen(node: Tree, known: Mapping[Hashable, bool]) -> Tree:
    """A tree without the choices that are known; what stays as it is may be a part of the old one."""
    if isinstance(node, ast.IfExp) and (holds := known.get(key(node.test))) is not None:
        return _chosen(node.body if holds else node.orelse, known)  # type: ignore[return-value]
    return changed(node, lambda part: _chosen(part, known))


_CONTRARY: Final[Mapping[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
}


def _agree(twin: ast.ClassDef, other: ast.ClassDef, comments: dict[ast.stmt, str]) -> None:
    """Take away what is said of the statements of one class and not of the other's."""
    for a, b in zip(walk(twin), walk(other), strict=True):
        if isinstance(a, ast.stmt) and isinstance(b, ast.stmt) and comments.get(a) != comments.get(b):
            comments.pop(a, None)


def _renamed(node: Tree, called: Mapping[str, str], comments: dict[ast.stmt, str]) -> Tree:
    """A tree in which classes are called otherwise; what stays as it is may be a part of the old one."""
    if all(name == new for name, new in called.items()):
        return node
    if isinstance(node, ast.Name):
        return ast.Name(called[node.id], node.ctx) if node.id in called else node  # type: ignore[return-value]
    copy = changed(node, lambda part: _renamed(part, called, comments))
    if copy is not node and isinstance(copy, ast.stmt) and isinstance(node, ast.stmt) and node in comments:
        comments[copy] = comments[node]
    return copy


def changed(node: Tree, change: Callable[[ast.AST], ast.AST]) -> Tree:
    """A node with its parts changed; itself where none of them is."""

    def inside(value: object) -> object:
        if isinstance(value, ast.AST):
            return change(value)
        if isinstance(value, list):
            new = [inside(item) for item in value]
            return value if all(a is b for a, b in zip(new, value, strict=True)) else new
        return value

    fields = {name: getattr(node, name, None) for name in node._fields}
    new = {name: inside(value) for name, value in fields.items()}
    return node if all(new[name] is value for name, value in fields.items()) else type(node)(**new)
