"""What a place in loops is written over: the values of rows, counters, and variables that passes leave for others.

All passes of a place are to a loop what the uses of a block are to its class: one expression, proven for each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from netspec.graph import uses
from netspec.graph.combining import LOST, Node, again, combined, key, number, symbols
from netspec.graph.model import Guard, Repeat, Step
from netspec.graph.symbols import counted, node_of, plain, replaced
from netspec.graph.symbols import name as name_node
from netspec.python.expressions import f_string
from netspec.python.nodes import Code, same, valued, walk
from netspec.tensors import Tensor
from netspec.views.code.axes import CHANNELS, FEATURES
from netspec.views.code.proving import Unproved, decides, equal, proved, value
from netspec.views.code.simpler import tidied
from netspec.views.code.slots import Slots, class_of
from netspec.views.code.table_sites import Body, Pass, Place, Site, Unsaid


class PassSlots(Slots):
    """What a place in a loop is written over, where the passes stand for the uses of a class."""

    def __init__(
        self,
        outer: Slots,
        body: Body,
        passes: Sequence[Pass],
        loops: Variables,
        steps: Sequence[Step] = (),
    ) -> None:
        """`steps` are those that the passes come to, where these are modules."""
        self.outer = outer
        self.body = body
        self.passes = passes
        self.steps = steps
        self.flow: Flow | None = None
        self.loops = loops
        self.live = outer.live

    def code(self, values: Sequence[Any], name: str, origins: Sequence[Node | None] = ()) -> Any:
        """The value to print for all passes. Raises Unsaid."""
        known = origins or [None] * len(values)
        nodes = [node_of(v) if node is None or node is LOST else node for v, node in zip(values, known, strict=True)]
        if any(isinstance(v, Code) for v in values):
            return self._class(values, nodes)
        values = list(map(plain, values))
        here = [each.place for each in self.passes]
        if (tree := self._said(values, nodes, here)) is not None:
            return Code(tree)
        once = [self.outer.code([v], name, [node]) for v, node in zip(values, nodes, strict=True)]
        by_chance = isinstance(once[0], Code) and any(self._counts(node) for node in nodes)
        if all(_equal(each, once[0]) for each in once) and not by_chance:
            return once[0]
        if all(isinstance(v, tuple) and len(v) == len(values[0]) for v in values):
            parts = range(len(values[0]))
            entries = [[_entry(node, v, i) for v, node in zip(values, nodes, strict=True)] for i in parts]
            return tuple(self.code([v[i] for v in values], name, entries[i]) for i in parts)
        return Code(self._left(values, nodes, name))

    def _counts(self, node: Node) -> bool:
        """Whether an expression asks for a round of the loops around: what it is in one, it need not be in others."""
        numbers = {repeat.number for each in self.passes for repeat, _ in each.place}
        return any((known := counted(symbol)) is not None and known[0] in numbers for symbol in symbols(node))

    def _class(self, values: Sequence[Any], nodes: Sequence[Node]) -> Any:
        """Which operation it is, where an entry of the row is its word. Raises Unsaid."""
        places = [relative(node, each.place) for node, each in zip(nodes, self.passes, strict=True)]
        if isinstance(first := places[0], ast.Name) and all(same(first, place) for place in places):
            words = self.loops.series(first.id, [each.place for each in self.passes])
            if words and all(_equal(class_of(word), v) for word, v in zip(words, values, strict=True)):
                self.loops.words.add(first.id)
                return Code(first)
        if all(_equal(v, values[0]) for v in values):
            return self.outer.code(values[:1], "activation", nodes[:1])
        raise Unsaid

    def said(self, values: Sequence[Any], nodes: Sequence[Node], name: str = "") -> Node | None:
        return self._said(values, nodes, [each.place for each in self.passes])

    def _said(self, values: Sequence[Any], nodes: Sequence[Node], places: Sequence[Place]) -> Node | None:
        """The first of these expressions, each seen from its place, that gives every pass its value; else None."""
        found = {key(node): node for node in map(relative, nodes, places) if _is_seen(node)}
        trees = (self._over(node, "") for node in found.values())
        known = (tree for tree in trees if tree is not None and not _is_indexed(tree))
        return next((tree for tree in known if self._proves(tree, values, places)), None)

    def _proves(self, tree: Node, values: Sequence[Any], places: Sequence[Place]) -> bool:
        """Whether an expression gives the values in these passes."""
        series = self._series(tree, places)
        if not any(s.startswith("%") for s in symbols(tree)) or not proved(tree, series, values):
            return False
        return not any(_is_before(node.slice, series) for node in walk(tree) if isinstance(node, ast.Subscript))

    def _series(self, tree: Node, places: Sequence[Place]) -> dict[str, Sequence[Any]]:
        """What each symbol of an expression is in these passes."""
        own = {s: self.loops.series(s, places) for s in symbols(tree) if s.startswith("%")}
        return {**{s: values * len(places) for s, values in self.outer.params.items()}, **own}

    def condition_of(self, tested: Sequence[tuple[Pass, Guard, bool]]) -> Node | None:
        """The condition under which passes come here; None where all do and it does not ask which. Raises Unsaid."""
        places = [each.place for each, _, _ in tested]
        seen = (relative(guard.origin, each.place) for each, guard, _ in tested if guard.origin is not None)
        holds = [there for _, _, there in tested]
        for node in {key(node): node for node in seen}.values():
            tree = self._over(node, "") if _is_seen(node) else None
            if tree is not None and decides(tree, self._series(tree, places), holds):
                return tree
        if all(holds):
            return None
        raise Unsaid

    def spelling_of(self, steps: Sequence[Step]) -> Node:
        """The names of what is made, as one expression. Raises Unsaid."""
        names = [step.member or step.name for step in steps]
        if len(set(names)) == 1:
            return valued(names[0])
        parts = []
        for part in steps[0].spelling:
            seen = part if isinstance(part, str) else self._over(relative(part, self.passes[0].place), "")
            if seen is None:
                raise Unsaid
            parts.append(seen)
        tree = f_string(parts)
        if not parts or not proved(tree, self._series(tree, [each.place for each in self.passes]), names):
            raise Unsaid
        return tree

    def _over(self, node: Node, field: str) -> Node | None:
        """An expression over the symbols of loops and the constructor's arguments; None where they cannot say it."""
        found: dict[str, Node] = {}
        for symbol in sorted(symbols(node)):
            if symbol.startswith("%"):
                continue
            if symbol == LOST.id or (known := self.outer._symbol(symbol)) is None:
                return None
            found[symbol] = known
        return tidied(replaced(node, found))

    def _left(self, values: Sequence[Any], nodes: Sequence[Node], name: str) -> Node:
        """A variable that the pass before has left. Raises Unsaid."""
        known = zip(values, nodes, self.passes, strict=True)
        later = [(v, node, each.before) for v, node, each in known if each.before is not None]
        before, seen, places = zip(*later, strict=True) if later else ((), (), ())
        tree = self._said(before, seen, places)
        given = any(not isinstance(self.loops.table(r), ast.List) for r, _ in self.passes[0].place if r.names)
        if tree is None or given or not all(isinstance(v, int) for v in values):
            # Rows that are an argument may have no rounds, so that only the modules themselves tell what they change.
            return self._flowing(values, nodes, name)
        if isinstance(tree, ast.BinOp):
            with suppress(Unsaid):
                return self._flowing(values, nodes, name)
        begun = valued(self.outer.code(values[:1], name, nodes[:1]))
        for symbol, (first, then) in self.body.left.items():
            if same(first, begun) and same(then, tree):
                return name_node(symbol)
        symbol = self.loops.left(name)
        self.body.left[symbol] = begun, tree
        return name_node(symbol)

    def _flowing(self, values: Sequence[Any], nodes: Sequence[Node], name: str) -> Node:
        """A variable for a size of what flows through the loops, which each module changes. Raises Unsaid."""
        axis = _axis(self.steps[0], nodes[0], name)
        if self.flow is None or axis is None or values != [_size(step, axis) for step in self.steps]:
            raise Unsaid
        return name_node(self.flow.along(axis, name))


