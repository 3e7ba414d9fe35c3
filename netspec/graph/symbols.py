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
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache, partial, reduce
from typing import Any, Final, NamedTuple, SupportsInt, TypeGuard

from netspec.language.expressions import COMPARE
from netspec.python.nodes import same

MAX_WEIGHT: Final = 40
"""How many nodes an expression may have; what is longer nobody would read."""
LOST: Final = ast.Name("?", ast.Load())
"""Stands for an expression that is not known any more."""
Node = ast.expr


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


def symbols(node: ast.AST) -> frozenset[str]:
    """The symbols of an expression, which it then remembers."""
    known: frozenset[str] | None = getattr(node, "symbols", None)
    if known is None:
        if isinstance(node, ast.Name):
            known = frozenset((node.id,))
        else:
            parts = node.args if isinstance(node, ast.Call) else _parts(node)
            known = frozenset().union(*map(symbols, parts))
        node.symbols = known  # type: ignore[attr-defined]
    return known


def key(node: ast.AST) -> Hashable:
    """What is equal for equal expressions, and for no others; an expression remembers it."""
    known: Hashable = getattr(node, "key", None)
    if known is None:
        known = (type(node), *(_key(getattr(node, field, None)) for field in node._fields))
        node.key = known  # type: ignore[attr-defined]
    return known


def _key(part: Any) -> Hashable:
    """What `key` is for a part of a node."""
    if isinstance(part, list):
        return tuple(map(_key, part))
    return key(part) if isinstance(part, ast.AST) else (type(part), part)


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


def chosen(node: Node) -> Node:
    """An expression without choices that the number of a round alone decides: `1` for `2 if i == 0 else 1`."""
    turns = {symbol: known[1] for symbol in symbols(node) if (known := counted(symbol)) is not None}
    return _chosen(node, {symbol: ast.Constant(turn) for symbol, turn in turns.items()}) if turns else node


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


def again(node: ast.BinOp, left: Node, right: Node) -> Node:
    """What `node` is of two others. A product that a spec spells out stays one: that it is whole may be chance."""
    if not (spelt := getattr(node, "spelt", False)):
        return combined(node.op, left, right, is_exact(node), whole=getattr(node, "whole", False))
    made = combined(node.op, left, right, is_exact(node), spelt)
    if isinstance(made, ast.BinOp) and isinstance(made.op, ast.Mult):
        made.spelt = True  # type: ignore[attr-defined]
    return made


def combined(
    op: ast.operator, left: Node, right: Node, exact: bool = False, spelt: bool = False, *, whole: bool = False
) -> Node:
    """Two expressions in one, with numbers computed and without what changes nothing: `c` for `c * 1`.

    `exact` says that a division leaves nothing over here, so that `c // 2 * 2` is `c` again unless that is `spelt` so.
    A sum of `whole` numbers may be taken in any order, which rounds no other way.
    """
    made = _combined(op, left, right, exact, spelt, whole)
    if whole and isinstance(made, ast.BinOp):
        made.whole = True  # type: ignore[attr-defined]
    return made


def _combined(op: ast.operator, left: Node, right: Node, exact: bool, spelt: bool, whole: bool) -> Node:
    """What `combined` gives, which remembers of it whether it is whole."""
    # Only what is the same for every value of the symbols is shortened.
    a, b = number(left), number(right)
    if a is not None and b is not None and (kind := _EXACT.get(type(op))) and not (b == 0 and type(op) in _DIVIDING):
        return ast.Constant(kind(a, b))
    if isinstance(op, ast.Pow) and b == 2 and a is not None:
        return ast.Constant(a * a)
    if b is not None and (simpler := _simpler(op, left, b)) is not None:
        return simpler
    if whole and isinstance(op, ast.Add | ast.Sub) and (flat := _flattened(op, left, right)) is not None:
        return flat
    match op:
        case ast.Add() if a == 0:
            return right
        case ast.Mult() if a in (0, 1):
            return right if a == 1 else ast.Constant(0)
        case ast.Mult() if a is not None and (inner := _multiple(right)):
            return combined(ast.Mult(), ast.Constant(a * inner[0]), inner[1])
        case ast.Sub() if same(left, right) and LOST.id not in symbols(left):
            return ast.Constant(0)
        case ast.FloorDiv() if (rest := _cancelled(left, right)) is not None:
            return rest
        case ast.Sub() if a == 0:
            return combined(ast.Mult(), ast.Constant(-1), right)
        case ast.Sub() if (outer := _unbracketed(left, right)) is not None:
            return outer
        case ast.Add() if (sum_ := _gathered(left, right)) is not None:
            return sum_
        case ast.Mult() if not spelt and (undone := _undivided(left, right) or _undivided(right, left)) is not None:
            return undone
        case ast.Mult() if isinstance(left, ast.BinOp) and same(left, right):
            return ast.BinOp(left, ast.Pow(), ast.Constant(2))
        case ast.FloorDiv() if exact and (inner := _multiple(left)) is not None and inner[0] == -1:
            return combined(ast.Mult(), ast.Constant(-1), combined(op, inner[1], right, exact))
    made = ast.BinOp(left, op, right)
    if exact:
        made.exact = True  # type: ignore[attr-defined]
    return made


