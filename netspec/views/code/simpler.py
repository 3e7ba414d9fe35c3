"""Expressions as a person would write them, with the same value."""

from __future__ import annotations

import ast
from typing import Any, Final

from netspec.graph.combining import Node, number, symbols
from netspec.graph.symbols import replaced
from netspec.language import expressions
from netspec.language.calls import nothing
from netspec.python.allowlist import MATH
from netspec.python.nodes import named, valued, walk
from netspec.views.code.proving import Unproved
from netspec.views.code.proving import value as value_of

DIGITS: Final = 9
"""The most digits, zeros before them and the point left out, of a fraction that is written as a number."""

_MIRRORED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
"""How a comparison reads from its other side."""


def tidied(node: Node) -> Node:
    """An expression as a person would write it."""
    result = _Tidy().visit(node)
    assert isinstance(result, ast.expr)
    return result


def asked(node: Node) -> Node:
    """A condition without what is settled: `a` for `a or False`, which as a value would be another where a is 0."""
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return ast.UnaryOp(node.op, asked(node.operand))
        case ast.BoolOp():
            neutral = isinstance(node.op, ast.And)
            values = [asked(value) for value in node.values]
            settled = [value.value if isinstance(value, ast.Constant) else None for value in values]
            if any(known is not neutral and isinstance(known, bool) for known in settled):
                return ast.Constant(not neutral)
            values = [value for value, known in zip(values, settled, strict=True) if known is not neutral]
            return ast.BoolOp(node.op, values) if len(values) > 1 else values[0] if values else ast.Constant(neutral)
    return node


_BUILT: Final = (ast.Call, ast.ListComp, ast.DictComp, ast.Dict, ast.JoinedStr)
"""What is no arithmetic."""


def in_round(node: Node, counter: str, turn: int) -> Node:
    """What an expression over the counter of rounds is in one of them."""
    if isinstance(node, ast.JoinedStr):
        try:
            return ast.Constant(value_of(node, {counter: turn}))
        except Unproved:
            return node
    if not any(isinstance(part, _BUILT) for part in walk(node)):
        return tidied(replaced(node, {counter: ast.Constant(turn)}))

    def inside(part: Any) -> Any:
        if isinstance(part, list):
            return [inside(item) for item in part]
        if isinstance(part, ast.expr):
            return in_round(part, counter, turn)
        if isinstance(part, ast.keyword | ast.comprehension):
            return type(part)(**{name: inside(getattr(part, name)) for name in part._fields})
        return part

    return type(node)(**{name: inside(getattr(node, name, None)) for name in node._fields})


class _Tidy(ast.NodeTransformer):
    """Writes an expression as a person would, with the same value."""

    def visit(self, node: ast.AST) -> Any:
        """What has no names is computed, if it comes to a plain value: `(7 - 1) * d` is `6 * d`.

        A fraction of many digits is left as it was written: `0.1 * 3 / 8`.
        """
        if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Slice) and not symbols(node):
            try:
                value = expressions.computed(node, nothing)
            except expressions.ExpressionError:
                return node
            if not is_long(value):
                return _constant(value) or node
        return super().visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        parts = {
            field: [self.visit(item) for item in value]
            if isinstance(value, list)
            else self.visit(value)
            if isinstance(value, ast.AST)
            else value
            for field, value in ast.iter_fields(node)
        }
        return type(node)(**parts)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """With the function as Python has it, `math.sqrt(d)`, and without what is nothing: 0 for `sum(depths[:0])`."""
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        match node:
            case ast.Call(func=ast.Name(id="sum" | "len"), args=[ast.Subscript(slice=ast.Slice(None, end, None))]):
                if end is not None and _count(self.visit(end)) == 0:
                    return ast.Constant(0)
        function = named(MATH[name]) if name in MATH else node.func
        return ast.Call(function, [self.visit(argument) for argument in node.args], [])

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return _constant(node.value) or node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """With a sign in place of -1, a factor that is a number in front, and no 0 that is added."""
        left: ast.expr = self.visit(node.left)
        right: ast.expr = self.visit(node.right)
        first, last = _count(left), _count(right)
        if isinstance(node.op, ast.Mult) and last is not None and first is None and not isinstance(left, ast.Constant):
            left, right, first, last = right, left, last, first
        if isinstance(node.op, ast.Add) and 0 in (first, last):
            return right if first == 0 else left
        if isinstance(node.op, ast.Mult) and first == 1:
            return right
        if isinstance(node.op, ast.Mult) and first == -1:
            return ast.UnaryOp(ast.USub(), right)
        if isinstance(node.op, ast.FloorDiv | ast.Pow) and last == 1:
            return left
        return ast.BinOp(left, node.op, right)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Without a list around what is taken from it: `widths[1]` for `[widths[1], widths[2]][0]`."""
        of, at = self.visit(node.value), self.visit(node.slice)
        place = _count(at)
        if isinstance(of, ast.List | ast.Tuple) and place is not None and -len(of.elts) <= place < len(of.elts):
            chosen: ast.expr = of.elts[place]
            return chosen
        return ast.Subscript(of, at, node.ctx)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """What is asked about stands first: `c != 5` for `5 != c`, and alone: `n == 1` for `n - 1 == 0`."""
        left, others = self.visit(node.left), [self.visit(other) for other in node.comparators]
        mirrored = _MIRRORED.get(type(node.ops[0])) if len(node.ops) == 1 else None
        if isinstance(left, ast.Constant) and mirrored:
            return ast.Compare(others[0], [mirrored()], [left])
        if mirrored and isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add | ast.Sub):
            more, than = number(left.right), number(others[0])
            if more is not None and than is not None:
                bound = than + more if isinstance(left.op, ast.Sub) else than - more
                return ast.Compare(left.left, node.ops, [valued(bound)])
        return ast.Compare(left, node.ops, others)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Without what is settled beside what is not: `s != 1 or c != c` is `s != 1`, and with `c == c` it is true."""
        values = [self.visit(value) for value in node.values]
        neutral = isinstance(node.op, ast.And)
        if any(isinstance(v, ast.Constant) and v.value is not neutral and isinstance(v.value, bool) for v in values):
            return ast.Constant(not neutral)
        unsettled = [v for v in values if not (isinstance(v, ast.Constant) and v.value is neutral)]
        if len(unsettled) == 1 and isinstance(unsettled[0], ast.Compare | ast.BoolOp):
            return unsettled[0]
        return ast.BoolOp(node.op, unsettled if len(unsettled) > 1 else values)

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Without a choice that is settled."""
        test = self.visit(node.test)
        if isinstance(test, ast.Constant) and isinstance(test.value, bool):
            chosen: ast.expr = self.visit(node.body if test.value else node.orelse)
            return chosen
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))


def is_long(value: Any) -> bool:
    """Whether a value is a fraction that nobody would write out: 0.037500000000000006."""
    return isinstance(value, float) and len(repr(value).partition("e")[0].strip("-0.")) > DIGITS


def _count(node: ast.expr) -> int | None:
    """The whole number that an expression is, a sign in front of it included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and (count := number(node.operand)) is not None:
        return -count
    return number(node)


def _constant(value: Any) -> ast.expr | None:
    """A plain value as an expression."""
    return valued(value) if value is None or isinstance(value, bool | int | float | str) else None
