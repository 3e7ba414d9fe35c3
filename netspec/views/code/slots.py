"""What differs between the uses of a class becomes an argument of its constructor.

Each place in the class where a value stands has one value in each use. Equal values are
written as they are; a series that a parameter of the block explains is written with that
parameter, as in `4 * c`; any other series becomes a new argument.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from typing import Any, Final

from netspec.graph.model import AXES, Level
from netspec.language import expressions
from netspec.python.names import Namespace, identifier, unlike
from netspec.python.nodes import Code, named, same, valued
from netspec.python.reserved import RESERVED
from netspec.views.code.proving import ABSENT as ABSENT
from netspec.views.code.proving import Unproved, decides, proved, value
from netspec.views.code.proving import equal as equal
from netspec.views.code.sequences import around

_SIZES: Final = {"c": "in_channels", "d": "in_features"}
"""What the sizes of a block's input are called where they become arguments."""


class Slots:
    """The constructor's arguments of one class, found while its lines are written."""

    def __init__(
        self,
        levels: Sequence[Level],
        written: Sequence[tuple[str, list[Any]]] = (),
        taken: Collection[str] = (),
    ) -> None:
        """`written` are the spec's own expressions with their value in each use; `taken` the names of classes."""
        self.levels = levels
        self.written = written
        self.params: dict[str, list[Any]] = {}
        self.known: list[tuple[ast.expr, list[Any]]] = []
        self.blocks = [block for level in levels if (block := around(level)) is not None]
        declared = self.blocks[0].params if self.blocks else {}
        self.variables = unlike(declared, RESERVED | {*taken})
        """What each of the block's parameters is called here."""
        self.declared = {known: [block.params[n] for block in self.blocks] for n, known in self.variables.items()}
        self.names = Namespace(RESERVED | {"x", *taken} | self.declared.keys())

    def code(self, values: Sequence[Any], name: str, written: str = "") -> Any:
        """The value to print for one place: a plain value, or Code over the constructor's arguments."""
        present = [v for v in values if v is not ABSENT]
        if all(equal(v, present[0]) for v in present):
            return self._told(present[0], values, written)
        if all(isinstance(v, tuple) and len(v) == len(present[0]) for v in present):
            columns = ([v if v is ABSENT else v[i] for v in values] for i in range(len(present[0])))
            return tuple(self.code(column, name) for column in columns)
        if written and (node := self.over(written, values)) is not None:
            return self._remembered(node, values)
        for known, series in self.declared.items():
            if matches(values, series):
                return Code(self._used(known))
        for node, series in self.known:
            if matches(values, series):
                return Code(node)
        for axis in _SIZES:
            if matches(values, self.sizes(axis)):
                return self.size(axis)
        for expression, series in self.written:
            if matches(values, series) and (node := self.over(expression, values)) is not None:
                return self._remembered(node, series)
        return Code(self._new(name, values))

    def _told(self, value: Any, values: Sequence[Any], written: str) -> Any:
        """A value that all uses share: as it is, unless uses without the step have arguments that would change it."""
        if ABSENT not in values:
            return value
        node = self.over(written, values) if written else None
        if node is not None and expressions.names(node):
            return Code(node)
        return value

    def over(self, written: str, values: Sequence[Any]) -> ast.expr | None:
        """An expression of the spec over the constructor's arguments; None unless it gives each use its value."""
        return self.proven(lambda: self.tree(written), lambda node: proved(node, self.params, values))

    def condition(self, written: str, values: Sequence[bool]) -> ast.expr | None:
        """A condition of the spec over the constructor's arguments; None unless it decides for each use as it was."""
        return self.proven(lambda: self.tree(written), lambda node: decides(node, self.params, values))

    def proven(self, render: Callable[[], ast.expr | None], proof: Callable[[ast.expr], bool]) -> ast.expr | None:
        """What is rendered, if the proof holds; else nothing, and no arguments that only it had asked for."""
        params, known, taken = dict(self.params), list(self.known), set(self.names.taken)
        if (node := render()) is not None and proof(node):
            return node
        self.params, self.known, self.names.taken = params, known, taken
        return None

    def tree(self, text: str) -> ast.expr | None:
        """An expression of the spec as it reads over the constructor's arguments; None if it asks for anything else.

        Whether it means the same there is for `over` and `condition` to prove.
        """
        try:
            tree: ast.expr = _Renderer(self).visit(deepcopy(expressions.parse(text)))
        except (expressions.ExpressionError, Unproved, _Foreign):
            return None
        return tree

    def _remembered(self, node: ast.expr, values: Sequence[Any]) -> Code:
        if not any(same(node, known) for known, _ in self.known) and ABSENT not in values:
            self.known.append((node, list(values)))
        return Code(node)

    def _used(self, name: str) -> ast.expr:
        """Take a parameter of the block into the constructor."""
        self.params.setdefault(name, self.declared[name])
        return named(name)

    def found(self, values: Sequence[Any]) -> ast.expr | None:
        """What explains a series, if something known does; asks for no new argument."""
        known = [*((named(name), series) for name, series in self.params.items()), *self.known]
        return next((node for node, series in known if matches(values, series)), None)

    def _new(self, name: str, values: Sequence[Any]) -> ast.expr:
        filler = next(v for v in values if v is not ABSENT)
        series = [filler if v is ABSENT else v for v in values]
        name = self.names.fresh(identifier(name))
        self.params[name] = series
        self.known.append((named(name), series))
        return named(name)

    def parameter(self, name: str) -> Any:
        """The code for one of the block's own parameters. Raises _Foreign if it has none of that name."""
        known = self.variables.get(name)
        if known is None:
            raise _Foreign
        series = self.declared[known]
        if all(equal(v, series[0]) for v in series):
            return series[0]
        return Code(self._used(known))

    def sizes(self, axis: str) -> list[Any]:
        """A size of the block's first input in each use; empty outside a block."""
        inputs = [next(iter(block.inputs.values())).tensor for block in self.blocks]
        at = AXES[axis]
        return [t.shape[at] for t in inputs if t is not None and -len(t.shape) <= at < len(t.shape)]

    def size(self, axis: str) -> Any:
        """The code for a size of the block's input. Raises _Foreign outside a block."""
        sizes = self.sizes(axis)
        if len(sizes) != len(self.levels):
            raise _Foreign
        if all(equal(v, sizes[0]) for v in sizes):
            return sizes[0]
        known = self.found(sizes)
        return Code(self._new(_SIZES[axis], sizes) if known is None else known)


