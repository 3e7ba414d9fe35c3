"""The body of `forward`: one statement for a row."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from netspec.graph.combining import combined
from netspec.ops.arithmetic import Add
from netspec.python.expressions import f_string, text
from netspec.python.names import identifier
from netspec.python.nodes import (
    Code,
    assign,
    attribute,
    call,
    either,
    every,
    is_not_none,
    listed,
    method,
    named,
    same,
    stored,
    valued,
)
from netspec.python.nodes import item as indexed
from netspec.tensors import show, without_batch
from netspec.views.code.calls import TRAINING, Calls, Keeper
from netspec.views.code.containers import SELF, reference
from netspec.views.code.flow import Flow, Item
from netspec.views.code.folding import NESTED
from netspec.views.code.loops import Loop, Loops, Place, list_name, module_name
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.program import Saying
from netspec.views.code.routes import routed
from netspec.views.code.scans import scanned
from netspec.views.code.shapes import Shapes
from netspec.views.code.tapped import tapped
from netspec.views.code.variables import Variables, is_unread

Ending = Callable[[list[ast.expr]], ast.expr]
"""Makes the expression that is returned of the variables that hold the results."""
Bound = Mapping[str, tuple[int, ...]]
"""The axes of inputs, by name, whose sizes are as they are."""


class Forward:
    """Writes `forward` for one class."""

    def __init__(
        self,
        pattern: Pattern,
        results: Sequence[Ref],
        keeper: Keeper,
        shapes: Shapes,
        sayings: dict[ast.stmt, Saying],
        bound: Bound,
    ) -> None:
        """`results` are what it returns; `sayings` take what comments say of its statements.

        `bound` are the sizes of inputs that it insists on.
        """
        self.pattern = pattern
        self.results = results
        self.keeper = keeper
        self.shapes = shapes
        self.sayings = sayings
        self.bound = bound
        self.flow = Flow(pattern, results)
        self.items = self.flow.items
        self.variables = Variables(self.flow)
        self.calls = Calls(pattern, self.variables, keeper)
        self.loops = Loops(self.flow, results, self.calls.containers, keeper.counts)
        self.counter = ""
        """The variable that counts rounds."""
        self.turns = [0]
        """Where what is said of an item holds too: how far it is to the same item of each round of a loop."""
        self.stop = len(self.items)
        """The item before which a statement must end."""

    def statements(self, ending: Ending, lean: tuple[list[Ref], Ending] | None = None) -> list[ast.stmt]:
        """The statements of the body. `ending` makes the return expression of the results' variables.

        Where less is returned outside training, `lean` are those results and what makes their return expression.
        """
        found = [*self._insisted(), *self.calls.unpacked_members()]
        if self.pattern.levels[0].scan is not None:
            return [*found, *scanned(self.pattern, self.flow, self.variables, self._all, self.results, ending)]
        if self.pattern.levels[0].route is not None:
            return [*found, *routed(self.pattern, self.variables, self.calls, self._all, self.results)]
        found += self._all()
        returns = _unstarred(ending(self.variables.each(self.results)))
        if lean is not None:
            rest, end = lean
            return self._lean(found, returns, _unstarred(end(self.variables.each(rest))))
        if found and (merged := self._merged_return(found[-1], returns)):
            return [*found[:-1], merged]
        return [*found, ast.Return(returns)]

    def _all(self) -> list[ast.stmt]:
        """The statements of all items."""
        if (over := tapped(self.pattern, self.flow, self.variables, self.results)) is not None:
            return over
        found: list[ast.stmt] = []
        at = 0
        while at < len(self.items):
            item = self.items[at]
            if _only_in_training(item):
                at, condition = self._in_training(at)
                found.append(condition)
            elif (loop := self.loops.at(at)) is not None:
                found += self._loop(loop)
                at = loop.stop
            elif at == 0 and self.loops.is_row():
                at = len(self.pattern.levels[0].members)
                found += self._row(at)
            elif self.pattern.varies(item.unit):
                at, some = self._optional(at)
                found += some
            else:
                at, line = self._statement(at)
                found += line
        return found

    def _lean(self, found: list[ast.stmt], returns: ast.expr, less: ast.expr) -> list[ast.stmt]:
        """The statements with two returns, that of training behind what else is done in training alone."""
        last = found[-1] if found else None
        if isinstance(last, ast.If) and last.test is TRAINING:
            last.body.append(ast.Return(returns))
        else:
            found.append(ast.If(TRAINING, [ast.Return(returns)], []))
        return [*found, ast.Return(less)]

    def _in_training(self, at: int) -> tuple[int, ast.stmt]:
        """The statements from item `at` on that only training runs, under one condition, and where the next begins."""
        stop = at
        while stop < len(self.items) and _only_in_training(self.items[stop]):
            stop += 1
        inner: list[ast.stmt] = []
        while at < stop:
            if (loop := self.loops.at(at)) is not None:
                inner += self._loop(loop)
                at = loop.stop
            else:
                at, some = self._statement(at)
                inner += some
        return at, ast.If(TRAINING, inner, [])

    def _insisted(self) -> Iterator[ast.stmt]:
        """The refusal of inputs of other sizes, for which another program would be right."""
        level = self.pattern.levels[0]
        for i, name in enumerate(level.inputs):
            axes = self.bound.get(name, ())
            if not axes:
                continue
            sizes, shape = self._sizes(i), attribute(self.variables.read(("in", i)), "shape")
            tests = [_unlike(indexed(shape, valued(axis)), sizes[axis]) for axis in axes]
            if len(axes) > 1 and axes == tuple(range(len(sizes) - len(axes), len(sizes))):
                last = indexed(shape, ast.Slice(valued(-len(axes))))
                tests = [_unlike(last, tuple(sizes[axis] for axis in axes))]
            test = tests[0] if len(tests) == 1 else ast.BoolOp(ast.Or(), tests)
            yield ast.If(test, [ast.Raise(call("ValueError", _expected(without_batch(sizes))), None)], [])

    def _sizes(self, place: int) -> list[Any]:
        """The sizes of an input as forward reads them: numbers, or what an argument says; those that only runs know."""
        tensors = [[*level.inputs.values()][place].tensor for level in self.pattern.levels]
        shapes = [tensor.shape for tensor in tensors if tensor is not None]
        columns = [list(column) for column in zip(*shapes, strict=True)]
        known = [all(isinstance(size, int) for size in column) for column in columns]
        return [
            self.keeper.stored(column, "size", [None] * len(column)) if whole else column[0]
            for column, whole in zip(columns, known, strict=True)
        ]

    def _merged_return(self, last: ast.stmt, returns: ast.expr) -> ast.stmt | None:
        """`return self.fc3(x)` in place of an assignment that only the return reads."""
        match last, returns:
            case ast.Assign(targets=[ast.Name(id=name)], value=value), ast.Name(id=returned) if name == returned:
                return self._said(ast.Return(value), self.sayings.pop(last, None))
        return None

    def _said(self, statement: ast.stmt, saying: Saying | None) -> ast.stmt:
        """A statement, with what a comment says of it."""
        if saying is not None:
            self.sayings[statement] = saying
        return statement

    def _statement(self, at: int) -> tuple[int, list[ast.stmt]]:
        """The statement that begins with item `at`, and where the next begins."""
        item = self.items[at]
        if not self.flow.runs(item):
            return at + 1, []
        value = self.calls.expression(item)
        calls = bool(item.step.member)
        while after := self._follows(at):
            longer = self.calls.expression(after, inner=value)
            if (calls and after.step.member) or len(text(longer)) > NESTED:
                break
            calls = calls or bool(after.step.member)
            value, at, item = longer, at + 1, after
        if item.step.op is not None and item.step.op.source and item.step.member:
            self.variables.held[item.results[0]] = value
            return at + 1, []
        if not self.variables.in_loop and self.loops.together(at):
            name = self.variables.names.fresh(
                identifier(item.step.name if not item.step.name.isdecimal() else "values")
            )
            self.variables.lists[tuple(item.results)] = name
            return at + 1, [self._said(assign(stored(name), value), self._comment(at))]
        target = self.variables.target(item, at)
        if isinstance(target, ast.Name) and isinstance(value, ast.Name) and target.id == value.id:
            return at + 1, []
        if is_unread(target):
            return at + 1, [ast.Expr(value)]
        return at + 1, [self._said(assign(target, value), self._comment(at))]

    def _loop(self, loop: Loop) -> list[ast.stmt]:
        """The statement that runs rounds of equal steps, behind those that begin what it changes.

        It says what the second round does, which takes from the one before as all that follow do.
        """
        made = {place: self.loops.values(loop, place) for place in self._made(loop)}
        for refs in made.values():
            self.flow.last[refs[1]] = max(self.flow.last.get(ref, -1) for ref in refs)
        target, of = self._modules(loop)
        before = [self._begun(loop, place, init, made[place]) for place, init in loop.carried.items()]
        lists = {place: self._list(loop, place) for place in loop.collected}
        second = loop.start + loop.period
        self.stop, self.turns = second + loop.period, [n * loop.period for n in range(-1, loop.count - 1)]
        self.variables.in_loop = True
        body: list[ast.stmt] = []
        at = second
        while at < second + loop.period:
            at, some = self._statement(at)
            body += some
        self.stop, self.turns, self.variables.in_loop = len(self.items), [0], False
        for place in loop.final:
            held = self.variables.held[made[place][1]]
            if isinstance(held, ast.Name):
                self.variables.hold(made[place][-1], held.id)
        for place, name in lists.items():
            self.variables.lists[tuple(made[place])] = name
        if len(lists) == 1 == len(body) and not loop.carried and not loop.final:
            (name,), (statement,) = lists.values(), body
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                whole = assign(stored(name), every(statement.value, target, of))
                return [self._said(whole, self.sayings.pop(statement, None))]
        for place, name in lists.items():
            body.append(ast.Expr(method(named(name), "append", self.variables.read(made[place][1]))))
        begun = [assign(stored(name), listed([])) for name in lists.values()]
        return [*begun, *(statement for statement in before if statement), ast.For(target, of, body, [])]

    def _row(self, count: int) -> list[ast.stmt]:
        """The loop that runs the modules of a list one behind the other, which all steps up to `count` are."""
        last = Loop(0, count, 1)
        variable = self.variables.of_module("layer")
        begun = self._begun(last, (count - 1, 0), ("in", 0), [self.items[count - 1].results[0]])
        held = self.variables.read(self.items[count - 1].results[0])
        body = assign(_assigned(held), call(named(variable), held))
        return [*([begun] if begun else []), ast.For(stored(variable), SELF, [body], [])]

    def _made(self, loop: Loop) -> list[Place]:
        """What of a round is read outside of it."""
        return list(dict.fromkeys([*loop.carried, *loop.collected, *loop.final]))

    def _begun(self, loop: Loop, place: Place, init: Ref, refs: Sequence[Ref]) -> ast.stmt | None:
        """The statement that lets a variable begin which each round changes; None where it is there already."""
        held = self.variables.read(init)
        free = self.flow.last.get(self.flow.actual(init), -1) < loop.start + loop.period
        own = held.id if isinstance(held, ast.Name) and free else ""
        name = own or self.variables.fresh(self.items[loop.start + place[0]], refs[0], loop.start - 1)
        for ref in refs[:2]:
            self.variables.hold(ref, name)
        return None if own else assign(stored(name), held)

    def _list(self, loop: Loop, place: Place) -> str:
        """A free name for the list that a loop collects values in."""
        item = self.items[loop.start + place[0]]
        module = module_name(item.step, self.loops.holder(loop, place[0]) or "", False) if item.step.member else ""
        return self.variables.names.fresh(identifier(list_name(item, place[1], module)))

    def _modules(self, loop: Loop) -> tuple[ast.expr, ast.expr]:
        """The variables of a loop and what it goes over: the modules of a list, or of several beside each other."""
        names: list[ast.expr] = []
        holders: list[ast.expr] = []
        second = self.items[loop.start + loop.period : loop.start + 2 * loop.period]
        several = sum(bool(item.step.member) for item in second) > 1
        if any(item.step.member and self.loops.holder(loop, j) is None for j, item in enumerate(second)):
            return self._numbered(loop, second)
        for j, step in enumerate(item.step for item in second):
            holder = self.loops.holder(loop, j) if step.member else None
            if holder is None or holder.startswith("self."):
                continue
            name = self.variables.of_module(module_name(step, holder or self._held(), several))
            self.calls.turns[step] = named(name)
            names.append(stored(name))
            held = SELF if self.pattern.base == "nn.ModuleList" else method(SELF, "children")
            if holder:
                held, begin = reference(holder, {}), self.loops.begin(loop, holder)
                held = indexed(held, ast.Slice(valued(begin))) if begin else held
            holders.append(held)
        if not names:
            return stored("_"), self._rounds(loop)
        return (names[0], holders[0]) if len(names) == 1 else (ast.Tuple(names, ast.Store()), call("zip", *holders))

    def _numbered(self, loop: Loop, second: Sequence[Item]) -> tuple[ast.expr, ast.expr]:
        """The same where modules are told by names that count the rounds."""
        self.counter = counter = self.counter or self.variables.names.fresh("i")
        for j, step in enumerate(item.step for item in second):
            holder = self.loops.holder(loop, j) if step.member else ""
            if holder is None and (name := self.loops.named(loop, j, counter)) is not None:
                self.calls.turns[step] = call("getattr", SELF, name)
            elif holder and not holder.startswith("self."):
                place = combined(ast.Add(), named(counter), valued(self.loops.begin(loop, holder)))
                self.calls.turns[step] = indexed(reference(holder, {}), place)
        return stored(counter), self._rounds(loop)

    def _rounds(self, loop: Loop) -> ast.expr:
        """The range of the rounds of a loop."""
        at = self.loops.times(loop)
        return call("range", valued(loop.count) if at is None else self.keeper.times(at))

    def _held(self) -> str:
        """What a class that is a list of modules is called where it stands; empty for any other."""
        return self.pattern.levels[0].name if self.pattern.base == "nn.ModuleList" else ""

    def _follows(self, at: int) -> Item | None:
        """The next item, if it can take this one's expression in place of a variable."""
        item, after = self.items[at], self.items[at + 1] if at + 1 < len(self.items) else None
        if after is None or at + 1 >= self.stop or after.step.row is not item.step.row or after.step.row is None:
            return None
        if self.flow.gated(after) or self.flow.gated(item) or len(item.results) != 1:
            return None
        ref = item.results[0]
        once = after.inputs == [ref] and self.flow.last.get(ref) == at + 1 and ref not in after.dims
        same = self.pattern.varies(after.unit) == self.pattern.varies(item.unit)
        return after if once and same and not after.step.left_out else None

    def _optional(self, at: int) -> tuple[int, list[ast.stmt]]:
        """Statements of a unit that some uses leave out."""
        unit = self.items[at].unit
        stop = at
        while stop < len(self.items) and self.items[stop].unit == unit:
            stop += 1
        if not any(map(self.flow.runs, self.items[at:stop])):
            return stop, []
        before = self.variables.read(self.flow.left_out(unit))
        test = self._test(unit, at)
        end = self.items[stop - 1].results[0]
        read = end in self.flow.last
        if stop == at + 1 and len(self.items[at].results) == 1 and read:
            value = self.calls.expression(self.items[at])
            target = self.variables.target(self.items[at], at)
            there = self._said(assign(target, value), self._comment(at))
            if _is(target, before):
                return stop, [ast.If(test, [there], [])]
            chosen = either(test, value, before)
            if len(text(target)) + len(text(chosen)) <= NESTED + 9:
                return stop, [self._said(assign(target, chosen), partial(self.shapes.of_either, unit))]
            return stop, [assign(target, before), ast.If(test, [there], [])]
        last = self.flow.last.get(self.flow.actual(self.flow.left_out(unit)), at)
        if read and last < stop and isinstance(before, ast.Name):
            self.variables.hold(end, before.id)
        inner: list[ast.stmt] = []
        cursor = at
        while cursor < stop:
            cursor, some = self._statement(cursor)
            inner += some
        held = self.variables.held[end] if read else before
        if not inner and same(held, before):  # a buffer that nothing reads
            return stop, []
        return stop, [ast.If(test, inner, [] if same(held, before) else [assign(_assigned(held), before)])]

    def _test(self, unit: int, at: int) -> ast.expr:
        """The test of a unit that some uses leave out, as forward asks it."""
        for item in self.items[at:]:
            registers = item.unit == unit and item.step.member and not item.step.again
            if registers and self.pattern.homes[item.step.member] == 1:
                return is_not_none(self.calls.member(item.step))
        if any(item.unit == unit and self._is_residual(item) for item in self.items[at:]):
            return self.keeper.tested(unit, "residual")
        step, after = self.items[at].step, self.items[at + 1].step if at + 1 < len(self.items) else None
        inside = step.row is not None and after is not None and after.row is step.row  # the name is that of the last
        return self.keeper.tested(
            unit, type(step.op).__name__.lower() if inside or step.name.isdecimal() else step.name
        )

    def _is_residual(self, item: Item) -> bool:
        """Whether a step adds what the class is given."""
        return isinstance(item.step.op, Add) and ("in", 0) in map(self.flow.actual, item.inputs)

    def _comment(self, at: int) -> Saying:
        """The shape that comes out of an item, and so of the same item of each round."""
        return partial(self._shape, [self.items[at + turn] for turn in self.turns])

    def _shape(self, rounds: Sequence[Item]) -> str:
        """The shape that comes out of each of these; where it is another in training than outside, both."""
        item, *others = rounds
        if others:
            found = {self.shapes.of_step(each.unit, each.place) for each in rounds}
            return found.pop() if len(found) == 1 and item.step.training is None else ""
        said = self.shapes.of_step(item.unit, item.place)
        skipped = item.step.training is not None and item.step.passed is not None
        other = self.shapes.of_passed(item.unit, item.place) if skipped else said
        if other == said or not said:
            return said
        return f"{said}, {'outside' if item.step.training else 'in'} training {other}" if other else ""


