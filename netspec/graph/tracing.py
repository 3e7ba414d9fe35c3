"""The graph with the origin of its numbers: each knows the expression over the symbols of its block that gave it.

The walk is the same, and so is the graph. Only what prints the network as classes asks for it; see `symbols`.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from netspec.dims import Dim, Size
from netspec.errors import At, Path
from netspec.graph import combining, symbols
from netspec.graph.block_uses import BlockUses, Given
from netspec.graph.blocks import Block, complete
from netspec.graph.combining import LOST, Node
from netspec.graph.declared import Declared
from netspec.graph.draft import Level, Step, Value
from netspec.graph.gathered import gathered
from netspec.graph.model import Guard, Repeat
from netspec.graph.report import Report
from netspec.graph.rounds import over_counter
from netspec.graph.scope import Scope
from netspec.graph.steps import Operations, make
from netspec.graph.symbols import Traced, node_of, plain, symbolic, traced
from netspec.graph.walk import Walk
from netspec.graph.written import Written
from netspec.language import expressions
from netspec.language.calls import Arguments, construct, expression, nothing
from netspec.language.formulas import LETTERS
from netspec.language.refusals import Refused
from netspec.language.rows import Expr, Template
from netspec.layers.base import Op
from netspec.python.nodes import same
from netspec.sections.document import Document
from netspec.sections.params import Params, bare
from netspec.tensors import Tensor


class Known(dict[str, Any]):
    """Parameters by name, with the expression of each."""

    def __init__(self, values: Mapping[str, Any], nodes: Mapping[str, Node]) -> None:
        super().__init__({name: symbolic(value, nodes[name]) for name, value in values.items()})
        self.nodes = nodes


class TracedDeclared(Declared):
    """The declarations of a document, whose parameters are symbols."""

    def __init__(self, document: Document, report: Report, free: Collection[str]) -> None:
        """`free` are parameters that are computed from others, and are symbols all the same."""
        self.free = free
        super().__init__(document, report)

    def read_params(self) -> Params:
        params = super().read_params()
        nodes: dict[str, Node] = {}
        for name, written in self.document.params.items():
            own = "$" not in str(written) or name in self.free
            nodes[name] = symbols.name(symbols.root_symbol(name)) if own else computed(written, nodes)
        params.values = Known(params.values, nodes)
        return params

    def params_of(self, block: Block | None) -> dict[str, Any]:
        params = super().params_of(block)
        if isinstance(params, Known):
            return params
        assert isinstance(self.params.values, Known)
        assert block is not None
        nodes = {bare(name, block.space): node for name, node in self.params.values.nodes.items()}
        return Known({name: plain(value) for name, value in params.items()}, nodes)


def computed(written: Any, nodes: Mapping[str, Node]) -> Node:
    """The expression of a parameter that is computed from those above it."""
    if isinstance(written, list):
        return ast.List([computed(each, nodes) for each in written], ast.Load())
    expr = expression(written)
    return node_of(written) if expr is None else _Origin(nodes, nothing).of(expr)


class TracedOperations(Operations):
    """Operations whose arguments know where they come from."""

    def step(self, word: str, written: Written, scope: Scope, name: str, row: object) -> Step:
        step = super().step(word, written, scope, name, row)
        origins = {field: _field_origin(step, field, scope) for field in step.written}
        step.origins = {**origins, "": origin(written.op, scope)} if isinstance(written.op, Expr) else origins
        if step.op is not None and step.op.joins:
            step.value.tensor = gathered(step, scope.level)
        return step

    def make(self, word: str, written: Written, inputs: tuple[Value, ...], scope: Scope) -> tuple[Op, Arguments]:
        op, given = make(word, written, inputs, scope.lookup, self.declared.defaults, _construct)
        found = {name: _again(getattr(op, name), value) for name, value in given.values.items()}
        for name, expr in given.written.items():
            if isinstance(found[name], int):
                found[name] = symbolic(plain(found[name]), origin(expr, scope))
        for name, source in given.sources.items():
            if isinstance(source, tuple | list) and isinstance(sizes := found[name], tuple | list):
                found[name] = _with_origins(sizes, source, scope)
        return op.replace(**found), given


class TracedUses(BlockUses):
    """Uses of blocks, in which sizes of inputs and parameters are symbols."""

    more: Mapping[tuple[str, str], int] = {}
    """So many more of the parameters of blocks, by block and name, there are in every use."""

    def use(self, block: Block, given: Given, scope: Scope, name: str, row: object) -> Step:
        if not isinstance(given.values, Known):  # as they are in a further run
            nodes = {name: origin(expr, scope) for name, expr in given.written.items()}
            nodes = {name: nodes.get(name) or node_of(value) for name, value in given.values.items()}
            held = Known({}, nodes)
            held.update(given.values)
            given = replace(given, values=held)
        step = super().use(block, given, scope, name, row)
        assert step.body is not None
        for outer in step.body.exports:
            assert isinstance(outer, Value)
            outer.tensor = outward(outer.tensor, step.body)
        return step

    def open(self, block: Block, given: Given, level: Level) -> Scope:
        outside = given.values.nodes if isinstance(given.values, Known) else {}
        for place, (formal, actual) in enumerate(zip(block.inputs, given.inputs, strict=True)):
            tensor, found = _inward(actual.tensor, place)
            level.inputs[formal] = Value(formal, tensor, level)
            level.bound |= found
        inner = self.around(level)
        nodes: dict[str, Node] = {name: symbols.name(name) for name in block.params}
        raised = {name: more for (of, name), more in self.more.items() if of == block.name}
        own = {n: symbolic(_more(plain(value), raised.get(n, 0)), nodes[n]) for n, value in given.values.items()}
        defaults = {n: _more(value, raised[n]) for n, value in block.constants.items() if n in raised and n not in own}
        own |= {name: symbolic(value, nodes[name]) for name, value in defaults.items()}
        values = complete(block, own, inner.lookup, given.at)
        for name, default in block.params.items():
            if name in given.values:
                count = ast.Constant(raised.get(name, 0))
                level.bound[name] = (
                    combining.combined(ast.Add(), outside[name], count) if name in raised else outside[name]
                )
            elif isinstance(default, Expr):
                seen = ChainMap({n: nodes[n] for n in values}, _Names(inner))  # type: ignore[arg-type]
                nodes[name] = _Origin(seen, inner.lookup).of(default)
                level.bound[name] = symbols.replaced(nodes[name], level.bound)
            else:
                level.bound[name] = ast.Constant(values[name]) if _is_plain(values[name]) else LOST
        inner.params = Known({n: plain(v) for n, v in values.items()}, nodes)
        level.params, level.origins = inner.params, nodes
        return inner


class TracedWalk(Walk):
    """A walk that notes where numbers come from."""

    operations_class = TracedOperations
    uses_class = TracedUses
    repeats = 0
    """How many repeats have begun."""

    def __init__(self, declared: Declared, report: Report, more: Mapping[tuple[str, str], int]) -> None:
        super().__init__(declared, report)
        self.uses.more = more  # type: ignore[attr-defined]
        self.given: dict[int, _Given] = {}
        """What each of them is given, by its number."""
        self.ends: list[int] = []
        """How many steps the level had at the end of each round so far of the repeat that is walked."""
        self.rows: Node = LOST
        """What the rows are of the repeat that begins."""

    def root(self, name: str) -> Level:
        level = super().root(name)
        assert isinstance(level.params, Known)
        level.origins = level.params.nodes
        return level

    def _repeat(self, group: dict[str, Any], body: Any, path: Path, inner: Path, scope: Scope) -> list[Value]:
        begin, number, around = len(scope.level.steps), self.repeats + 1, self.ends
        self.ends = []
        written = expression(group["repeat"])
        self.rows = LOST if written is None else origin(written, scope)
        ends = super()._repeat(group, body, path, inner, scope)
        self._note_repeat(scope, begin, number, [at - begin for at in self.ends], ends)
        self.ends = around
        return ends

    def round(self, body: Any, path: Path, scope: Scope) -> Value:
        end = super().round(body, path, scope)
        self.ends.append(len(scope.level.steps))
        return end

    def _rounds(self, call: Written, scope: Scope, row: object) -> None:
        begin, number = len(scope.level.steps), self.repeats + 1
        super()._rounds(call, scope, row)
        if call.repeats and self.repeats >= number:
            made = [step.value for step in scope.level.steps[begin:]]
            self._note_repeat(scope, begin, number, range(1, len(made) + 1), made)

    def counted(self, rounds: list[dict[str, Any]], given: Callable[[], Any]) -> list[dict[str, Any]]:
        """The parameters of the rounds of a repeat that begins, whose counter and whose row are symbols."""
        self.repeats += 1
        names = (name for name in rounds[0] if name != "i") if rounds else ()
        known = self.given[self.repeats] = _Given(given(), tuple(names), self.rows)
        self.rows = LOST
        found: list[dict[str, Any]] = []
        for turn, params in enumerate(rounds):
            nodes = known.nodes(symbols.name(symbols.counter_symbol(self.repeats, turn)), params)
            held = Known({name: plain(params[name]) for name in known.names}, nodes)
            found.append(held)
            held.update({name: value for name, value in params.items() if name not in held})
        return found

    def _note_repeat(self, scope: Scope, begin: int, number: int, turns: Sequence[int], ends: Sequence[Value]) -> None:
        """Note the steps that a repeat has made, `turns` of them with each round; `ends` are what its rounds give."""
        given = self.given[number]
        steps, count = tuple(scope.level.steps[begin:]), given.value
        if given.table is not None:
            scope.level.tables.append(Repeat(number, given.table, len(count), steps, tuple(turns), given.names, begin))
        elif isinstance(count, int):
            scope.level.repeats.append(Repeat(number, node_of(count), int(count), steps, tuple(turns), (), begin))
        if isinstance(count, Traced) and 0 < len(ends) == count and all(end.tensor is not None for end in ends):
            ends[-1].tensor = _grown([end.tensor for end in ends if end.tensor is not None], number, count.node)

    def judged(self, judged: tuple[bool | str, Guard | None], scope: Scope) -> tuple[bool | str, Guard | None]:
        holds, guard = judged
        if guard is not None and guard.when.text not in ("training", "not training"):
            guard = Guard(guard.at, guard.when, origin(guard.when, scope))
        return holds, guard

    def spelt(self, step: Step, parts: Template, scope: Scope) -> None:
        super().spelt(step, parts, scope)
        step.spelling = tuple(origin(part, scope) if isinstance(part, Expr) else part for part in parts)


@dataclass(frozen=True, slots=True)
class _Given:
    """What a repeat is given: how many rounds it has, or a row for each."""

    value: Any
    names: tuple[str, ...]
    """What `as` calls the values of a row."""
    written: Node
    """The expression that it is given by; LOST where that is none."""

    @property
    def table(self) -> Node | None:
        """The rows, if it has such: the list that they are the entries of, where they are those of one."""
        if not isinstance(self.value, list) or (len(self.names) == 1 and any(map(_is_single, self.value))):
            return None
        if isinstance(self.written, ast.Subscript) and isinstance(self.written.slice, ast.Slice):
            return self.written
        rows = node_of(self.value)
        assert isinstance(rows, ast.List)
        heads = [_list_of(node, place) for place, node in enumerate(rows.elts)]
        head = heads[0] if heads else None
        return head if head is not None and all(each is not None and same(each, head) for each in heads) else rows

    def nodes(self, counter: Node, params: Mapping[str, Any]) -> dict[str, Node]:
        """What the names of a round stand for."""
        if not isinstance(self.value, list):
            return dict.fromkeys(params, counter)
        if (table := self.table) is None:
            return {**{name: node_of(value) for name, value in params.items()}, "i": counter}
        row = ast.Subscript(table, counter, ast.Load())
        if len(self.names) == 1:
            return {self.names[0]: row, "i": counter}
        entries = (ast.Subscript(row, ast.Constant(place), ast.Load()) for place in range(len(self.names)))
        return {**dict(zip(self.names, entries, strict=True)), "i": counter}


def _is_single(row: Any) -> bool:
    """Whether a row is a list of one value, which a single name then stands for."""
    return isinstance(row, list) and len(row) == 1


def _list_of(node: Node, place: int) -> Node | None:
    """The list that a node is the entry of, if it stands at this place of one; a row is known by its first value."""
    if isinstance(node, ast.List | ast.Tuple):
        inner = node.elts[0] if node.elts else None
        return _list_of(inner.value, place) if isinstance(inner, ast.Subscript) else None
    entry = isinstance(node, ast.Subscript) and combining.number(node.slice) == place
    return node.value if entry and isinstance(node, ast.Subscript) else None


def _grown(tensors: Sequence[Tensor], number: int, times: Node) -> Tensor:
    """The last of the tensors that the rounds of a repeat give, its sizes over how many these are."""
    last = tensors[-1]
    shapes = [tensor.shape for tensor in tensors]
    if len(set(map(len, shapes))) > 1:
        return last
    sizes = [_size_after([shape[axis] for shape in shapes], number, times) for axis in range(len(last.shape))]
    return Tensor(tuple(sizes), last.dtype)


def _size_after(sizes: Sequence[Size], number: int, times: Node) -> Size:
    """A size after all rounds: what it grows by is so many times in it, and the counter is then one less than that."""
    last, nodes = sizes[-1], [node_of(size) for size in sizes]
    said = frozenset[str]().union(*map(combining.symbols, nodes))
    if isinstance(last, Dim) or "?" in said or all(size == sizes[0] for size in sizes):
        return last
    counts = any((symbols.counted(symbol) or (0, 0))[0] == number for symbol in said)
    over = over_counter(nodes, (number,), _TIMES, lambda *_: True, begin=0 if counts else 1)
    many = combining.combined(ast.Sub(), times, ast.Constant(1)) if counts else times
    return last if over is None else traced(last, symbols.replaced(over, {_TIMES: many}))


_TIMES = "times"
"""What a count of rounds is called while it is not known."""


def over_params(expr: Expr, origins: Mapping[str, Node]) -> Node:
    """An expression over the parameters of the network, by theirs; LOST where it asks for more."""
    return _Origin(origins, nothing).of(expr)


def _construct(cls: type[Op], given: Arguments, at: At) -> Op:
    """An operation that is checked with plain numbers."""
    return construct(cls, replace(given, values={name: plain(value) for name, value in given.values.items()}), at)


def _more(value: Any, count: int) -> Any:
    """A number that is so much more."""
    return value + count if count and isinstance(value, int) and not isinstance(value, bool) else value


def _is_plain(value: Any) -> bool:
    """Whether a value is written as a literal."""
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
    sizes = (s if isinstance(s, Dim) else traced(s, _outside(s, level)) for s in tensor.shape)
    return Tensor(tuple(sizes), tensor.dtype)


def _outside(size: int, level: Level) -> Node:
    """The expression of a size over the symbols around a block. It grows no choice more with each round of a repeat."""
    return symbols.chosen(symbols.replaced(node_of(size), level.bound))


def origin(expr: Expr, scope: Scope) -> Node:
    """An expression of the spec over the symbols of the block that it stands in; LOST where it asks for more."""
    return _Origin(_Names(scope), scope.lookup).of(expr)


def _with_origins(sizes: Any, sources: Sequence[Any], scope: Scope) -> Any:
    """Sizes of which each knows the expression that it came from, where one stands in its place."""
    if len(sizes) != len(sources):
        return sizes
    return type(sizes)(
        symbolic(plain(size), origin(source, scope)) if _is_size(source, scope) else size
        for size, source in zip(sizes, sources, strict=True)
    )


def _is_size(source: Any, scope: Scope) -> bool:
    """Whether what stands in one place is the expression of one size that is known, and not of a list."""
    if not isinstance(source, Expr) or source.negative:
        return False
    try:
        return type(plain(expressions.computed(source.tree, scope.lookup))) is int
    except (expressions.ExpressionError, Refused, LookupError):
        return False


def _field_origin(step: Step, field: str, scope: Scope) -> Node:
    """The expression of one argument of a step; in a formula, letters of places stay what they are."""
    expr = step.written[field]
    if step.op is None or not step.op.fields[field].places:
        return origin(expr, scope)
    letters = {letter: symbols.name(letter) for letter in LETTERS}
    return _Origin(ChainMap(letters, _Names(scope)), scope.lookup).of(expr)  # type: ignore[arg-type]


class _Names(Mapping[str, Node]):
    """The expression of each parameter and counter in sight."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __getitem__(self, name: str) -> Node:
        """The expression of the nearest one of that name. Raises KeyError."""
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

    def of(self, expr: Expr) -> Node:
        try:
            node = self.visit(expr.tree)
        except (expressions.ExpressionError, Refused, LookupError):
            return LOST
        assert isinstance(node, ast.expr)
        return LOST if "?" in combining.symbols(node) else node

    def visit_Name(self, node: ast.Name) -> Node:
        """What a name stands for. Raises LookupError for one that is no parameter and no counter."""
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
        made.spelt = isinstance(node.op, ast.Mult)  # type: ignore[attr-defined]
        return made

    def _leaves_nothing(self, whole: ast.expr, part: ast.expr) -> bool:
        """Whether a division leaves nothing over; no where it cannot be told."""
        try:
            a, b = (expressions.computed(side, self.lookup) for side in (whole, part))
        except (expressions.ExpressionError, Refused, LookupError):
            return False
        return isinstance(a, int) and isinstance(b, int) and bool(b) and a % b == 0

    def visit_Attribute(self, node: ast.Attribute) -> Node:
        """A size of a value: what the value's shape says of it."""
        return node_of(expressions.computed(node, self.lookup))

    def visit_Subscript(self, node: ast.Subscript) -> Node:
        """A size of a shape, or an entry of a list that is known."""
        if any(isinstance(part, ast.Attribute) for part in ast.walk(node)):
            return node_of(expressions.computed(node, self.lookup))
        value = self.visit(node.value)
        index = node.slice
        if isinstance(value, ast.List | ast.Tuple) and (place := combining.number(index)) is not None:
            return value.elts[place]
        return ast.Subscript(value, self.visit(index), node.ctx)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        return type(node)(**{field: self._part(value) for field, value in ast.iter_fields(node)})

    def _part(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._part(item) for item in value]
        return self.visit(value) if isinstance(value, ast.AST) else value


_WORDS = {"true": True, "false": False, "null": None}
