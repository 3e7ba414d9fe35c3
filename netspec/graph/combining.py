"""Expressions over symbols, and how two of them become one: what has the same value for all symbols is shortened."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial, reduce
from typing import Any, Final, NamedTuple, TypeGuard

from netspec.python.nodes import same

LOST: Final = ast.Name("?", ast.Load())
"""Stands for an expression that is not known any more."""
Node = ast.expr


def symbols(node: ast.AST) -> frozenset[str]:
    """The symbols of an expression, which it then remembers."""
    known: frozenset[str] | None = getattr(node, "symbols", None)
    if known is None:
        if isinstance(node, ast.Name):
            known = frozenset((node.id,))
        else:
            parts = node.args if isinstance(node, ast.Call) else parts_of(node)
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
    if LOST.id in (getattr(left, "id", ""), getattr(right, "id", "")):
        return LOST  # an unknown size less another is not 0
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
    """What is left of a product without factors of it: `c` for `c * r` and `r`, or for `r**2 * c` and `r * r`."""
    if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Mult) and number(factor.left) is None:
        rest = _cancelled(node, factor.left)
        return None if rest is None else _cancelled(rest, factor.right)
    if same(node, factor) and LOST.id not in symbols(node):
        return ast.Constant(1)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and same(node.left, factor):
        times = number(node.right) or 0
        return (
            None if times < 2 else node.left if times == 2 else ast.BinOp(node.left, node.op, ast.Constant(times - 1))
        )
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
        begin: Node = ast.Constant(1)
        product = reduce(partial(combined, ast.Mult(), spelt=self.spelt), self.factors, begin)
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


def parts_of(node: ast.AST) -> Iterable[ast.AST]:
    """What an expression is made of."""
    return (node.left, node.right) if isinstance(node, ast.BinOp) else ast.iter_child_nodes(node)
