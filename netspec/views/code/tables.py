"""Loops over the rows of a table in a constructor, which put modules in a list: what a person writes for such a repeat.

What all passes of a loop do is found as what all uses of a class do is: one expression for all of them. It is over the
values of the row, the counters, and what the pass before has left in a variable: `in_channels = c`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netspec.graph.model import Guard, Level, Repeat, Step
from netspec.graph.symbols import LOST, Node, combined, counted, is_exact, key, node_of, number, plain, replaced, symbols
from netspec.graph.symbols import name as name_node
from netspec.python.expressions import f_string
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import (
    Code,
    assign,
    call,
    every,
    listed,
    method,
    named,
    same,
    stored,
    tupled,
    valued,
    walk,
)
from netspec.views.code.containers import mapping, named_sequence, repeated
from netspec.views.code.patterns import Pattern, rigid
from netspec.views.code.proving import Unproved, decides, equal, proved, value
from netspec.views.code.sequences import is_inline, positional
from netspec.views.code.slots import Slots, class_of, tidied

COUNTERS: Final = ("i", "j", "k")
"""What the counters of loops inside each other are called, those that are asked for."""


class Unsaid(Exception):
    """Passes of a loop that no statement says all of."""


Place = tuple[tuple[Repeat, int], ...]
"""A pass of loops inside each other: the round of each, the outermost first."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass of the body of a loop."""

    place: Place
    before: Place | None
    """The pass before it; None for the first."""


@dataclass(slots=True)
class Body:
    """What is done in every pass of a loop, or once outside of all."""

    passes: Sequence[Pass]
    sites: list[Site] = field(default_factory=list)
    left: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    """The variables that a pass leaves for the next: what they are at first, and what they then are."""


@dataclass(slots=True)
class Site:
    """One place in a body: a module, a list of modules that is made by loops, or a loop."""

    passes: Sequence[Pass]
    """The passes that come here."""
    steps: Sequence[Step]
    """The step of each; none for a loop."""
    tested: Sequence[tuple[Pass, Guard, bool]] = ()
    """All passes, with whether the condition lets each come here, where there is a condition."""
    repeats: Sequence[Repeat] = ()
    """The repeat of each pass, if it is a loop."""
    body: Body | None = None
    """What is inside of it."""
    parts: Sequence[Site] = ()
    """The modules of a row in which there is a loop further in."""


Item = Step | tuple[Repeat, list[list["Item"]]]
"""A step, or a repeat with what each of its rounds does."""


def items_of(steps: Sequence[Step], repeats: Sequence[Repeat]) -> list[Item]:
    """Steps in a row, those of a repeat together."""
    found: list[Item] = []
    at = 0
    while at < len(steps):
        mine = [repeat for repeat in repeats if repeat.steps and repeat.steps[0] is steps[at]]
        if not mine:
            found.append(steps[at])
            at += 1
            continue
        outer = min(mine, key=lambda repeat: repeat.number)
        inner = [repeat for repeat in repeats if repeat is not outer]
        begins = (0, *outer.ends[:-1])
        rounds = [items_of(outer.steps[a:b], inner) for a, b in zip(begins, outer.ends, strict=True)]
        found.append((outer, rounds))
        at += len(outer.steps)
    return found


def body_of(passes: Sequence[Pass], rows: Sequence[Sequence[Item]], serving: Mapping[Level, Pattern]) -> Body:
    """What all these passes do, each of which does the items of its row. Raises Unsaid."""
    body = Body(passes)
    rows = [list(_joined(row)) for row in rows]
    if len(set(map(len, rows))) > 1:
        raise Unsaid
    for column in zip(*rows, strict=True):
        body.sites += _sites(passes, column, serving)
    return body


def _joined(row: Sequence[Item]) -> Iterator[Any]:
    """A row with the steps of one condition as one list."""
    run: list[Step] = []
    for each in row:
        alike = isinstance(each, Step) and each.guard is not None and run and each.guard.at == run[-1].guard.at  # type: ignore[union-attr]
        if run and not alike:
            yield run
            run = []
        if isinstance(each, Step) and each.guard is not None:
            run.append(each)
        else:
            yield each
    if run:
        yield run


