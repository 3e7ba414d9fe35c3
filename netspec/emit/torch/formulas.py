"""A formula over the places of a tensor as torch computes it for all of them at once."""

from __future__ import annotations

import ast
from typing import Any, Final

from netspec.language import expressions
from netspec.language.calls import nothing
from netspec.language.formulas import LETTERS
from netspec.python.nodes import Code, call, infix, keyword, method, spread, valued

WRITTEN: Final = (
    *(f"torch.{name}" for name in ("arange", "log", "exp", "sqrt", "sin", "cos", "abs", "floor", "ceil", "round")),
    *(f"torch.{name}" for name in ("minimum", "maximum", "where", "logical_and", "logical_or", "logical_not", "full")),
    *(".view", ".expand", ".clone", ".clamp"),
)
"""What of torch formulas are written with."""


def tabled(formula: str | ast.expr, size: Any) -> ast.expr:
    """The tensor of this size that a formula gives, whose letters stand for the places on its axes.

    In a tree, constants may be code that gives numbers.
    """
    tree = expressions.parse(formula) if isinstance(formula, str) else formula
    used = expressions.names(tree)
    if isinstance(tree, ast.Constant):
        return call("torch.full", valued(size), _float(tree.value))
    if not used:
        return call("torch.full", valued(size), valued(float(expressions.computed(tree, nothing))))
    table = _Table(size).of(tree)
    unused = [count for letter, count in zip(LETTERS, size, strict=False) if letter not in used]
    if any(not isinstance(count, int) or count != 1 for count in unused):
        return method(method(table, "expand", *spread(size)), "clone")
    return table if LETTERS[0] in used else method(table, "view", *spread(size))


class _Table:
    """Writes the parts of a formula."""

    def __init__(self, size: Any) -> None:
        self.size = size

    def of(self, node: ast.expr) -> ast.expr:
        """A part, over all places."""
        match node:
            case ast.Name(id=letter):
                return self._places(LETTERS.index(letter))
            case ast.BinOp(left=left, op=op, right=right):
                return infix(op, self.of(left), self.of(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return call("torch.logical_not", self.of(operand))
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, self.of(operand))
            case ast.BoolOp(op=op, values=values):
                name = "torch.logical_and" if isinstance(op, ast.And) else "torch.logical_or"
                first, *others = map(self.of, values)
                for other in others:
                    first = call(name, first, other)
                return first
            case ast.Compare(left=left, ops=[op, *ops], comparators=[right, *rest]):
                found: ast.expr = ast.Compare(self.of(left), [op], [self.of(right)])
                more = ast.Compare(right, ops, rest) if ops else None
                return call("torch.logical_and", found, self.of(more)) if more is not None else found
            case ast.IfExp(test=test, body=body, orelse=other):
                return call("torch.where", self.of(test), self._float(body), self._float(other))
            case ast.Call(func=ast.Name(id="min" | "max" as name), args=args):
                return self._bounded(name, args)
            case ast.Call(func=ast.Name(id=name), args=args):
                return call(f"torch.{name}", *map(self.of, args))
            case ast.Constant(value=value):
                return valued(value)
        return node

    def _places(self, axis: int) -> ast.expr:
        """The places on an axis, as floats of torch's default dtype, along that axis of the table."""
        count = self.size[axis]
        end = valued(float(count)) if isinstance(count, int) else call("float", valued(count))
        after = len(self.size) - 1 - axis
        places = call("torch.arange", end)
        return method(places, "view", valued(-1), *[valued(1)] * after) if after else places

    def _bounded(self, name: str, parts: list[ast.expr]) -> ast.expr:
        """The least or the greatest of parts, some of which are numbers."""
        tables = [self.of(part) for part in parts if not isinstance(part, ast.Constant)]
        found = tables[0]
        for other in tables[1:]:
            found = call(f"torch.{name}imum", found, other)
        for part in parts:
            if isinstance(part, ast.Constant):
                found = method(found, "clamp", keyword("max" if name == "min" else "min", valued(part.value)))
        return found

    def _float(self, node: ast.expr) -> ast.expr:
        """A part, a number among them as a float."""
        return _float(node.value) if isinstance(node, ast.Constant) else self.of(node)


def _float(number: Any) -> ast.expr:
    """A number, or code that gives one, as a float."""
    return call("float", number.node) if isinstance(number, Code) else valued(float(number))
