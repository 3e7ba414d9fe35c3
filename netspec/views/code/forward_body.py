"""The body of `forward`: one statement for a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from netspec.python.layout import Line
from netspec.python.literals import literal
from netspec.tensors import sample
from netspec.views.code.calls import Calls, Keeper
from netspec.views.code.flow import Flow, Item
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.shapes import Shapes
from netspec.views.code.variables import Variables

Bound = Mapping[str, tuple[int, ...]]
"""The axes of inputs, by name, whose sizes are as they are."""
NESTED: Final = 76
"""How long an expression may grow by nesting calls, to be read without effort and leave room for its comment."""


class Forward:
    """Writes `forward` for one class."""

    def __init__(self, pattern: Pattern, results: Sequence[Ref], keeper: Keeper, shapes: Shapes, bound: Bound) -> None:
        """`results` are what it returns, `bound` the sizes of inputs that it insists on."""
        self.pattern = pattern
        self.results = results
        self.keeper = keeper
        self.shapes = shapes
        self.bound = bound
        self.flow = Flow(pattern, results)
        self.items = self.flow.items
        self.variables = Variables(self.flow)
        self.calls = Calls(pattern, self.variables, keeper)

    def lines(self, ending: Callable[[list[str]], str]) -> list[Line]:
        """The statements of the body. `ending` makes the return expression of the results' variables."""
        found = [*self._insisted(), *self.calls.unpacked_members()]
        at = 0
        while at < len(self.items):
            item = self.items[at]
            if self.pattern.varies(item.unit):
                at, some = self._optional(at)
                found += some
            else:
                at, line = self._statement(at)
                found += line
        returns = ending([self.variables.read(ref) for ref in self.results])
        if found and len(self.results) == 1 and (merged := self._merged_return(found[-1], returns)):
            return [*found[:-1], merged]
        return [*found, Line(f"return {returns}")]

    def _insisted(self) -> Iterator[Line]:
        """The refusal of inputs of other sizes, for which another program would be right."""
        level = self.pattern.levels[0]
        for i, (name, value) in enumerate(level.inputs.items()):
            if (axes := self.bound.get(name, ())) and value.tensor is not None:
                x, sizes = self.variables.read(("in", i)), value.tensor.shape
                test = " or ".join(f"{x}.shape[{axis}] != {sizes[axis]}" for axis in axes)
                if len(axes) > 1 and axes == tuple(range(len(sizes) - len(axes), len(sizes))):
                    test = f"{x}.shape[-{len(axes)}:] != {literal(tuple(sizes[axis] for axis in axes))}"
                yield Line(f"if {test}:")
                yield Line(f"raise ValueError({literal(f'expected an input of {sample(sizes)}')})", depth=1)

    def _merged_return(self, line: Line, name: str) -> Line | None:
        """`return self.fc3(x)` in place of an assignment that only the return reads."""
        start = f"{name} = "
        if not name.isidentifier() or line.depth or not line.code.startswith(start):
            return None
        return Line(f"return {line.code.removeprefix(start)}", line.comment)

    def _statement(self, at: int) -> tuple[int, list[Line]]:
        """The statement that begins with item `at`, and where the next begins."""
        item = self.items[at]
        if not self.flow.runs(item):
            return at + 1, []
        text = self.calls.expression(item)
        calls = bool(item.step.member)
        while (after := self._follows(at)) and len(longer := self.calls.expression(after, inner=text)) <= NESTED:
            if calls and after.step.member:
                break
            calls = calls or bool(after.step.member)
            text, at, item = longer, at + 1, after
        if item.step.op is not None and item.step.op.source and item.step.member:
            self.variables.hold(item.results[0], text)
            return at + 1, []
        target = self.variables.target(item, at)
        if target == text:
            return at + 1, []
        if not target.strip("_, "):
            return at + 1, [Line(text)]
        return at + 1, [Line(f"{target} = {text}", self._comment(item))]

    def _follows(self, at: int) -> Item | None:
        """The next item, if it can take this one's expression in place of a variable."""
        item, after = self.items[at], self.items[at + 1] if at + 1 < len(self.items) else None
        if after is None or after.step.row is not item.step.row or after.step.row is None:
            return None
        if self.flow.gated(after) or self.flow.gated(item) or len(item.results) != 1:
            return None
        ref = item.results[0]
        once = after.inputs == [ref] and self.flow.last.get(ref) == at + 1 and ref not in after.dims
        same = self.pattern.varies(after.unit) == self.pattern.varies(item.unit)
        return after if once and same and not after.step.left_out else None

    def _optional(self, at: int) -> tuple[int, list[Line]]:
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
            text = self.calls.expression(self.items[at])
            target = self.variables.target(self.items[at], at)
            there = Line(f"{target} = {text}", self._comment(self.items[at]))
            if target == before:
                return stop, [Line(f"if {test}:"), there.deeper]
            one = f"{target} = {text} if {test} else {before}"
            if len(one) <= NESTED + 12:
                return stop, [Line(one, self.shapes.of_either(unit))]
            return stop, [Line(f"{target} = {before}"), Line(f"if {test}:"), there.deeper]
        if read and self.flow.last.get(self.flow.actual(self.flow.left_out(unit)), at) < stop:
            self.variables.hold(end, before)
        inner: list[Line] = []
        cursor = at
        while cursor < stop:
            cursor, some = self._statement(cursor)
            inner += some
        found = [Line(f"if {test}:"), *(line.deeper for line in inner)]
        if read and self.variables.held[end] != before:
            found += [Line("else:"), Line(f"{self.variables.held[end]} = {before}", depth=1)]
        return stop, found

    def _test(self, unit: int, at: int) -> str:
        for item in self.items[at:]:
            registers = item.unit == unit and item.step.member and not item.step.again
            if registers and self.pattern.homes(item.step.member) == 1:
                return f"{self.calls.member(item.step)} is not None"
        step = self.items[at].step
        return self.keeper.tested(unit, type(step.op).__name__.lower() if step.name.isdecimal() else step.name)

    def _comment(self, item: Item) -> str:
        """The shape that comes out; where it is another in training than outside, both."""
        said = self.shapes.of_step(item.unit, item.place)
        other = self.shapes.of_passed(item.unit, item.place) if item.step.training is not None else said
        if other == said or not said:
            return said
        return f"{said}, {'outside' if item.step.training else 'in'} training {other}" if other else ""
