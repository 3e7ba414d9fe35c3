"""Numbers that know where they come from: whole numbers with the expression, over symbols, that gave them.

A number of the graph is followed through the arithmetic of shape rules by being one of these. Its expression is a
node of Python's `ast` over the symbols of the block that it stands in:

- a parameter of the block, by its name: `c`;
- a size of one of the block's inputs, by the input's place and its axis: `0.1` for the first one's channels;
- a parameter of the whole network, by its name behind a dollar: `$width`;
- the counter of a repeat, by the number of that and the round: `#3:0` in the first round of the third.

Only the first of them is a name that Python has, so none is taken for another.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, SupportsInt

from netspec.graph.combining import LOST, Node, again, combined, number, parts_of, symbols
from netspec.language.expressions import COMPARE

MAX_WEIGHT: Final = 40
"""How many nodes an expression may have; what is longer nobody would read."""


class Traced(int):
    """A whole number with the expression that it came from."""

    node: Node
    weight: int
    """How many nodes that has."""

    def __add__(self, other: int) -> int:
        return _computed(int.__add__, ast.Add(), self, other)

    def __radd__(self, other: int) -> int:
        return _computed(int.__add__, ast.Add(), other, self)

    def __sub__(self, other: int) -> int:
        return _computed(int.__sub__, ast.Sub(), self, other)

    def __rsub__(self, other: int) -> int:
        return _computed(int.__sub__, ast.Sub(), other, self)

    def __mul__(self, other: int) -> int:
        return _computed(int.__mul__, ast.Mult(), self, other)

    def __rmul__(self, other: int) -> int:
        return _computed(int.__mul__, ast.Mult(), other, self)

    def __floordiv__(self, other: int) -> int:
        return _computed(int.__floordiv__, ast.FloorDiv(), self, other)

    def __rfloordiv__(self, other: int) -> int:
        return _computed(int.__floordiv__, ast.FloorDiv(), other, self)

    def __mod__(self, other: int) -> int:
        return _computed(int.__mod__, ast.Mod(), self, other)

    def __rmod__(self, other: int) -> int:
        return _computed(int.__mod__, ast.Mod(), other, self)

    def __pow__(self, other: int, _: None = None) -> Any:  # type: ignore[override]
        if not isinstance(other, int) or isinstance(other, bool) or other < 0:
            return int(self) ** other
        return _computed(int.__pow__, ast.Pow(), self, other)

    def __neg__(self) -> int:
        return _computed(int.__mul__, ast.Mult(), -1, self)

    def __reduce__(self) -> Any:
        return int, (int(self),)

    def __deepcopy__(self, _: Any) -> int:
        return self


def traced(value: SupportsInt, node: Node, weight: int = 0) -> int:
    """`value` with the expression that gave it, of so many nodes; plain where that is a number as it stands."""
    if isinstance(node, ast.Constant) or isinstance(value, bool):
        return int(value)
    known = Traced(value)
    known.weight = weight or _weight(node)
    known.node = node if known.weight <= MAX_WEIGHT else LOST
    return known


def node_of(value: Any) -> Node:
    """The expression that a value came from; the value itself where it is plain, LOST where no expression says it."""
    match value:
        case Traced():
            return value.node
        case bool() | int() | float() | str() | None:
            return ast.Constant(value)
        case tuple():
            return ast.Tuple([node_of(item) for item in value], ast.Load())
        case list():
            return ast.List([node_of(item) for item in value], ast.Load())
    return LOST


def plain(value: Any) -> Any:
    """A value without what it knows of its origin."""
    if isinstance(value, Traced):
        return int(value)
    return type(value)(map(plain, value)) if isinstance(value, tuple | list) else value


def symbolic(value: Any, node: Node) -> Any:
    """`value` as what `node` stands for, and so each entry of a list."""
    if isinstance(value, list | tuple):
        listed = isinstance(node, ast.List) and len(node.elts) == len(value)
        entries: Iterable[Node] = (ast.Subscript(node, ast.Constant(i), ast.Load()) for i in range(len(value)))
        entries = node.elts if isinstance(node, ast.List) and listed else entries
        return type(value)(symbolic(entry, at) for entry, at in zip(value, entries, strict=True))
    return traced(value, node) if isinstance(value, int) and not isinstance(value, bool) else value


def size_symbol(place: int, axis: int) -> str:
    """The symbol for a size of a block's input."""
    return f"{place}.{axis}"


def root_symbol(name: str) -> str:
    """The symbol for a parameter of the whole network."""
    return f"${name}"


def counter_symbol(repeat: int, turn: int) -> str:
    """The symbol for the counter of a repeat in one of its rounds."""
    return f"#{repeat}:{turn}"


def counted(symbol: str) -> tuple[int, int] | None:
    """The number of the repeat and the round of a counter; None for any other symbol."""
    if symbol[0] != "#":
        return None
    repeat, _, turn = symbol[1:].partition(":")
    return int(repeat), int(turn)


