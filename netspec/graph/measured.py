"""Sizes that an argument asks of a value, `$(in.h // 2)`: what the printed network reads where it runs.

The number that the shapes of the spec give is one of many that a convolution may meet. So an argument
keeps, beside it, the tree of its expression, in which every size is a `Reading`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from netspec.dims import Size
from netspec.graph.combining import symbols
from netspec.graph.model import Level, Value
from netspec.graph.symbols import Traced, in_turn, plain, root_symbol
from netspec.language import expressions
from netspec.language.calls import found
from netspec.language.refusals import Refused
from netspec.language.rows import Expr

if TYPE_CHECKING:
    from netspec.graph.scope import Scope

AXES: Final = {"c": 1, "t": 1, "h": -2, "w": -1, "d": -1}
"""The sizes that an expression may ask of a value by a letter."""
_OF_PYTHON: Final = {"min", "max", "round", "abs", "int", "sum"}
"""What an expression may call that Python calls by the same name."""
Measure = ast.expr | tuple["ast.expr | None", ...] | None
"""How an argument is read: a tree, or for a tuple one for each part; None for what is the number that it is."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The size of one axis of a value; the value of a constant in a tree."""

    value: Value
    axis: int

    @property
    def size(self) -> Size | None:
        """What the shapes of the spec say."""
        return plain(self.value.tensor.shape[self.axis]) if self.value.tensor is not None else None


def measures(sources: Mapping[str, Any], values: Mapping[str, Any], scope: Scope) -> dict[str, Measure]:
    """How the arguments are read that ask for sizes, by name; `sources` are they as written, `values` as computed."""
    known: dict[str, Measure] = {}
    for name, source in sources.items():
        measure, value = _measure(source, scope), values.get(name)
        whole = not isinstance(measure, tuple) or (isinstance(value, tuple | list) and len(value) == len(measure))
        if measure is not None and whole:
            known[name] = measure
    return known


def inside(asked: Mapping[str, Measure], inputs: Sequence[Value], level: Level) -> dict[str, Measure]:
    """How a block reads the arguments that ask for sizes of what it is called with; none that ask for others."""
    own = {outer.actual: inner for outer, inner in zip(inputs, level.inputs.values(), strict=True)}
    known = {}
    for name, measure in asked.items():
        parts = measure if isinstance(measure, tuple) else (measure,)
        found = tuple(None if part is None else _within(part, own) for part in parts)
        if [part is None for part in found] == [part is None for part in parts]:
            known[name] = found if isinstance(measure, tuple) else found[0]
    return known


def of_values(measure: Measure, value: Callable[[Value], Value]) -> Measure:
    """How the same argument is read where other values stand in place of these."""

    def visit(node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Constant):
            return _leaf(Reading(value(node.value.value), node.value.axis)) if isinstance(node.value, Reading) else node
        return transformed(node, visit)

    if isinstance(measure, tuple):
        return tuple(None if part is None else visit(part) for part in measure)  # type: ignore[misc]
    return None if measure is None else visit(measure)  # type: ignore[return-value]


def _within(tree: ast.expr, own: Mapping[Value, Value]) -> ast.expr | None:
    """A tree over what a block is called with, instead of what that is outside; None where it asks for more.

    The parameters of the network are the same in both.
    """

    def visit(node: ast.AST) -> ast.AST:
        match node:
            case ast.Constant(value=Reading(value=value, axis=axis)):
                return _leaf(Reading(own[value.actual], axis))
            case ast.Name(id=name) if not name.startswith(root_symbol("")):
                raise KeyError(name)  # an argument of the block around, which this one does not know
        return transformed(node, visit)

    try:
        return visit(tree)  # type: ignore[return-value]
    except KeyError:
        return None


def transformed(node: ast.AST, visit: Callable[[ast.AST], ast.AST]) -> ast.AST:
    """A new node with each of its children visited, but for what it calls; nodes are shared, so none is changed."""
    fields: dict[str, Any] = {}
    for name, child in ast.iter_fields(node):
        if name == "func":
            fields[name] = child
        elif isinstance(child, list):
            fields[name] = [visit(item) if isinstance(item, ast.AST) else item for item in child]
        else:
            fields[name] = visit(child) if isinstance(child, ast.AST) else child
    return type(node)(**fields)


def _measure(source: Any, scope: Scope) -> Measure:
    """How one written argument is read where the network runs; None where it is the number that it is."""
    match source:
        case Expr(negative=negative):
            tree = _tree(source, scope)
            return ast.UnaryOp(ast.USub(), tree) if tree is not None and negative else tree
        case tuple() | list():
            parts: list[ast.expr | None] = []
            for part in source:
                measure = _measure(part, scope)
                inner = list(measure) if isinstance(measure, tuple) else [measure]
                if isinstance(measure, ast.Tuple):  # a list in its place
                    inner = list(measure.elts)
                parts += inner
            return tuple(parts) if any(part is not None for part in parts) else None
    return None


