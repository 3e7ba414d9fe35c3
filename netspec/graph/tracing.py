"""The graph with the origin of its numbers: each knows the expression over the symbols of its block that gave it.

The walk is the same, and so is the graph. Only what prints the network as classes asks for it; see `symbols`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netspec.dims import Dim, Size
from netspec.errors import At, Path
from netspec.graph import symbols
from netspec.graph.blocks import Block, complete
from netspec.graph.declared import Declared
from netspec.graph.model import Guard, Level, Repeat, Step, Value
from netspec.graph.scope import Scope
from netspec.graph.steps import make
from netspec.graph.symbols import LOST, Node, Traced, node_of, plain, symbolic, traced
from netspec.graph.walk import Given, Walk
from netspec.graph.written import Written
from netspec.language import expressions, rows
from netspec.language.calls import Arguments, construct, expression, long_value, nothing
from netspec.language.refusals import Refused
from netspec.language.rows import Expr
from netspec.layers.base import Op
from netspec.sections.params import Params
from netspec.tensors import Tensor


class Known(dict[str, Any]):
    """Parameters by name, with the expression of each."""

    def __init__(self, values: Mapping[str, Any], nodes: Mapping[str, Node]) -> None:
        super().__init__({name: symbolic(value, nodes[name]) for name, value in values.items()})
        self.nodes = nodes


class TracedDeclared(Declared):
    """The declarations of a document, whose parameters are symbols."""

    def read_params(self) -> Params:
        params = super().read_params()
        nodes: dict[str, Node] = {}
        for name, written in self.document.params.items():
            computed = "$" in str(written)
            nodes[name] = _computed(written, nodes) if computed else symbols.name(symbols.root_symbol(name))
        params.values = Known(params.values, nodes)
        return params


def _computed(written: Any, nodes: Mapping[str, Node]) -> Node:
    """The expression of a parameter that is computed from those above it."""
    text = expression(written)
    return _Origin(nodes, nothing).of(text) if text else LOST


class TracedWalk(Walk):
    """A walk that notes where numbers come from."""

    def make(self, word: str, written: Written, inputs: tuple[Value, ...], scope: Scope) -> tuple[Op, Arguments]:
        op, given = make(word, written, inputs, scope.lookup, self.declared.defaults, _construct)
        found = {name: _again(getattr(op, name), value) for name, value in given.values.items()}
        for name, text in given.written.items():
            if isinstance(found[name], int):
                found[name] = symbolic(plain(found[name]), origin(text, scope))
        return op.replace(**found), given

    def _operation(self, word: str, written: Written, scope: Scope, name: str, row: object) -> Step:
        step = super()._operation(word, written, scope, name, row)
        step.origins = {field: origin(text, scope) for field, text in step.written.items()}
        if isinstance(written.op, Expr):
            step.origins[""] = origin(written.op.text, scope)
        return step

    def _block(
        self,
        block: Block,
        given: Given,
        inputs: tuple[Value, ...],
        at: At,
        scope: Scope,
        name: str,
        row: object,
    ) -> Step:
        values, written, asked = given
        if isinstance(values, Known):  # a further run
            return super()._block(block, given, inputs, at, scope, name, row)
        nodes = {name: origin(text, scope) for name, text in written.items()}
        nodes = {name: nodes.get(name) or node_of(value) for name, value in values.items()}
        held = Known({}, nodes)
        held.update(values)
        step = super()._block(block, (held, written, asked), inputs, at, scope, name, row)
        assert step.body is not None
        for outer in step.body.exports:
            outer.tensor = outward(outer.tensor, step.body)
        return step

    def _open(self, block: Block, given: dict[str, Any], inputs: tuple[Value, ...], at: At, level: Level) -> Scope:
        outside = given.nodes if isinstance(given, Known) else {}
        for place, (formal, actual) in enumerate(zip(block.inputs, inputs, strict=True)):
            tensor, found = _inward(actual.tensor, place)
            level.inputs[formal] = Value(formal, tensor, level)
            level.bound |= found
        inner = self._around(level)
        nodes: dict[str, Node] = {name: symbols.name(name) for name in block.params}
        own = {name: symbolic(plain(value), nodes[name]) for name, value in given.items()}
        values = complete(block, own, inner.lookup, at)
        for name, default in block.params.items():
            if name in given:
                level.bound[name] = outside[name]
            elif isinstance(default, Expr):
                nodes[name] = _Origin({n: nodes[n] for n in values}, inner.lookup).of(default.text)
                level.bound[name] = symbols.replaced(nodes[name], level.bound)
            else:
                level.bound[name] = ast.Constant(values[name]) if _is_plain(values[name]) else LOST
        inner.params = level.params = Known({n: plain(v) for n, v in values.items()}, nodes)
        return inner

    def _repeat(self, group: dict[str, Any], body: Any, path: Path, inner: Path, scope: Scope) -> list[Value]:
        begin = len(scope.level.steps)
        ends = super()._repeat(group, body, path, inner, scope)
        _note_repeat(scope, begin, long_value(group["repeat"], scope.lookup, At(path)))
        return ends

    def _rounds(self, call: Written, scope: Scope, row: object) -> None:
        begin = len(scope.level.steps)
        super()._rounds(call, scope, row)
        if call.repeats:
            _note_repeat(scope, begin, call.times(scope))

    def judged(self, judged: tuple[bool | str, Guard | None], scope: Scope) -> tuple[bool | str, Guard | None]:
        holds, guard = judged
        if guard is not None and guard.text not in ("training", "not training"):
            guard = Guard(guard.at, guard.text, origin(guard.text, scope))
        return holds, guard

    def spelt(self, step: Step, template: str, scope: Scope) -> None:
        super().spelt(step, template, scope)
        parts = rows.template(template)
        step.spelling = tuple(origin(part.text, scope) if isinstance(part, Expr) else part for part in parts)


def _note_repeat(scope: Scope, begin: int, count: Any) -> None:
    """Note the steps that a repeat has made, if its count is an expression."""
    if isinstance(count, Traced):
        steps = tuple(scope.level.steps[begin:])
        scope.level.repeats.append(Repeat(count.node, int(count), steps))


def over_params(text: str, params: Known) -> Node:
    """An expression over the parameters of the network; LOST where it asks for more."""
    return _Origin(params.nodes, nothing).of(text)


def _construct(cls: type[Op], given: Arguments, at: At) -> Op:
    """An operation that is checked with plain numbers."""
    return construct(cls, replace(given, values={name: plain(value) for name, value in given.values.items()}), at)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, int | float | str)


def _again(checked: Any, given: Any) -> Any:
    """An argument as it was checked, with what it knew of its origin before."""
    if isinstance(checked, tuple | list) and isinstance(given, tuple | list) and len(checked) == len(given):
        return type(checked)(_again(a, b) for a, b in zip(checked, given, strict=True))
    if isinstance(given, int) and isinstance(checked, int) and not isinstance(checked, bool) and checked == given:
        return given
    if isinstance(checked, tuple) and isinstance(given, int) and all(item == given for item in checked):
        return tuple(_again(item, given) for item in checked)
    return checked


def _inward(tensor: Tensor | None, place: int) -> tuple[Tensor | None, dict[str, Node]]:
    """A tensor as a block's body sees it, each known size a symbol, and what these are outside."""
    if tensor is None:
        return None, {}
    shape: list[Size] = []
    bound: dict[str, Node] = {}
    for axis, size in enumerate(tensor.shape):
        if isinstance(size, Dim):
            shape.append(size)
        else:
            symbol = symbols.size_symbol(place, axis)
            bound[symbol] = node_of(size)
            shape.append(traced(size, symbols.name(symbol)))
    return Tensor(tuple(shape), tensor.dtype), bound