@lru_cache(maxsize=4096)
def name(symbol: str) -> Node:
    """A symbol as an expression, always the same node."""
    return ast.Name(symbol, ast.Load())


def replaced(node: Node, nodes: Mapping[str, Node]) -> Node:
    """An expression with others in the place of symbols; what has none it may share with the old one."""
    match node:
        case ast.Name():
            return nodes.get(node.id, node)
        case ast.Constant():
            return node
        case ast.List() if not symbols(node):
            return node
        case ast.BinOp():
            return again(node, replaced(node.left, nodes), replaced(node.right, nodes))
        case ast.Call():
            return ast.Call(node.func, [replaced(argument, nodes) for argument in node.args], [])
        case ast.Subscript():
            value = replaced(node.value, nodes)
            index = replaced(node.slice, nodes)
            return entry(value, index) or ast.Subscript(value, index, node.ctx)
        case ast.IfExp():
            test = replaced(node.test, nodes)
            if (holds := settled(test)) is not None:
                return replaced(node.body if holds else node.orelse, nodes)
            return ast.IfExp(test, replaced(node.body, nodes), replaced(node.orelse, nodes))
    return type(node)(**{field: _replaced(value, nodes) for field, value in ast.iter_fields(node)})


def entry(value: Node, index: Node) -> Node | None:
    """What an index takes of a list that is written out or of a part of one, `w[2]` for `w[1:][1]`; None for others."""
    place = number(index)
    match value, index:
        case ((ast.Tuple() | ast.List()), _) if place is not None:
            return value.elts[place]
        case ast.List(), ast.Slice() if not symbols(index):
            parts = (index.lower, index.upper, index.step)
            bounds = (None if part is None else ast.literal_eval(part) for part in parts)
            return ast.List(value.elts[slice(*bounds)], ast.Load())
        case ast.Subscript(value=whole, slice=ast.Slice(lower=begin, step=None)), _ if place is not None and place >= 0:
            first = 0 if begin is None else number(begin)
            if first is not None and first >= 0:
                return ast.Subscript(whole, ast.Constant(first + place), ast.Load())
    return None


def settled(test: Node) -> bool | None:
    """Whether a condition holds, by constants alone; None where it asks for more."""
    match test:
        case ast.Constant():
            return bool(test.value)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            holds = settled(inner)
            return None if holds is None else not holds
        case ast.BoolOp():
            parts = [settled(part) for part in test.values]
            ends = isinstance(test.op, ast.Or)
            return ends if ends in parts else None if None in parts else not ends
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
            one, other = number(left), number(right)
            return None if one is None or other is None else COMPARE[type(op)](one, other)
    return None


def in_turn(node: Node) -> Node:
    """An expression with the number of each round in the place of its counter."""
    turns = _turns(node)
    return replaced(node, turns) if turns else node


def chosen(node: Node) -> Node:
    """An expression without choices that the number of a round alone decides: `1` for `2 if i == 0 else 1`."""
    turns = _turns(node)
    return _chosen(node, turns) if turns else node


def _turns(node: Node) -> Mapping[str, Node]:
    """The number of its round for each counter in an expression."""
    return {symbol: ast.Constant(known[1]) for symbol in symbols(node) if (known := counted(symbol)) is not None}


def _chosen(node: Node, turns: Mapping[str, Node]) -> Node:
    """What `chosen` is for a part of an expression."""
    match node:
        case ast.Name() | ast.Constant():
            return node
        case ast.BinOp():
            return again(node, _chosen(node.left, turns), _chosen(node.right, turns))
        case ast.IfExp() if (holds := settled(replaced(node.test, turns))) is not None:
            return _chosen(node.body if holds else node.orelse, turns)
    return node


def _replaced(part: Any, nodes: Mapping[str, Node]) -> Any:
    """What `replaced` is for a part of a node."""
    if isinstance(part, list):
        return [_replaced(item, nodes) for item in part]
    return replaced(part, nodes) if isinstance(part, ast.expr) else part


def _computed(compute: Callable[[int, int], int], op: ast.operator, left: int, right: int) -> int:
    """A number computed from two others, with the expression that says so unless that has grown too long."""
    if not isinstance(left, int) or not isinstance(right, int):
        return NotImplemented
    value = compute(int(left), right)
    weight = 1 + sum(part.weight if isinstance(part, Traced) else 1 for part in (left, right))
    if weight > MAX_WEIGHT:
        return traced(value, LOST, 1)
    exact = isinstance(op, ast.FloorDiv) and int(left) % int(right) == 0
    node = combined(op, node_of(int(left) if isinstance(left, bool) else left), node_of(right), exact, whole=True)
    return traced(value, node, _weight(node))


def _weight(node: ast.AST) -> int:
    """How many expressions are in one, itself included, which it then remembers; a list counts as one."""
    if isinstance(node, ast.List):
        return 1
    known: int | None = getattr(node, "weight", None)
    if known is None:
        known = node.weight = isinstance(node, ast.expr) + sum(map(_weight, parts_of(node)))  # type: ignore[attr-defined]
    return known