def _sites(passes: Sequence[Pass], column: Sequence[Any], serving: Mapping[Level, Pattern]) -> Iterator[Site]:
    """The places that one item of all passes is. Raises Unsaid."""
    if all(isinstance(each, tuple) for each in column):
        yield _loop(passes, column, serving)
        return
    rows = [each if isinstance(each, list) else [each] for each in column]
    if any(isinstance(each, tuple) for each in column) or len({isinstance(each, list) for each in column}) > 1:
        raise Unsaid
    there = [at for at, row in enumerate(rows) if not row[0].left_out]
    tested = [(p, row[0].guard, not row[0].left_out) for p, row in zip(passes, rows, strict=True) if row[0].guard]
    if len({len(rows[at]) for at in there}) > 1 or len({guard.at for _, guard, _ in tested}) > 1:
        raise Unsaid
    for steps in zip(*(rows[at] for at in there), strict=True):
        yield _module([passes[at] for at in there], steps, tested, serving)


def _module(
    passes: Sequence[Pass], steps: Sequence[Step], tested: Sequence[Any], serving: Mapping[Level, Pattern]
) -> Site:
    """The place of one module. Raises Unsaid."""
    if not all(alike(steps[0], step, serving) for step in steps) or any(step.again for step in steps):
        raise Unsaid
    bodies = [step.body for step in steps if step.body is not None]
    if not bodies or not any(has_rounds(level, bool(passes[0].place)) for level in bodies):
        return Site(passes, steps, tested)
    if any(level.tables or level.repeats for level in bodies):
        rows = [items_of(level.steps, [*level.tables, *level.repeats]) for level in bodies]
        return Site(passes, steps, tested, body=body_of(passes, rows, serving))
    present = [[step for step in level.steps if not step.left_out] for level in bodies]
    if len(set(map(len, present))) > 1 or len({tuple(level.members) for level in bodies}) > 1:
        raise Unsaid
    parts = [_module(passes, column, (), serving) for column in zip(*present, strict=True)]
    return Site(passes, steps, tested, parts=parts)


def has_rounds(level: Level, inside: bool) -> bool:
    """Whether a level without a class of its own has repeats, itself or further in; outside of loops only tables count."""
    if not is_inline(level):
        return False
    own = level.tables or (inside and level.repeats)
    return bool(own) or any(step.body is not None and has_rounds(step.body, inside) for step in level.steps)


def _loop(passes: Sequence[Pass], column: Sequence[tuple[Repeat, Any]], serving: Mapping[Level, Pattern]) -> Site:
    """The place of a loop. Raises Unsaid."""
    inner: list[Pass] = []
    rows: list[Sequence[Item]] = []
    for each, (repeat, rounds) in zip(passes, column, strict=True):
        for turn, row in enumerate(rounds):
            before = inner[-1].place if inner else None
            inner.append(Pass((*each.place, (repeat, turn)), before))
            rows.append(row)
    if len({repeat.names for repeat, _ in column}) > 1:
        raise Unsaid
    return Site(passes, (), repeats=[repeat for repeat, _ in column], body=body_of(inner, rows, serving))


def alike(one: Step, other: Step, serving: Mapping[Level, Pattern]) -> bool:
    """Whether two steps are made by the same call, but for its arguments."""
    if (type(one.op), one.wrap, rigid(one) if one.op else None) != (type(other.op), other.wrap, rigid(other) if other.op else None):
        return False
    if one.body is None or other.body is None:
        return one.body is other.body and one.training is other.training
    mine, yours = serving.get(one.body), serving.get(other.body)
    if mine is not yours or (mine is not None and not mine.in_place):
        return mine is yours
    if has_rounds(one.body, True) or has_rounds(other.body, True):
        return True
    steps, others = ([step for step in level.steps if not step.left_out] for level in (one.body, other.body))
    names = positional(one.body) and positional(other.body) or list(one.body.members) == list(other.body.members)
    return names and len(steps) == len(others) and all(alike(a, b, serving) for a, b in zip(steps, others, strict=True))


