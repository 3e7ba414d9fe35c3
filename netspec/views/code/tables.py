"""Loops over the rows of a table in a constructor, which put modules in a list."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

from netspec.graph.combining import Node, key, number
from netspec.graph.model import Level, Repeat, Step
from netspec.graph.symbols import replaced
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import assign, call, every, listed, method, named, same, stored, tupled, valued, walk
from netspec.views.code.containers import mapping, named_sequence, repeated
from netspec.views.code.patterns import Pattern
from netspec.views.code.proving import value
from netspec.views.code.sequences import positional
from netspec.views.code.simpler import tidied
from netspec.views.code.slots import Slots, class_of
from netspec.views.code.table_passes import Flow, PassSlots, Variables
from netspec.views.code.table_sites import Body, Item, Pass, Site, Unsaid, body_of, items_of

COUNTERS: Final = ("i", "j", "k")
"""What the counters of loops inside each other are called, those that are asked for."""


class Writing:
    """Writes the statements that put the modules of one level in a list."""

    variables: Variables
    """The variables of the loops."""
    counters: Mapping[str, str]
    """What the counters of loops are called, by their symbols."""
    slots: Mapping[int, PassSlots]
    """What is written over at each place in the loop, by the identity of that."""

    def __init__(
        self,
        outer: Slots,
        construct: Callable[[Slots, Sequence[Step]], ast.expr],
        own: set[str],
        behind: dict[Hashable, str],
    ) -> None:
        """`construct` makes a module over some slots; `own` are names of variables of loops, which others take too.

        `behind` gets the variables that are, behind the loops, what an expression over the arguments is.
        """
        self.outer = outer
        self.construct = construct
        self.own = own
        self.begun: list[tuple[str, ast.expr]] = []
        """The variables that passes leave, and what they are before the outermost loop."""
        self.ended: dict[str, Any] = {}
        """What each of them is behind the loops so far."""
        self.behind = behind

    def written(self, level: Level, serving: Mapping[Level, Pattern]) -> tuple[list[ast.stmt], list[ast.expr]]:
        """The statements, and the arguments of what holds the modules. Raises Unsaid."""
        self.variables = Variables(self.outer, {id(step): at for at, step in enumerate(level.walk())})
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
        """The statements of a place outside of all loops, or what makes the module there. Raises Unsaid."""
        if not site.repeats and site.body is None and not site.parts:
            module = self.construct(self.outer, site.steps)
            return read_on(module, self.behind) if self.behind else module
        sites = list(within(site, top))
        self.slots = {id(s): PassSlots(self.outer, body, s.passes, self.variables, s.steps) for s, body in sites}
        flow = Flow(self.outer, self.variables, [(each, self.slots[id(each)]) for each, _ in sites])
        for slots in self.slots.values():
            slots.flow = flow
        made: list[ast.stmt]
        if site.repeats:
            made = [self.loop(site, layers, 0, top, named_)]
        else:
            before, module = self.module(site, 0)
            made = [*before, _added(layers, module, _key(site) if named_ else None)]
        ended = self.flowing(made, flow)
        begun = [assign(stored(name), first) for name, first in self.begun]
        self.begun = []
        match [*begun, *ended]:
            case [ast.Expr(value=ast.Call(args=[module]))] if not site.repeats:  # no statement is left but its own
                return module
        return [*begun, *ended]

    def flowing(self, made: Sequence[ast.stmt], flow: Flow) -> list[ast.stmt]:
        """The statements of loops that are whole, with the names of the sizes that flow through them. Raises Unsaid."""
        said = sorted({node.id for one in made for node in walk(one) if isinstance(node, ast.Name)})
        self.counters = dict(zip((s for s in said if s[0] == "%" and s[1:].isdecimal()), COUNTERS, strict=False))
        ended = self.ended_by(made, flow)
        asked = {node.id for one in ended for node in walk(one) if isinstance(node, ast.Name)}
        chosen = self._chosen({symbol: self.variables.called[symbol] for symbol in flow.begun}, asked)
        for symbol, first in flow.begun.items():
            self._begin(chosen[symbol], first, flow.ended[symbol])
        for axis, symbol in flow.found.items():
            if isinstance(size := flow.behind(axis), ast.BinOp | ast.Subscript):
                self.behind[key(size)] = chosen[symbol]
        return [_renamed(one, chosen) for one in ended]

    def ended_by(self, statements: Sequence[ast.stmt], flow: Flow) -> list[ast.stmt]:
        """Statements of loops as they are printed, with their variables. Raises Unsaid."""
        found: list[ast.stmt] = []
        for one in statements:
            match one:
                case _Behind():
                    at = id(one.site)
                    found += [_changed(s, known[at]) for s, known in flow.changes.items() if at in known]
                case ast.If():
                    found.append(ast.If(one.test, self.ended_by(one.body, flow), []))
                case _Loop():
                    found.append(self.headed(one, self.ended_by(one.body, flow)))
                case _:
                    found.append(one)
        return _tightened(found)

    def body(self, body: Body, into: ast.expr, depth: int, named_: bool) -> list[ast.stmt]:
        """The statements of a body, which put what they make in a list, or a dictionary. Raises Unsaid."""
        found: list[ast.stmt] = []
        for site in body.sites:
            if site.repeats:
                found.append(self.loop(site, into, depth, body, named_))
                continue
            slots = self.slots[id(site)]
            test = slots.condition_of(site.tested) if site.tested else None
            before, made = self.module(site, depth)
            name = slots.spelling_of(site.steps) if named_ else None
            added = [*before, _added(into, made, name), _Behind(site)]
            last = found[-1] if found else None
            if test is not None and isinstance(last, ast.If) and same(last.test, test):
                last.body += added
            else:
                found += added if test is None else [ast.If(test, added, [])]
        return found

    def module(self, site: Site, depth: int) -> tuple[list[ast.stmt], ast.expr]:
        """The statements before a module is made, and what makes it. Raises Unsaid."""
        if site.parts:
            made = [self.module(part, depth) for part in site.parts]
            names = [part.steps[0].member or part.steps[0].name for part in site.parts]
            items = [each for _, each in made]
            numbers = names == [str(i) for i in range(len(names))]
            whole = call("nn.Sequential", *items) if numbers else named_sequence(names, items)
            return [one for before, _ in made for one in before], whole
        if site.body is None:
            return [], self.construct(self.slots[id(site)], site.steps)
        level = site.steps[0].body
        assert level is not None
        named_ = not positional(level)
        stage = self._name("stage" if depth < 2 else "inner", set())
        inside = self.body(site.body, named(stage), depth, named_)
        empty = call("OrderedDict") if named_ else listed([])
        whole = named(stage) if named_ else ast.Starred(named(stage), ast.Load())
        return [assign(stored(stage), empty), *inside], call("nn.Sequential", whole)

    def loop(self, site: Site, into: ast.expr, depth: int, around: Body, named_: bool) -> ast.stmt:
        """A loop whose variables are not known yet. Raises Unsaid."""
        assert site.body is not None
        return _Loop(site, depth, around, self.body(site.body, into, depth + 1, named_))

    def headed(self, loop: _Loop, inside: list[ast.stmt]) -> ast.stmt:
        """The statement of a loop in which these statements stand. Raises Unsaid."""
        site, depth = loop.site, loop.depth
        assert site.body is not None
        body = [*inside, *(assign(stored(symbol), then) for symbol, (_, then) in site.body.left.items())]
        asked = {node.id for one in body for node in walk(one) if isinstance(node, ast.Name)}
        repeat, counter = site.repeats[0], f"%{depth}"
        if repeat.names:
            if len({key(each.times) for each in site.repeats}) > 1:
                raise Unsaid
            over, variable = self.rows(repeat, depth, asked)
        else:
            slots = PassSlots(self.outer, loop.around, site.passes, self.variables)
            counts = [each.count for each in site.repeats]
            over = call("range", valued(slots.code(counts, "depth", [each.times for each in site.repeats])))
            variable = stored(counter if counter in asked else "_")
        if repeat.names and counter in asked:
            over, variable = call("enumerate", over), ast.Tuple([stored(counter), variable], ast.Store())
        return self.renamed(ast.For(variable, over, body, []), site, depth, asked)

    def renamed(self, loop: ast.For, site: Site, depth: int, asked: set[str]) -> ast.stmt:
        """A loop with the names of its own variables, and of those that its passes leave."""
        assert site.body is not None
        names = {f"%{depth}": self.counters.get(f"%{depth}", COUNTERS[-1])}
        names |= {f"%{depth}.{k}": name for k, name in enumerate(site.repeats[0].names)}
        chosen = self._chosen({s: name for s, name in names.items() if s in asked}, asked)
        left = self._chosen({symbol: self.variables.called[symbol] for symbol in site.body.left}, asked)
        slots = PassSlots(self.outer, site.body, site.passes, self.variables)
        last = [site.body.passes[-1].place]
        for symbol, (first, then) in site.body.left.items():
            ended = value(then, {name: values[0] for name, values in slots._series(then, last).items()})
            self._begin(left[symbol], first, ended)
            whole = tidied(replaced(then, self.variables.entries(then, last[0])))
            if isinstance(whole, ast.BinOp | ast.Subscript):
                self.behind[key(whole)] = left[symbol]
        found = _renamed(loop, {**chosen, **left})
        assert isinstance(found, ast.stmt)
        return found

    def _begin(self, name: str, first: ast.expr, ended: Any) -> None:
        """Set a variable before the outermost loop, unless the loop before has left it at that very number."""
        if number(first) is None or self.ended.get(name) != number(first):
            self.begun.append((name, first))
        self.ended[name] = ended

    def _chosen(self, names: Mapping[str, str], asked: set[str]) -> dict[str, str]:
        """What symbols are called, each by its name or one like it."""
        taken = {name for name in asked if name[0] != "%"}
        chosen: dict[str, str] = {}
        for symbol, name in names.items():
            chosen[symbol] = self._name(name, {*taken, *chosen.values()})
        return chosen

    def _name(self, name: str, taken: set[str]) -> str:
        """A name for a variable of a loop, which loops behind it may have as well."""
        found = Namespace((self.outer.names.taken - self.own) | self.outer.in_use | taken).fresh(identifier(name))
        self.own.add(found)
        for size, variable in [*self.behind.items()]:
            if variable == found:  # from here on it is another's
                del self.behind[size]
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
            values = (
                [row.elts[k] for k in used] if isinstance(row, ast.List | ast.Tuple) and len(columns) > 1 else [row]
            )
            values = [self.entry(node, columns[k]) for node, k in zip(values, used, strict=True)]
            entries.append(values[0] if len(values) == 1 else tupled(values))
        names = [stored(columns[k]) for k in used]
        return listed(entries), names[0] if len(names) == 1 else ast.Tuple(list(names), ast.Store())

    def entry(self, node: Node, column: str) -> ast.expr:
        """An entry of a table, the class where it is the word of one that is made."""
        if column in self.variables.words and isinstance(node, ast.Constant):
            return valued(class_of(node.value))
        return tupled(node.elts) if isinstance(node, ast.List) else node


def read_on(made: ast.expr, behind: Mapping[Hashable, str]) -> ast.expr:
    """What makes a module behind loops, whose sizes are read in the variables that these have left."""
    if not isinstance(made, ast.Call):
        return made
    sizes = (behind.get(key(each)) for each in made.args)
    arguments = [each if name is None else named(name) for each, name in zip(made.args, sizes, strict=True)]
    return ast.Call(made.func, arguments, made.keywords)


class _Behind(ast.stmt):
    """Stands behind the modules of a place, where they change variables."""

    _fields = ()

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.site = site


class _Loop(ast.stmt):
    """Stands for a loop whose variables are not known yet."""

    _fields = ("body",)

    def __init__(self, site: Site, depth: int, around: Body, body: list[ast.stmt]) -> None:
        super().__init__()
        self.site = site
        self.depth = depth
        self.around = around
        self.body = body


def _changed(symbol: str, then: Node) -> ast.stmt:
    """The statement that changes a variable: `c += growth` for `c = c + growth`, `c *= 2` for `c = 2 * c`."""
    match then:
        case ast.BinOp(left=ast.Name(id=name), op=operator, right=other) if name == symbol:
            return ast.AugAssign(stored(symbol), operator, other)
        case ast.BinOp(left=ast.Constant() as other, op=ast.Mult() as operator, right=ast.Name(id=name)) if (
            name == symbol
        ):
            return ast.AugAssign(stored(symbol), operator, other)
    return assign(stored(symbol), then)


def within(site: Site, body: Body) -> Iterator[tuple[Site, Body]]:
    """The places of modules in one, each with the body that it stands in."""
    if site.repeats:
        assert site.body is not None
        yield from (each for inner in site.body.sites for each in within(inner, site.body))
    elif site.body is not None:
        yield from (each for inner in site.body.sites for each in within(inner, site.body))
    elif site.parts:
        yield from (each for part in site.parts for each in within(part, body))
    if not site.repeats:
        yield site, body


def _tightened(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Statements with a list written where it is asked for, if it is filled at once: `*[Cell(c) for _ in range(n)]`."""
    found: list[ast.stmt] = []
    for one in statements:
        match [*found[-2:], one]:
            case [
                *_,
                ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=items)),
                ast.Expr(value=ast.Call() as added),
            ] if _appends(added, name):
                found[-1] = assign(stored(name), listed([*items, *added.args]))
            case [
                ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=items)),
                ast.For(target=ast.Name() as variable, iter=over, body=[ast.Expr(ast.Call(args=[made]) as added)]),
                ast.Expr(),
            ] if _appends(added, name):
                del found[-2:]
                found.append(_put(one, name, [*items, ast.Starred(every(made, variable, over), ast.Load())]))
            case _:
                found.append(one)
    return found


def _appends(added: ast.Call, name: str) -> bool:
    """Whether a call puts something in the list of that name."""
    match added.func:
        case ast.Attribute(value=ast.Name(id=known), attr="append"):
            return known == name
    return False


def _put(node: Any, name: str, items: list[ast.expr]) -> Any:
    """A tree with the items of a list in place of it, where it is unpacked."""
    if isinstance(node, list):
        return [one for each in node for one in (items if _is_spread(each, name) else [_put(each, name, items)])]
    if not isinstance(node, ast.AST):
        return node
    return type(node)(**{field: _put(getattr(node, field, None), name, items) for field in node._fields})


def _is_spread(node: Any, name: str) -> bool:
    """Whether a node is `*name`."""
    return isinstance(node, ast.Starred) and isinstance(node.value, ast.Name) and node.value.id == name


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