def _tree(expr: Expr, scope: Scope) -> ast.expr | None:
    """The tree of an expression that asks for a size which is a number here; None for any other."""
    names, asks = _asked(expr)
    if not asks and not any(isinstance(_of_param(name, scope), ast.expr) for name in names):
        return None
    try:
        tree: ast.expr = _Measuring(scope).visit(expr.tree)
    except (KeyError, AttributeError, IndexError, TypeError, expressions.ExpressionError, Refused):
        return None  # a part that was not computed, as behind an `or`
    return tree if any(isinstance(of.size, int) for of in readings(tree)) else None


def readings(tree: ast.expr) -> Iterator[Reading]:
    """The sizes that are read in a tree."""
    leaves: Iterator[Any] = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return (leaf for leaf in leaves if isinstance(leaf, Reading))


def _leaf(value: Any) -> ast.Constant:
    """The constant of a tree, which may be a reading too."""
    return ast.Constant(value)


@lru_cache(maxsize=4096)
def _asked(expr: Expr) -> tuple[frozenset[str], bool]:
    """The names in an expression, and whether it asks one of them for something."""
    asks = any(isinstance(node, ast.Attribute) for node in ast.walk(expr.tree))
    return frozenset(expressions.names(expr.tree)), asks


def _of_param(name: str, scope: Scope) -> Any:
    """What stands for a parameter in a tree: how it is read, its name where a block declares it, else its value.

    None where the name is no parameter.
    """
    around: Scope | None = scope
    while around is not None:
        if name in around.params:
            if around.level.kind != "block" or around.params is not around.level.params:
                return _told(found(around.params[name]))
            measure = around.level.measures.get(name)
            return ast.Name(name, ast.Load()) if measure is None else measure
        around = around.parent
    return None


def _told(value: Any) -> ast.expr:
    """A number as the parameter, or the entry of one, that it came from; any other value as it is."""
    node = in_turn(value.node) if isinstance(value, Traced) else None
    known = isinstance(node, ast.Name | ast.Subscript) and all(s[0] == "$" or s.isidentifier() for s in symbols(node))
    return node if node is not None and known else _leaf(plain(value))


class _Measuring:
    """Puts into an expression what its names stand for: sizes as readings, a block's own arguments by name."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def visit(self, node: ast.AST) -> Any:
        match node:
            case ast.Name():
                return self._name(node)
            case ast.Attribute(attr="shape"):
                value = self._value(node.value)
                rank = len(value.tensor.shape) if value.tensor is not None else 0
                return ast.Tuple([_leaf(Reading(value, axis)) for axis in range(rank)], ast.Load())
            case ast.Attribute():
                return _leaf(Reading(self._value(node.value), AXES[node.attr]))
            case ast.Subscript():
                return self._item(node)
            case ast.Call(func=ast.Name(id="len"), args=[argument]) if isinstance(argument, ast.Attribute):
                return ast.Constant(len(self.visit(argument).elts))
            case ast.Call(func=ast.Name(id="floor"), args=[ast.BinOp(op=ast.Div()) as quotient]):
                return ast.BinOp(self.visit(quotient.left), ast.FloorDiv(), self.visit(quotient.right))
            case ast.Call(func=ast.Name(id="ceil"), args=[ast.BinOp(op=ast.Div()) as quotient]):
                top = ast.UnaryOp(ast.USub(), self.visit(quotient.left))
                return ast.UnaryOp(ast.USub(), ast.BinOp(top, ast.FloorDiv(), self.visit(quotient.right)))
            case ast.Call(func=ast.Name(id=name)) if name not in _OF_PYTHON:
                raise KeyError(name)
        return transformed(node, self.visit)

    def _name(self, node: ast.Name) -> ast.expr:
        """A parameter's own tree, or its number. Raises KeyError for a value that is no size."""
        name = "in" if node.id == expressions.IN else node.id
        known = _of_param(name, self.scope)
        if isinstance(known, tuple):
            raise KeyError(name)
        if known is None and isinstance(self.scope.value(name), Value):
            raise KeyError(name)
        return known if known is not None else ast.Constant(expressions.computed(node, self.scope.lookup))

    def _value(self, node: ast.expr) -> Value:
        """The value that a size is asked of: a name, or a part of one as in `rnn.output.t`."""
        match node:
            case ast.Name():
                value = self.scope.lookup("in" if node.id == expressions.IN else node.id)
            case ast.Attribute():
                value = self._value(node.value).parts[node.attr]
            case _:
                raise KeyError
        if not isinstance(value, Value):
            raise KeyError
        return value

    def _item(self, node: ast.Subscript) -> ast.expr:
        """A size out of a shape, or some of them; of anything else the entry as it is written."""
        whole = self.visit(node.value)
        if not isinstance(whole, ast.Tuple):
            entry = _told(expressions.computed(node, self.scope.lookup)) if isinstance(whole, ast.Constant) else None
            if entry is not None and not isinstance(entry, ast.Constant):
                return entry
            return ast.Subscript(whole, self.visit(node.slice), ast.Load())
        if isinstance(node.slice, ast.Slice):
            parts = (self._number(part) for part in (node.slice.lower, node.slice.upper, node.slice.step))
            return ast.Tuple(whole.elts[slice(*parts)], ast.Load())
        size: ast.expr = whole.elts[self._number(node.slice)]
        return size

    def _number(self, node: ast.expr | None) -> Any:
        """The number of an index, which is known."""
        return None if node is None else expressions.computed(node, self.scope.lookup)