def is_exact(node: Node) -> bool:
    """Whether an expression is a division that leaves nothing over where it stands."""
    return getattr(node, "exact", False)


def _undivided(node: Node, factor: Node) -> Node | None:
    """What a division that leaves nothing over, multiplied again, divides: `c` for `c // 2` and `2`."""
    if not isinstance(node, ast.BinOp) or not is_exact(node):
        return None
    if same(node.right, factor):
        return node.left
    if (whole := number(factor)) and (part := number(node.right)) and whole % part == 0:
        return combined(ast.Mult(), ast.Constant(whole // part), node.left)
    return None


def _cancelled(node: Node, factor: Node) -> Node | None:
    """What is left of a product without one of its factors: `c` for `c * r` and `r`."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Mult):
        return None
    if same(node.right, factor):
        return node.left
    if same(node.left, factor):
        return node.right
    if (rest := _cancelled(node.left, factor)) is not None:
        return combined(ast.Mult(), rest, node.right)
    return None if (rest := _cancelled(node.right, factor)) is None else combined(ast.Mult(), node.left, rest)


def _unbracketed(left: Node, right: Node) -> Node | None:
    """A difference without brackets: `n - k + 1` for `n - (k - 1)`."""
    match right:
        case ast.BinOp(left=part, op=ast.Add() | ast.Sub() as sign, right=last) if number(last):
            turned = ast.Sub() if isinstance(sign, ast.Add) else ast.Add()
            return combined(turned, combined(ast.Sub(), left, part), last)
    return None


_EXACT: Final[dict[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: int.__add__,
    ast.Sub: int.__sub__,
    ast.Mult: int.__mul__,
    ast.FloorDiv: int.__floordiv__,
    ast.Mod: int.__mod__,
}
_DIVIDING: Final = (ast.FloorDiv, ast.Mod)


def _simpler(op: ast.operator, left: Node, count: int) -> Node | None:
    """`left` and a number behind the sign, if there is a shorter way to say it."""
    match op:
        case ast.Add() | ast.Sub() if count == 0:
            return left
        case ast.Add() if count == 1 and (whole := _steps(left)) is not None:
            return whole
        case ast.Add() | ast.Sub() if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add | ast.Sub):
            if (before := number(left.right)) is not None:
                total = _signed(left.op, before) + _signed(op, count)
                sign = ast.Sub() if total < 0 else ast.Add()
                return combined(sign, left.left, ast.Constant(abs(total)))
        case ast.Mult() | ast.FloorDiv() if count == 1:
            return left
        case ast.Mult() if count == 0:
            return ast.Constant(0)
        case ast.Mult() if inner := _multiple(left):
            return combined(ast.Mult(), ast.Constant(inner[0] * count), inner[1])
        case ast.FloorDiv() if count and (divided := _divided(left, count)) is not None:
            return divided
    return None


def _steps(node: Node) -> Node | None:
    """How often a window as wide as its stride fits: `n // k` for `(n - k) // k`, which is one less."""
    match node:
        case ast.BinOp(left=ast.BinOp(left=whole, op=ast.Sub(), right=width), op=ast.FloorDiv(), right=step):
            return ast.BinOp(whole, ast.FloorDiv(), step) if same(width, step) else None
    return None


def _divided(node: Node, count: int) -> Node | None:
    """An expression of which a number divides each part: `32 + 3 * c` for `(64 + 6 * c) // 2`."""
    if (whole := number(node)) is not None:
        return None if whole % count else ast.Constant(whole // count)
    if inner := _multiple(node):
        return None if inner[0] % count else combined(ast.Mult(), ast.Constant(inner[0] // count), inner[1])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv):
        part = _divided(node.left, count)
        return None if part is None else combined(node.op, part, node.right, is_exact(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, right = _divided(node.left, count), _divided(node.right, count)
        return None if left is None or right is None else combined(node.op, left, right)
    return None


def _multiple(node: Node) -> tuple[int, Node] | None:
    """What an expression is a multiple of, and how often: (4, c) for `4 * c` and `c * 4`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        for times, other in ((node.left, node.right), (node.right, node.left)):
            if (count := number(times)) is not None:
                return count, other
    return None


def _gathered(left: Node, right: Node) -> Node | None:
    """A sum of which the last part is one more of the same: `a + 2 * c` for `a + c + c`."""
    times, base = _multiple(right) or (1, right)
    before, last = (left.left, left.right) if _is_sum(left) else (None, left)
    known, other = _multiple(last) or (1, last)
    if not same(other, base):
        return None
    whole = combined(ast.Mult(), ast.Constant(times + known), base)
    return whole if before is None else ast.BinOp(before, ast.Add(), whole)


def _flattened(op: ast.operator, left: Node, right: Node) -> Node | None:
    """A sum without brackets, with each part once: `3 * c + n` for `2 * c + (n + c)`; None where it is that already."""
    terms, more = _terms(left, 1), _terms(right, _signed(op, 1))
    known = {term.key: place for place, term in enumerate(terms)}
    if (len(more) == 1 and more[0].key not in known) or LOST.id in symbols(left) | symbols(right):
        return None
    for term in more:
        place = known.setdefault(term.key, len(terms))
        if place == len(terms):
            terms.append(term)
        else:
            before = terms[place]
            terms[place] = Term(before.times + term.times, before.factors, None, before.spelt or term.spelt)
    begin, *rest = terms  # a number stays where the sum begins with it, else it is told last
    terms = [term for term in (begin, *sorted(rest, key=lambda term: not term.factors)) if term.times]
    first = next((term for term in terms if term.times > 0), None)
    if first is None:
        positive = [term._replace(times=-term.times) for term in terms]
        return combined(ast.Mult(), ast.Constant(-1), _added(positive)) if positive else ast.Constant(0)
    return _added([first, *(term for term in terms if term is not first)])


class Term(NamedTuple):
    """A part of a sum: how often it has a product."""

    times: int
    factors: tuple[Node, ...]
    node: Node | None = None
    """It as the spec has it, but for its sign."""
    spelt: bool = False
    """Whether the spec has the product itself, which stays one."""

    @property
    def key(self) -> Hashable:
        """What is equal for equal products."""
        return frozenset(Counter(map(key, self.factors)).items())

    @property
    def said(self) -> Node:
        """It as an expression without a sign."""
        if self.node is not None:
            return self.node
        product = reduce(partial(combined, ast.Mult(), spelt=self.spelt), self.factors, ast.Constant(1))
        if self.spelt and isinstance(product, ast.BinOp):
            product.spelt = True  # type: ignore[attr-defined]
        return combined(ast.Mult(), ast.Constant(abs(self.times)), product)


def _added(terms: Sequence[Term]) -> Node:
    """The sum of these, of which the first is not taken off."""
    found = terms[0].said
    for term in terms[1:]:
        found = ast.BinOp(found, ast.Add() if term.times > 0 else ast.Sub(), term.said)
    return found


def _terms(node: Node, sign: int) -> list[Term]:
    """What is added up in a sum, or taken off."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return [*_terms(node.left, sign), *_terms(node.right, _signed(node.op, sign))]
    found = _product(node)
    return [found._replace(times=sign * found.times, node=node if found.times > 0 and found.factors else None)]


def _product(node: Node) -> Term:
    """What is multiplied in a product, the number in it apart."""
    match node:
        case ast.Constant() if (count := number(node)) is not None:
            return Term(count, ())
        case ast.UnaryOp(op=ast.USub()):
            inner = _product(node.operand)
            return inner._replace(times=-inner.times)
        case ast.BinOp(op=ast.Mult()):
            left, right = _product(node.left), _product(node.right)
            spelt = left.spelt or right.spelt or getattr(node, "spelt", False)
            return Term(left.times * right.times, left.factors + right.factors, None, spelt)
    return Term(1, (node,))


def _is_sum(node: Node) -> TypeGuard[ast.BinOp]:
    """Whether a node adds two others."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def _signed(op: ast.operator, count: int) -> int:
    """A count that is added, or taken off."""
    return -count if isinstance(op, ast.Sub) else count


def number(node: Node) -> int | None:
    """The whole number that an expression is as it stands; None where it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return None


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
        known = node.weight = isinstance(node, ast.expr) + sum(map(_weight, _parts(node)))  # type: ignore[attr-defined]
    return known


def _parts(node: ast.AST) -> Iterable[ast.AST]:
    """What an expression is made of."""
    return (node.left, node.right) if isinstance(node, ast.BinOp) else ast.iter_child_nodes(node)
