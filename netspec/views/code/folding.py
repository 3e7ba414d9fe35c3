"""Values and attributes written where they are read: `return x + self.mlp(out)`, `if self.shift > 0`.

A value that only the next statement reads is, where it is an operand of arithmetic or arithmetic that a call takes, as
far as the line is read at one glance. Names that the spec gives are left, and nothing runs in another order. So is an
attribute that others give, which are kept anyway.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from netspec.graph.combining import symbols
from netspec.python.expressions import text
from netspec.python.nodes import attribute, walk
from netspec.views.code.containers import SELF
from netspec.views.code.program import Program
from netspec.views.code.tidy import changed

NESTED: Final = 76
"""How long an expression may grow by nesting calls, to be read without effort and leave room for its comment."""
_FLOWING: Final = {"x", "out"}
"""The variables that stand for whatever flows on."""
_ARITHMETIC: Final = (ast.BinOp, ast.UnaryOp, ast.Compare)
_OPEN: Final = (*_ARITHMETIC, ast.Call, ast.keyword, ast.Attribute, ast.List, ast.Tuple, ast.Subscript)
"""What evaluates all its parts, each once and in order."""
_GLANCE: Final = 24
"""How long an expression may be that is written where it is read."""
_PLAIN: Final = (ast.UnaryOp, ast.Compare, ast.BinOp, ast.Name, ast.Constant, ast.operator, ast.unaryop, ast.cmpop)


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
    if isinstance(node, ast.Name) or not all(isinstance(part, _PLAIN) for part in walk(node)):
        return False
    asked = symbols(node)
    return bool(asked) and asked <= held


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