class Flow:
    """The sizes of what flows through the modules of a loop, in variables that each of them changes."""

    def __init__(self, outer: Slots, variables: Variables, sites: Sequence[tuple[Site, PassSlots]]) -> None:
        """`sites` are the places of modules in the loop, with what is written over there."""
        self.outer = outer
        self.variables = variables
        self.sites = [(site, slots) for site, slots in sites if site.body is None and not site.parts]
        self.found: dict[int, str] = {}
        """The variable for an axis."""
        self.begun: dict[str, ast.expr] = {}
        """What each is before the loop."""
        self.last: Step | None = None
        """The last module of the loop."""
        self.ended: dict[str, Any] = {}
        """What each is behind the loop."""
        self.changes: dict[str, dict[int, Node]] = {}
        """What each is after the modules of a place, by the identity of that."""

    def along(self, axis: int, name: str) -> str:
        """The symbol of the variable for the sizes along an axis. Raises Unsaid."""
        if axis not in self.found:
            symbol = self.variables.left(name)
            changes = {id(site): self._change(symbol, axis, site, slots) for site, slots in self.sites}
            steps = sorted((step for site, _ in self.sites for step in site.steps), key=self.variables.order)
            size = _inner(steps[0]).shape[axis]
            begun = self.outer.code([plain(size)], name, [node_of(size)])
            self.found[axis], self.begun[symbol] = symbol, valued(begun)
            self.ended[symbol] = _size_after(steps[-1], axis)
            self.last = steps[-1]
            self.changes[symbol] = {at: change for at, change in changes.items() if change is not None}
        return self.found[axis]

    def behind(self, axis: int) -> Node | None:
        """The size along an axis behind the loop, over the constructor's arguments."""
        tensor = self.last.value.tensor if self.last is not None else None
        if tensor is None:
            return None
        size = tensor.shape[axis]
        return valued(self.outer.code([plain(size)], "", [node_of(size)]))

    def _change(self, symbol: str, axis: int, site: Site, slots: PassSlots) -> Node | None:
        """What the modules of a place make of the size; None if they leave it as it is. Raises Unsaid."""
        before, after = ([size(step, axis) for step in site.steps] for size in (_size, _size_after))
        if before == after and not any(_is_made(step, axis) for step in site.steps):
            return None
        places = [each.place for each in site.passes]
        made = (
            relative(node, p)
            for step, p in zip(site.steps, places, strict=True)
            for node in _made_of(step, axis, symbol)
        )
        for node in (*made, *self._scaled(symbol, axis, site, before, after)):
            tree = slots._over(node, "")
            if tree is None or _is_indexed(tree):
                continue
            if proved(tree, {**slots._series(tree, places), symbol: before}, after):
                return tree
        if before == after:
            return None
        raise Unsaid

    def _scaled(
        self, symbol: str, axis: int, site: Site, before: Sequence[int], after: Sequence[int]
    ) -> Iterator[Node]:
        """So many times the size, or a part of it, where sizes are numbers that follow from no argument."""
        sizes = [step.value.tensor.shape[axis] for step in site.steps if step.value.tensor is not None]
        if any(isinstance(self.outer.code([plain(size)], "", [node_of(size)]), Code) for size in sizes):
            return
        if after[0] % before[0] == 0:
            yield ast.BinOp(ast.Constant(after[0] // before[0]), ast.Mult(), name_node(symbol))
        if before[0] % after[0] == 0:
            yield ast.BinOp(name_node(symbol), ast.FloorDiv(), ast.Constant(before[0] // after[0]))


def _made_of(step: Step, axis: int, symbol: str) -> Iterator[Node]:
    """How the size behind a step may follow from the one before it, which is `symbol`."""
    if step.body is not None and step.body.kind == "block":
        inner = next(iter(step.body.exports.values())).tensor
        assert inner is not None
        yield replaced(node_of(inner.shape[axis]), {**step.body.bound, f"0.{axis}": name_node(symbol)})
    tensor = step.value.tensor
    assert tensor is not None
    yield node_of(tensor.shape[axis])


def _inner(step: Step) -> Tensor:
    """What a step is given. Raises Unsaid."""
    given = uses.given(step)
    tensor = given[0].tensor if given else None
    if tensor is None:
        raise Unsaid
    return tensor


def _size(step: Step, axis: int) -> Any:
    """A size of what a step is given. Raises Unsaid."""
    shape = _inner(step).shape
    if not -len(shape) <= axis < len(shape):
        raise Unsaid
    return plain(shape[axis])


def _size_after(step: Step, axis: int) -> Any:
    """A size of what a step gives. Raises Unsaid."""
    tensor = step.value.tensor
    if tensor is None or len(tensor.shape) != len(_inner(step).shape):
        raise Unsaid
    return plain(tensor.shape[axis])


def _is_made(step: Step, axis: int) -> bool:
    """Whether a size behind a step comes from elsewhere than the one before it, which may be equal only here."""
    assert step.value.tensor is not None
    before, after = node_of(_inner(step).shape[axis]), node_of(step.value.tensor.shape[axis])
    return bool(symbols(after)) and key(before) != key(after)


def _axis(step: Step, node: Node, name: str) -> int | None:
    """Along which axis of what a step is given an argument is its size; None if it is none."""
    rank = len(_inner(step).shape)
    if step.body is not None:
        places = [int(s[2:]) for s, bound in step.body.bound.items() if s.startswith("0.") and bound is node]
        return places[0] if places else None
    return 1 if name in CHANNELS else rank - 1 if name in FEATURES else None


def _is_before(index: Node, series: Mapping[str, Sequence[Any]]) -> bool:
    """Whether an index over a loop is less than 0 in a pass, so that it takes an entry from the end by chance."""
    if not any(symbol.startswith("%") for symbol in symbols(index)):
        return False
    count = max(map(len, series.values()))
    return any(value(index, {name: known[turn] for name, known in series.items()}) < 0 for turn in range(count))


def _is_indexed(tree: Node) -> bool:
    """Whether an expression takes a row of a table by its number, which nobody would read."""
    entries = (node.value for node in walk(tree) if isinstance(node, ast.Subscript))
    return any(isinstance(of, ast.List | ast.Subscript) for of in entries)


class Variables:
    """The variables of loops, which are symbols until it is known which of them are asked for."""

    def __init__(self, outer: Slots, order: Mapping[int, int]) -> None:
        """`order` is where steps come, by their identity."""
        self.outer = outer
        self.orders = order
        self.words: set[str] = set()
        """The columns whose words are given as classes."""
        self.called: dict[str, str] = {}
        """What variables that a pass leaves are called."""
        self._rows: dict[int, Any] = {}

    def order(self, step: Step) -> int:
        """Where a step comes among all."""
        return self.orders[id(step)]

    def rows(self, repeat: Repeat) -> Any:
        """The values of a table. Raises Unsaid."""
        if repeat.number not in self._rows:
            tree = self.table(repeat)
            names = {name: series[0] for name, series in self.outer.params.items()}
            try:
                self._rows[repeat.number] = value(tree, names)
            except Unproved as error:
                raise Unsaid from error
        return self._rows[repeat.number]

    def table(self, repeat: Repeat) -> Node:
        """The rows of a repeat over the constructor's arguments. Raises Unsaid."""
        tree = self.outer._over(repeat.times, "")
        if tree is None:
            raise Unsaid
        return tree

    def series(self, symbol: str, places: Sequence[Place]) -> list[Any]:
        """What a symbol of a loop is in these passes."""
        depth, _, column = symbol[1:].partition(".")
        if not depth.isdecimal():
            return []
        found = []
        for place in places:
            repeat, turn = place[int(depth)]
            entry: Any = self.rows(repeat)[turn] if column else turn
            found.append(entry[int(column)] if column and len(repeat.names) > 1 else entry)
        return found

    def entries(self, node: Node, place: Place) -> dict[str, Node]:
        """What the symbols of loops in an expression are in one pass, over the constructor's arguments."""
        found: dict[str, Node] = {}
        for symbol in symbols(node):
            depth, _, column = symbol[1:].partition(".")
            if symbol[0] == "%" and depth.isdecimal():
                repeat, turn = place[int(depth)]
                row: Node = ast.Constant(turn)
                if column:
                    row = ast.Subscript(self.table(repeat), row, ast.Load())
                    row = ast.Subscript(row, ast.Constant(int(column)), ast.Load()) if len(repeat.names) > 1 else row
                found[symbol] = row
        return found

    def left(self, name: str) -> str:
        """The symbol of a new variable that a pass leaves."""
        symbol = f"%={len(self.called)}"
        self.called[symbol] = name
        return symbol


def relative(node: Node, place: Place) -> Node:
    """An expression as it is seen in a pass: rows and counters of the loops around are symbols of these."""
    if not symbols(node) or node is LOST:
        return node
    for depth, (repeat, turn) in enumerate(place):
        match node:
            case ast.Subscript(value=ast.Subscript(value=table, slice=ast.Name(id=at)), slice=column):
                mine = counted(at) == (repeat.number, turn) and len(repeat.names) > 1
                if mine and (k := number(column)) is not None and key(table) == key(repeat.times):
                    return name_node(f"%{depth}.{k}")
            case ast.Subscript(value=table, slice=ast.Name(id=at)):
                if counted(at) == (repeat.number, turn) and len(repeat.names) == 1 and key(table) == key(repeat.times):
                    return name_node(f"%{depth}.0")
            case ast.Name(id=at) if (known := counted(at)) is not None and known[0] == repeat.number:
                if known[1] <= turn:
                    return combined(ast.Sub(), name_node(f"%{depth}"), ast.Constant(turn - known[1]))
    match node:
        case ast.Name() | ast.Constant():
            return node
        case ast.BinOp():
            return again(node, relative(node.left, place), relative(node.right, place))
        case ast.Call():
            return ast.Call(node.func, [relative(argument, place) for argument in node.args], [])

    def part(given: Any) -> Any:
        if isinstance(given, list):
            return [part(each) for each in given]
        return relative(given, place) if isinstance(given, ast.expr) else given

    return type(node)(**{name: part(given) for name, given in ast.iter_fields(node)})


def _is_seen(node: Node) -> bool:
    """Whether an expression asks for a loop around it, and for nothing that is lost."""
    asked = symbols(node)
    return any(symbol.startswith("%") for symbol in asked) and LOST.id not in asked


def _equal(one: Any, other: Any) -> bool:
    """Whether two values, or codes of values, are printed alike."""
    if isinstance(one, Code) and isinstance(other, Code):
        return same(one.node, other.node)
    return equal(one, other)


def _entry(node: Node, of: tuple[Any, ...], place: int) -> Node | None:
    """The expression of one entry of a tuple."""
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts[place] if place < len(node.elts) else None
    return node if all(each == of[0] for each in of) else None