class PassSlots(Slots):
    """What a place in a loop is written over, where the passes stand for the uses of a class."""

    def __init__(self, outer: Slots, body: Body, passes: Sequence[Pass], variables: Variables) -> None:
        self.outer = outer
        self.body = body
        self.passes = passes
        self.variables = variables
        self.live = outer.live

    def code(self, values: Sequence[Any], name: str, origins: Sequence[Node | None] = ()) -> Any:
        """The value to print for all passes. Raises Unsaid."""
        known = [None] * len(values) if not origins else origins
        nodes = [node_of(v) if node is None or node is LOST else node for v, node in zip(values, known, strict=True)]
        if any(isinstance(v, Code) for v in values):
            return self._class(values, nodes)
        values = list(map(plain, values))
        here = [each.place for each in self.passes]
        if (tree := self._said(values, nodes, here)) is not None:
            return Code(tree)
        once = [self.outer.code([v], name, [node]) for v, node in zip(values, nodes, strict=True)]
        if all(_equal(each, once[0]) for each in once):
            return once[0]
        if all(isinstance(v, tuple) and len(v) == len(values[0]) for v in values):
            parts = range(len(values[0]))
            entries = [[_entry(node, v, i) for v, node in zip(values, nodes, strict=True)] for i in parts]
            return tuple(self.code([v[i] for v in values], name, entries[i]) for i in parts)
        return Code(self._left(values, nodes, name))

    def _class(self, values: Sequence[Any], nodes: Sequence[Node]) -> Any:
        """Which operation it is, where an entry of the row is its word. Raises Unsaid."""
        places = [relative(node, each.place) for node, each in zip(nodes, self.passes, strict=True)]
        if isinstance(first := places[0], ast.Name) and all(same(first, place) for place in places):
            words = self.variables.series(first.id, [each.place for each in self.passes])
            if words and all(_equal(class_of(word), v) for word, v in zip(words, values, strict=True)):
                self.variables.words.add(first.id)
                return Code(first)
        if all(_equal(v, values[0]) for v in values):
            return self.outer.code(values[:1], "activation", nodes[:1])
        raise Unsaid

    def said(self, values: Sequence[Any], nodes: Sequence[Node], name: str = "") -> Node | None:
        return self._said(values, nodes, [each.place for each in self.passes])

    def _said(self, values: Sequence[Any], nodes: Sequence[Node], places: Sequence[Place]) -> Node | None:
        """The first of these expressions, each seen from its place, that gives every pass its value; else None."""
        found = {key(node): node for node in map(relative, nodes, places) if _is_seen(node)}
        return next((t for node in found.values() if (t := self._over(node, "")) and self._proves(t, values, places)), None)

    def _proves(self, tree: Node, values: Sequence[Any], places: Sequence[Place]) -> bool:
        """Whether an expression gives the values in these passes."""
        return any(s.startswith("%") for s in symbols(tree)) and proved(tree, self._series(tree, places), values)

    def _series(self, tree: Node, places: Sequence[Place]) -> dict[str, Sequence[Any]]:
        """What each symbol of an expression is in these passes."""
        own = {s: self.variables.series(s, places) for s in symbols(tree) if s.startswith("%")}
        return {**{s: values * len(places) for s, values in self.outer.params.items()}, **own}

    def condition_of(self, tested: Sequence[tuple[Pass, Guard, bool]]) -> Node | None:
        """The condition under which passes come to a place; None where all do and it does not ask which. Raises Unsaid."""
        places = [each.place for each, _, _ in tested]
        nodes = [guard.origin for _, guard, _ in tested]
        holds = [there for _, _, there in tested]
        for node in {key(n): n for n in (relative(o, p) for o, p in zip(nodes, places, strict=True) if o is not None)}.values():
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
        later = [(v, node, each.before) for v, node, each in zip(values, nodes, self.passes, strict=True) if each.before]
        if not later or not all(isinstance(v, int) for v in values):
            raise Unsaid
        given, seen, places = zip(*later, strict=True)
        tree = self._said(given, seen, places)
        if tree is None:
            raise Unsaid
        begun = valued(self.outer.code(values[:1], name, nodes[:1]))
        for symbol, (first, then) in self.body.left.items():
            if same(first, begun) and same(then, tree):
                return name_node(symbol)
        symbol = self.variables.left(name)
        self.body.left[symbol] = begun, tree
        return name_node(symbol)


