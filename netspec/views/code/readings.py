"""Arguments that ask for sizes of values, as code that reads them where forward runs: `x.shape[-2:]`."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from netspec.dims import Dim
from netspec.graph.measured import Reading, transformed
from netspec.graph.model import Value
from netspec.graph.symbols import plain
from netspec.python.nodes import Code, item, valued
from netspec.views.code.proving import Unproved, equal, value


class Unreadable(Exception):
    """What forward cannot read."""


def read(
    tree: ast.expr, shape: Callable[[Value], ast.expr], param: Callable[[ast.expr], Any]
) -> Code | tuple[Code, ...]:
    """The code of an argument; `shape` and `param` say how a shape and an argument of the constructor are read.

    Raises Unreadable.
    """

    def visit(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=Reading(value=of, axis=axis)):
                return item(shape(of), valued(axis))
            case ast.Constant(value=Dim()):
                raise Unreadable
            case ast.Constant(value=known):
                return valued(known)
            case ast.Name() | ast.Subscript(value=ast.Name()):
                return valued(param(node))
        return _computed(transformed(node, visit))

    if not isinstance(tree, ast.Tuple):
        return Code(visit(tree))
    tail = _tail(tree, shape)
    return tuple(Code(visit(part)) for part in tree.elts) if tail is None else Code(tail)


def means(tree: ast.expr, param: Callable[[ast.expr], Any], meant: Any) -> bool:
    """Whether an argument comes to what is meant, for the sizes that the shapes of the spec give."""

    def visit(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=Reading() as reading):
                return ast.Constant(reading.size)
            case ast.Name() | ast.Subscript(value=ast.Name()):
                return valued(plain(param(node)))
        return transformed(node, visit)

    try:
        found = value(visit(tree), {})
    except Unproved:
        return False
    return equal(found, plain(tuple(meant) if isinstance(meant, list) else meant))


def _tail(tree: ast.Tuple, shape: Callable[[Value], ast.expr]) -> ast.expr | None:
    """The last sizes of one value, `x.shape[-2:]`; None for any others."""
    parts: list[Any] = [node.value for node in tree.elts if isinstance(node, ast.Constant)]
    readings = [part for part in parts if isinstance(part, Reading)]
    if len(readings) < len(tree.elts) or len({reading.value for reading in readings}) != 1:
        return None
    of: Value = readings[0].value
    rank, count = len(of.tensor.shape) if of.tensor is not None else 0, len(readings)
    if [reading.axis % rank for reading in readings] != list(range(rank - count, rank)):
        return None
    return shape(of) if count == rank else item(shape(of), ast.Slice(valued(-count)))


def _computed(node: ast.AST) -> ast.AST:
    """The node, or what it comes to where nothing in it is read."""
    if any(isinstance(inner, ast.Name | ast.Attribute) for inner in ast.walk(node)) or not isinstance(node, ast.expr):
        test = node.test if isinstance(node, ast.IfExp) else None
        if isinstance(node, ast.IfExp) and isinstance(test, ast.Constant):
            return node.body if test.value else node.orelse
        return node
    try:
        return valued(value(node, {}))
    except Unproved:
        return node