def _only_in_training(item: Item) -> bool:
    """Whether nothing goes on in a step's place outside training, as where an output is given in training alone."""
    return item.step.training is True and item.step.passed is None


def _unstarred(returns: ast.expr) -> ast.expr:
    """What is returned, a list by itself as it is."""
    return returns.value if isinstance(returns, ast.Starred) else returns


def _is(target: ast.expr, held: ast.expr) -> bool:
    """Whether a target is the variable that holds a value."""
    return isinstance(target, ast.Name) and isinstance(held, ast.Name) and target.id == held.id


def _assigned(held: ast.expr) -> ast.expr:
    """A name as the target of an assignment."""
    assert isinstance(held, ast.Name)
    return ast.Name(held.id, ast.Store())


def _expected(sizes: Sequence[Any]) -> ast.expr:
    """What is said where an input has other sizes."""
    if not any(isinstance(size, Code) for size in sizes):
        return valued(f"expected an input of {show(sizes)}")
    each = [size.node if isinstance(size, Code) else str(size) for size in sizes]
    return f_string(["expected an input of ", *(part for size in each for part in (size, " x "))][:-1])


def _unlike(size: ast.expr, known: object) -> ast.expr:
    """`size != known`."""
    return ast.Compare(size, [ast.NotEq()], [valued(known)])