def outward(tensor: Tensor | None, level: Level) -> Tensor | None:
    """A tensor that comes out of a block, its sizes over the symbols around it."""
    if tensor is None:
        return None
    sizes = (s if isinstance(s, Dim) else traced(s, symbols.replaced(node_of(s), level.bound)) for s in tensor.shape)
    return Tensor(tuple(sizes), tensor.dtype)


def origin(text: str, scope: Scope) -> Node:
    """An expression of the spec over the symbols of the block that it stands in; LOST where it asks for more."""
    return _Origin(_Names(scope), scope.lookup).of(text)


class _Names(Mapping[str, Node]):
    """The expression of each parameter and counter in sight."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __getitem__(self, name: str) -> Node:
        scope: Scope | None = self.scope
        while scope is not None:
            if name in scope.params:
                known = scope.params
                return known.nodes[name] if isinstance(known, Known) else node_of(known[name])
            scope = scope.parent
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Origin(ast.NodeTransformer):
    """Puts what names stand for into an expression."""

    def __init__(self, names: Mapping[str, Node], lookup: Any) -> None:
        self.names = names
        self.lookup = lookup

    def of(self, text: str) -> Node:
        try:
            tree = expressions.parse(text)
            node = self.visit(tree)
        except (expressions.ExpressionError, Refused, LookupError):
            return LOST
        assert isinstance(node, ast.expr)
        return LOST if "?" in symbols.symbols(node) else node

    def visit_Name(self, node: ast.Name) -> Node:
        if node.id in _WORDS:
            return ast.Constant(_WORDS[node.id])
        return self.names[node.id]

    def visit_Call(self, node: ast.Call) -> Node:
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

    def visit_BinOp(self, node: ast.BinOp) -> Node:
        """As it is written; of a division it is noted whether it leaves nothing over."""
        made = ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))
        if isinstance(node.op, ast.FloorDiv) and self._leaves_nothing(node.left, node.right):
            made.exact = True  # type: ignore[attr-defined]
        return made

    def _leaves_nothing(self, whole: ast.expr, part: ast.expr) -> bool:
        try:
            a, b = (expressions.computed(side, self.lookup) for side in (whole, part))
        except (expressions.ExpressionError, Refused, LookupError):
            return False
        return isinstance(a, int) and isinstance(b, int) and bool(b) and a % b == 0

    def visit_Attribute(self, node: ast.Attribute) -> Node:
        """A size of a value: what the value's shape says of it."""
        return node_of(expressions.computed(node, self.lookup))

    def visit_Subscript(self, node: ast.Subscript) -> Node:
        if any(isinstance(part, ast.Attribute) for part in ast.walk(node)):
            return node_of(expressions.computed(node, self.lookup))
        value = self.visit(node.value)
        index = node.slice
        if isinstance(value, ast.List | ast.Tuple) and (place := symbols.number(index)) is not None:
            return value.elts[place]
        return ast.Subscript(value, self.visit(index), node.ctx)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return type(node)(**{field: self._part(value) for field, value in ast.iter_fields(node)})

    def _part(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._part(item) for item in value]
        return self.visit(value) if isinstance(value, ast.AST) else value


_WORDS = {"true": True, "false": False, "null": None}