class Variables:
    """The variables of loops, which are symbols until it is known which of them are asked for."""

    def __init__(self, outer: Slots) -> None:
        self.outer = outer
        self.words: set[str] = set()
        """The columns whose words are given as classes."""
        self.called: dict[str, str] = {}
        """What variables that a pass leaves are called."""
        self._rows: dict[int, Any] = {}

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
            row = self.rows(repeat)[turn] if column else turn
            found.append(row[int(column)] if column and len(repeat.names) > 1 else row)
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
                if counted(at) == (repeat.number, turn) and len(repeat.names) > 1 and key(table) == key(repeat.times):
                    if (k := number(column)) is not None:
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
            return combined(node.op, relative(node.left, place), relative(node.right, place), is_exact(node))
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


class Writing:
    """Writes the statements that put the modules of one level in a list."""

    def __init__(
        self, outer: Slots, construct: Callable[[Slots, Sequence[Step]], ast.expr], own: set[str]
    ) -> None:
        """`construct` makes a module over some slots; `own` are the names of variables of loops, which others take too."""
        self.outer = outer
        self.construct = construct
        self.own = own
        self.variables = Variables(outer)
        self.begun: list[tuple[str, ast.expr]] = []
        """The variables that passes leave, and what they are before the outermost loop."""
        self.ended: dict[str, Any] = {}
        """What each of them is behind the loops so far."""

    def written(self, level: Level, serving: Mapping[Level, Pattern]) -> tuple[list[ast.stmt], list[ast.expr]]:
        """The statements, and the arguments of what holds the modules. Raises Unsaid."""
        given = items_of(level.steps, [*level.tables, *level.repeats])
        items = [one for each in given for one in (_flat(each) if not self._is_loop(each) else [each])]
        top = body_of([Pass((), None)], [items], serving)
        named_ = not positional(level)
        layers = named(self._name("layers", set()))
        made = [self._statements(site, layers, top, named_) for site in top.sites]
        long = [at for at, each in enumerate(made) if isinstance(each, list)]
        if not long:
            raise Unsaid
        head = [each for each in made[: long[0]] if not isinstance(each, list)]
        tail = [each for each in made[long[-1] + 1 :] if not isinstance(each, list)]
        middle: list[ast.stmt] = []
        for site, each in zip(top.sites[long[0] : long[-1] + 1], made[long[0] : long[-1] + 1], strict=True):
            middle += each if isinstance(each, list) else [_added(layers, each, _key(site) if named_ else None)]
        assert isinstance(layers, ast.Name)
        if not named_:
            begin = assign(stored(layers.id), listed(repeated(head)))
            return [begin, *middle], [ast.Starred(layers, ast.Load()), *repeated(tail)]
        keys = [site.steps[0].member or site.steps[0].name for site in top.sites if site.steps]
        begin = assign(stored(layers.id), call("OrderedDict", *([mapping(keys[: len(head)], head)] if head else [])))
        after = [_added(layers, each, _key(site)) for site, each in zip(top.sites[long[-1] + 1 :], tail, strict=True)]
        return [begin, *middle, *after], [layers]

    def _is_loop(self, item: Item) -> bool:
        """Whether a loop is written for a repeat: for a table, and where an argument says how many rounds there are."""
        if isinstance(item, Step):
            return False
        repeat, rounds = item
        counts = not repeat.names and self.outer.said([repeat.count], [repeat.times]) is not None
        return bool(repeat.names) or counts or any(self._is_loop(each) for row in rounds for each in row)

    def _statements(self, site: Site, layers: ast.expr, top: Body, named_: bool) -> list[ast.stmt] | ast.expr:
        """The statements of a place outside of all loops, or what makes the module there."""
        if not site.repeats and site.body is None and not site.parts:
            return self.construct(self.outer, site.steps)
        if site.repeats:
            found = [self.loop(site, layers, 0, top, named_)]
        else:
            slots = PassSlots(self.outer, top, site.passes, self.variables)
            before, made = self.module(site, slots, 0)
            if not before:
                return made
            found = [*before, _added(layers, made, _key(site) if named_ else None)]
        begun = [assign(stored(name), first) for name, first in self.begun]
        self.begun = []
        return [*begun, *found]

    def body(self, body: Body, into: ast.expr, depth: int, named_: bool) -> list[ast.stmt]:
        """The statements of a body, which put what they make in a list, or a dictionary. Raises Unsaid."""
        found: list[ast.stmt] = []
        for site in body.sites:
            if site.repeats:
                found.append(self.loop(site, into, depth, body, named_))
                continue
            slots = PassSlots(self.outer, body, site.passes, self.variables)
            test = slots.condition_of(site.tested) if site.tested else None
            before, made = self.module(site, slots, depth)
            name = slots.spelling_of(site.steps) if named_ else None
            added = [*before, _added(into, made, name)]
            last = found[-1] if found else None
            if test is not None and isinstance(last, ast.If) and same(last.test, test):
                last.body += added
            else:
                found += added if test is None else [ast.If(test, added, [])]
        return found

    def module(self, site: Site, slots: PassSlots, depth: int) -> tuple[list[ast.stmt], ast.expr]:
        """The statements before a module is made, and what makes it. Raises Unsaid."""
        if site.parts:
            made = [self.module(part, slots, depth) for part in site.parts]
            names = [part.steps[0].member or part.steps[0].name for part in site.parts]
            items = [each for _, each in made]
            numbers = names == [str(i) for i in range(len(names))]
            whole = call("nn.Sequential", *items) if numbers else named_sequence(names, items)
            return [one for before, _ in made for one in before], whole
        if site.body is None:
            return [], self.construct(slots, site.steps)
        level = site.steps[0].body
        assert level is not None
        named_ = not positional(level)
        stage = self._name("stage" if depth < 2 else "inner", set())
        inside = self.body(site.body, named(stage), depth, named_)
        match inside:
            case [ast.For(target=ast.Name() as variable, iter=over, body=[ast.Expr(ast.Call(args=[made_]))])]:
                return [], call("nn.Sequential", ast.Starred(every(made_, variable, over), ast.Load()))
        empty = call("OrderedDict") if named_ else listed([])
        whole = named(stage) if named_ else ast.Starred(named(stage), ast.Load())
        return [assign(stored(stage), empty), *inside], call("nn.Sequential", whole)

    def loop(self, site: Site, into: ast.expr, depth: int, around: Body, named_: bool) -> ast.stmt:
        """The statement of a loop. Raises Unsaid."""
        assert site.body is not None
        body = self.body(site.body, into, depth + 1, named_)
        body += [assign(stored(symbol), then) for symbol, (_, then) in site.body.left.items()]
        asked = {node.id for one in body for node in walk(one) if isinstance(node, ast.Name)}
        repeat, counter = site.repeats[0], f"%{depth}"
        if repeat.names:
            if len({key(each.times) for each in site.repeats}) > 1:
                raise Unsaid
            over, variable = self.rows(repeat, depth, asked)
        else:
            slots = PassSlots(self.outer, around, site.passes, self.variables)
            counts = [each.count for each in site.repeats]
            over = call("range", valued(slots.code(counts, "depth", [each.times for each in site.repeats])))
            variable = stored(counter if counter in asked else "_")
        if repeat.names and counter in asked:
            over, variable = call("enumerate", over), ast.Tuple([stored(counter), variable], ast.Store())
        return self.renamed(ast.For(variable, over, body, []), site, depth, asked)

    def renamed(self, loop: ast.For, site: Site, depth: int, asked: set[str]) -> ast.For:
        """A loop with the names of its own variables, and of those that its passes leave."""
        assert site.body is not None
        names = {f"%{depth}.{k}": name for k, name in enumerate(site.repeats[0].names)}
        outer = sum(f"%{above}" in asked for above in range(depth))
        names |= {f"%{depth}": COUNTERS[min(outer, len(COUNTERS) - 1)]}
        names |= {symbol: self.variables.called[symbol] for symbol in site.body.left}
        taken = {name for name in asked if name[0] != "%"}
        chosen: dict[str, str] = {}
        for symbol, name in names.items():
            if symbol in asked or symbol in site.body.left:
                chosen[symbol] = self._name(name, taken)
                taken.add(chosen[symbol])
        last = [site.body.passes[-1].place]
        for symbol, (first, then) in site.body.left.items():
            slots = PassSlots(self.outer, site.body, site.passes, self.variables)
            series = slots._series(then, last)
            ended = value(then, {name: values[0] for name, values in series.items()})
            if number(first) is None or self.ended.get(chosen[symbol]) != number(first):
                self.begun.append((chosen[symbol], first))
            self.ended[chosen[symbol]] = ended
        found = _renamed(loop, chosen)
        assert isinstance(found, ast.For)
        return found

    def _name(self, name: str, taken: set[str]) -> str:
        """A name for a variable of a loop, which loops behind it may have as well."""
        found = Namespace((self.outer.names.taken - self.own) | self.outer.in_use | taken).fresh(identifier(name))
        self.own.add(found)
        self.outer.names.taken.add(found)
        return found

    def rows(self, repeat: Repeat, depth: int, asked: set[str]) -> tuple[ast.expr, ast.expr]:
        """What a loop goes over, and its variables: the columns that are asked for. Raises Unsaid."""
        table = self.variables.table(repeat)
        columns = [f"%{depth}.{k}" for k in range(len(repeat.names))]
        if not isinstance(table, ast.List):
            shown = [stored(column if column in asked else "_") for column in columns]
            return table, shown[0] if len(shown) == 1 else ast.Tuple(list(shown), ast.Store())
        used = [k for k, column in enumerate(columns) if column in asked]
        if not used:
            return call("range", valued(len(table.elts))), stored("_")
        entries: list[ast.expr] = []
        for row in table.elts:
            if len(columns) > 1 and not isinstance(row, ast.List | ast.Tuple):
                raise Unsaid
            values = [row.elts[k] for k in used] if isinstance(row, ast.List | ast.Tuple) and len(columns) > 1 else [row]
            values = [self.entry(node, columns[k]) for node, k in zip(values, used, strict=True)]
            entries.append(values[0] if len(values) == 1 else tupled(values))
        names = [stored(columns[k]) for k in used]
        return listed(entries), names[0] if len(names) == 1 else ast.Tuple(list(names), ast.Store())

    def entry(self, node: Node, column: str) -> ast.expr:
        """An entry of a table, the class where it is the word of one that is made."""
        if column in self.variables.words and isinstance(node, ast.Constant):
            return valued(class_of(node.value))
        return tupled(node.elts) if isinstance(node, ast.List) else node


def _flat(item: Item) -> Iterator[Item]:
    """The steps of a repeat as if they were written out."""
    if isinstance(item, Step):
        yield item
    else:
        yield from (one for row in item[1] for each in row for one in _flat(each))


def _key(site: Site) -> Node:
    """The name of a module outside of all loops."""
    return valued(site.steps[0].member or site.steps[0].name)


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    """A tree with other names for some."""
    if isinstance(node, list):
        return [_renamed(each, names) for each in node]
    if isinstance(node, ast.Name):
        return type(node)(names[node.id], node.ctx) if node.id in names else node
    if not isinstance(node, ast.AST):
        return node
    return type(node)(**{field: _renamed(getattr(node, field, None), names) for field in node._fields})


def _added(into: ast.expr, made: ast.expr, name: Node | None) -> ast.stmt:
    """The statement that puts a module in a list, or in a dictionary under a name."""
    if name is None:
        return ast.Expr(method(into, "append", made))
    return assign(ast.Subscript(into, name, ast.Store()), made)
