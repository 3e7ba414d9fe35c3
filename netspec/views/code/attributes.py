"""Attributes that a glance at others gives: `if self.shift > 0` where `self.shift` is kept anyway."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from netspec.graph.combining import symbols
from netspec.python.expressions import text
from netspec.python.nodes import attribute, walk
from netspec.views.code.containers import SELF
from netspec.views.code.program import Program
from netspec.views.code.tidy import changed

_GLANCE: Final = 24
"""How long an expression may be that is written where it is read."""
_PLAIN: Final = (ast.UnaryOp, ast.Compare, ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.cmpop)


def without_derived(program: Program) -> Program:
    """A program whose classes keep nothing that they read as easily from what else they keep."""
    comments = dict(program.comments)
    classes = tuple(_lean(cls, comments) for cls in program.classes)
    return replace(program, classes=classes, comments=comments)


def _lean(cls: ast.ClassDef, comments: dict[ast.stmt, str]) -> ast.ClassDef:
    """A class that writes such an expression where it reads the attribute."""
    functions = [part for part in cls.body if isinstance(part, ast.FunctionDef)]
    if len(functions) != len(cls.body) or len(functions) != 2:
        return cls
    making, run = functions
    kept = {name: node for name, node in map(_kept, making.body) if name}
    held = {name for name, node in kept.items() if isinstance(node, ast.Name) and node.id == name}
    known = {name: _over(node) for name, node in kept.items() if _is_derived(node, held)}
    read = [node.attr for node in walk(run) if isinstance(node, ast.Attribute) and _is_self(node)]
    asked = {node.attr for node in walk(making) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}
    known = {
        name: node
        for name, node in known.items()
        if name in read
        and name not in asked
        and len(text(node)) <= _GLANCE
        and (read.count(name) == 1 or _is_short(node))
    }
    if not known:
        return cls
    body = [statement for statement in making.body if _kept(statement)[0] not in known]
    made = ast.FunctionDef(making.name, making.args, body, [])
    lean = _written(run, known, comments)
    for old, new in ((making, made), (run, lean)):
        if old in comments:
            comments[new] = comments[old]
    return ast.ClassDef(cls.name, cls.bases, cls.keywords, [made, lean], cls.decorator_list)


def _kept(statement: ast.stmt) -> tuple[str, ast.expr]:
    """The attribute that a statement sets, and what it is; an empty name for any other statement."""
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
            return name, value
    return "", SELF


def _is_derived(node: ast.expr, held: set[str]) -> bool:
    """Whether an expression is plain arithmetic over attributes that are held as they were given."""
    plain = all(isinstance(part, _PLAIN) for part in walk(node))
    asked = symbols(node)
    return plain and not isinstance(node, ast.Name) and bool(asked) and asked <= held


def _is_short(node: ast.expr) -> bool:
    """Whether an expression is read as quickly as a name: `-self.shift`, `self.shift > 0`."""
    return not isinstance(node, ast.BinOp)


def _over(node: ast.expr) -> ast.expr:
    """An expression over the attributes that are called as its names."""

    def read(part: ast.AST) -> ast.AST:
        return attribute(SELF, part.id) if isinstance(part, ast.Name) else changed(part, read)

    found = read(node)
    assert isinstance(found, ast.expr)
    return found


def _is_self(node: ast.Attribute) -> bool:
    """Whether this is an attribute of the module itself."""
    return isinstance(node.value, ast.Name) and node.value.id == "self"


def _written(run: ast.FunctionDef, known: Mapping[str, ast.expr], comments: dict[ast.stmt, str]) -> ast.FunctionDef:
    """A function with these expressions in place of the attributes; choices ask without `not`."""

    def put(part: ast.AST) -> ast.AST:
        if isinstance(part, ast.Attribute) and _is_self(part) and part.attr in known:
            return known[part.attr]
        new = changed(part, put)
        match new:
            case ast.IfExp(test=ast.UnaryOp(op=ast.Not(), operand=test)):
                new = ast.IfExp(test, new.orelse, new.body)
            case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test), orelse=[_, *_]):
                new = ast.If(test, new.orelse, new.body)
        if new is not part and isinstance(part, ast.stmt) and part in comments and isinstance(new, ast.stmt):
            comments[new] = comments[part]
        return new

    found = put(run)
    assert isinstance(found, ast.FunctionDef)
    return found
