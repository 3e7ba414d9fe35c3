"""Values that only the next statement reads, written there: `return x + self.mlp(out)`.

That is done for operands of arithmetic, and for arithmetic that a call takes, as far as the line is read at one glance.
Names that the spec gives are left, and nothing runs in another order.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from netspec.python.expressions import text
from netspec.python.nodes import walk
from netspec.views.code.program import Program
from netspec.views.code.tidy import changed

NESTED: Final = 76
"""How long an expression may grow by nesting calls, to be read without effort and leave room for its comment."""
_FLOWING: Final = {"x", "out"}
"""The variables that stand for whatever flows on."""
_ARITHMETIC: Final = (ast.BinOp, ast.UnaryOp, ast.Compare)
_OPEN: Final = (*_ARITHMETIC, ast.Call, ast.keyword, ast.Attribute, ast.List, ast.Tuple, ast.Subscript)
"""What evaluates all its parts, each once and in order."""


def folded(program: Program) -> Program:
    """A program whose functions hold no value for an operand of the next statement, and what is still said of it."""
    comments = dict(program.comments)

    def function(node: ast.FunctionDef) -> ast.FunctionDef:
        body = _folded(node.body, (), comments)
        new = ast.FunctionDef(node.name, node.args, body, node.decorator_list)
        if node in comments:
            comments[new] = comments[node]
        return new

    classes = []
    for cls in program.classes:
        runs = [function(part) if isinstance(part, ast.FunctionDef) else part for part in cls.body]
        classes.append(ast.ClassDef(cls.name, cls.bases, cls.keywords, runs, cls.decorator_list))
    return replace(
        program, classes=tuple(classes), functions=tuple(map(function, program.functions)), comments=comments
    )


def _folded(body: Sequence[ast.stmt], after: Sequence[ast.stmt], comments: dict[ast.stmt, str]) -> list[ast.stmt]:
    """Statements, behind which `after` can run, with values in the place where they are read."""
    found: list[ast.stmt] = []
    for at, statement in enumerate(body):
        behind = [*body[at + 1 :], *after]
        new: ast.stmt = statement
        match statement:
            case ast.If():
                other = _folded(statement.orelse, behind, comments)
                new = ast.If(statement.test, _folded(statement.body, behind, comments), other)
            case ast.For():
                inner = _folded(statement.body, [*statement.body, *behind], comments)
                new = ast.For(statement.target, statement.iter, inner, [])
        while found and (more := _joined(found[-1], new, behind)) is not None:
            found.pop()
            if (said := comments.get(new)) is not None:
                comments[more] = said
            new = more
        found.append(new)
    return found


def _joined(first: ast.stmt, then: ast.stmt, behind: Sequence[ast.stmt]) -> ast.stmt | None:
    """Two statements as one, where the second alone reads what the first assigns; None where they stay two."""
    match first, then:
        case ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Assign() | ast.Return():
            pass
        case _:
            return None
    if then.value is None or not (name in _FLOWING or _is_of_module(value, name)):
        return None
    read = [node for node in walk(then) if isinstance(node, ast.Name) and node.id == name and _is_read(node, then)]
    if len(read) != 1 or (not _assigns(then, name) and _reads(behind, name)):
        return None
    way = _way(then.value, name)
    if not way or not _takes(way, value):
        return None
    whole = _with(then.value, name, value)
    if len(text(whole)) > NESTED:
        return None
    return ast.Return(whole) if isinstance(then, ast.Return) else ast.Assign(then.targets, whole)


def _is_of_module(value: ast.expr, name: str) -> bool:
    """Whether a variable is called as the module that its value comes from, so that the name says nothing more."""
    called = [node.func for node in walk(value) if isinstance(node, ast.Call) and _is_module(node)]
    return any(isinstance(func, ast.Attribute) and func.attr == name for func in called)


def _is_read(node: ast.Name, statement: ast.Assign | ast.Return) -> bool:
    """Whether a name in a statement is not what that assigns."""
    return isinstance(node.ctx, ast.Load) and not (isinstance(statement, ast.Assign) and node in statement.targets)


def _assigns(statement: ast.stmt, name: str) -> bool:
    """Whether a statement gives a variable another value."""
    targets = walk(statement.targets[0]) if isinstance(statement, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _reads(statements: Sequence[ast.stmt], name: str) -> bool:
    """Whether one of these statements may read what a variable holds before them."""
    for statement in statements:
        if any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in walk(statement)):
            return True
        if _assigns(statement, name):
            return False
    return False


def _way(node: ast.AST, name: str) -> list[ast.AST]:
    """The nodes from an expression down to the only place of a name; empty where a call runs before it is read."""
    if isinstance(node, ast.Name):
        return [node] if node.id == name else []
    if not isinstance(node, _OPEN):
        return []
    for part in _parts(node):
        if any(isinstance(inner, ast.Name) and inner.id == name for inner in walk(part)):
            way = _way(part, name)
            return [node, *way] if way else []
        if any(isinstance(inner, ast.Call) for inner in walk(part)):
            return []
    return []


def _parts(node: ast.AST) -> list[ast.AST]:
    """The parts of a node in the order in which they are evaluated."""
    found: list[ast.AST] = []
    for field in node._fields:
        part = getattr(node, field, None)
        found += [each for each in (part if isinstance(part, list) else [part]) if isinstance(each, ast.AST)]
    return found


def _takes(way: Sequence[ast.AST], value: ast.expr) -> bool:
    """Whether a value is read more easily where it is used: an operand of arithmetic, or arithmetic in a call.

    No call of a module stands in that of another.
    """
    if any(isinstance(node, ast.IfExp | ast.ListComp | ast.Tuple) for node in walk(value)) or len(way) < 2:
        return False
    if any(map(_is_module, way[:-1])) and any(map(_is_module, walk(value))):
        return False
    if isinstance(way[-2], _ARITHMETIC):
        return True
    return isinstance(value, _ARITHMETIC) and isinstance(way[-2], ast.Call | ast.List)


def _is_module(node: ast.AST) -> bool:
    """Whether a node is the call of a module, or of a function that stands in for one."""
    match node:
        case ast.Call(func=ast.Name() | ast.Subscript() | ast.Attribute(value=ast.Name(id="self"))):
            return True
    return False


def _with(node: ast.expr, name: str, value: ast.expr) -> ast.expr:
    """An expression with a value in the place of a name."""

    def put(part: ast.AST) -> ast.AST:
        if isinstance(part, ast.Name):
            return value if part.id == name else part
        return changed(part, put)

    found = put(node)
    assert isinstance(found, ast.expr)
    return found