_MIRRORED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
}
"""How a comparison reads from its other side."""


class _Foreign(Exception):
    """A name that the constructor does not know."""


class _Renderer(ast.NodeTransformer):
    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return _node(self.slots.parameter(node.id))

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Arithmetic on plain numbers is done here: `(7 - 1) * d` is `6 * d`."""
        node.left, node.right = self.visit(node.left), self.visit(node.right)
        if _plain(node.left) and _plain(node.right):
            return _node(value(node, {}))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """What is asked about stands first: `c != 5` for `5 != c`. Numbers are compared here."""
        node.left, node.comparators = self.visit(node.left), [self.visit(other) for other in node.comparators]
        if all(map(_plain, (node.left, *node.comparators))):
            return _node(value(node, {}))
        mirrored = _MIRRORED.get(type(node.ops[0])) if len(node.ops) == 1 else None
        if _plain(node.left) and mirrored:
            return ast.Compare(node.comparators[0], [mirrored()], [node.left])
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Without what is settled beside what is not: `s != 1 or c != c` is `s != 1`."""
        node.values = [self.visit(value) for value in node.values]
        neutral = isinstance(node.op, ast.And)
        open_ = [v for v in node.values if not (isinstance(v, ast.Constant) and v.value is neutral)]
        if len(open_) == 1 and isinstance(open_[0], ast.Compare | ast.BoolOp):
            return open_[0]
        node.values = open_ if len(open_) > 1 else node.values
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if isinstance(node.value, ast.Name) and node.value.id == expressions.IN and node.attr in _SIZES:
            return _node(self.slots.size(node.attr))
        raise _Foreign

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if not isinstance(node.func, ast.Name) or node.func.id not in ("min", "max", "round", "abs", "int"):
            raise _Foreign
        node.args = [self.visit(argument) for argument in node.args]
        return node


def _node(known: Any) -> ast.expr:
    if isinstance(known, Code | int | float | str):
        return valued(known)
    raise _Foreign


def _plain(node: ast.expr) -> bool:
    """Whether it is a value as it stands."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def matches(values: Sequence[Any], series: Sequence[Any]) -> bool:
    """Whether values are those of a series wherever there is one."""
    return len(values) == len(series) and all(v is ABSENT or equal(v, s) for v, s in zip(values, series, strict=True))
