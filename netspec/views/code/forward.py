"""The body of `forward`: one statement for a row, variables named for what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from netspec.dims import Dim, Size
from netspec.graph.model import Step, Value
from netspec.language.reserved import RESERVED
from netspec.language.rows import template
from netspec.layers.base import Code, literal
from netspec.views.code.containers import containers, reference
from netspec.views.code.layout import Line
from netspec.views.code.naming import Namespace, identifier
from netspec.views.code.shapes import Shapes
from netspec.views.code.sizes import written
from netspec.views.code.slots import ABSENT
from netspec.views.code.structure import Pattern, Ref, leading
from netspec.views.code.uses import given, made, taken

NESTED: Final = 76
"""How long an expression may grow by nesting calls, to be read without effort and leave room for its comment."""


@dataclass(slots=True)
class Item:
    """One step of the class, with the places of what it takes and makes."""

    unit: int
    place: int
    """Its place in the unit."""
    aligned: list[Step | None]
    step: Step
    inputs: list[Ref]
    results: list[Ref]
    dims: list[Ref]
    """Values whose shape gives the step a size that only the run knows."""
    own: bool
    """Whether such sizes differ between uses, which all read them from what the block is given."""


class Keeper(Protocol):
    """Keeps arguments of the constructor where forward can read them."""

    def stored(self, series: list[Any], name: str, written: str) -> str:
        """How forward reads a value that differs between uses."""

    def tested(self, unit: int, name: str) -> str:
        """How forward asks whether an optional unit is there."""


class Forward:
    """Writes `forward` for one class."""

    def __init__(self, pattern: Pattern, keeper: Keeper, shapes: Shapes) -> None:
        self.pattern = pattern
        self.keeper = keeper
        self.shapes = shapes
        self.level = pattern.levels[0]
        self.base = pattern.base
        self.containers = containers(self.level)
        self.members: dict[Step, str] = {}
        """Members that are variables of forward."""
        self.names = Namespace(RESERVED)
        self.variables: dict[Ref, str] = {}
        self.until: dict[str, int] = {}
        """The item that is the last to read each variable, among those that read it for a known value."""
        self.tensors = [{ref: value.tensor for value, ref in refs.items()} for refs in pattern.refs]
        """For each use, what its values are."""
        self.items = self._items()

    # --- what there is --------------------------------------------------------------------------

    def _items(self) -> list[Item]:
        items = []
        for u in range(len(self.pattern.units[0])):
            use = next((i for i, units in enumerate(self.pattern.units) if units[u].present), 0)
            refs = self.pattern.refs[use]
            for s, step in enumerate(self.pattern.units[use][u].steps):
                inputs = [refs[v] for v in given(step)]
                aligned = self.pattern.aligned(u, s)
                own = len({tuple(_sizes(other)) for other in aligned if other is not None}) > 1
                dims = [refs[v] for v in self._sized(step, self.pattern.levels[use], own)]
                items.append(Item(u, s, aligned, step, inputs, [refs[v] for v in made(step)], dims, own))
        return items

    def _sized(self, step: Step, level: Any, own: bool) -> list[Value]:
        """Values that tell the run-time sizes among a step's arguments, and its device."""
        sizes = _sizes(step)
        if not sizes and not (step.op and not step.member and step.op.needs_device):
            return []
        sources = [*taken(level), *given(step)] if own else [*given(step), *taken(level)]
        read = _Read({size: v for v in reversed(sources) if v.tensor for size in v.tensor.shape})
        for size in sizes:
            written(size, read)
        return list(dict.fromkeys(read.used or sources[:1]))

    # --- statements -----------------------------------------------------------------------------

    def lines(self, results: Sequence[Ref], ending: Callable[[list[str]], str]) -> list[Line]:
        """The statements of the body. `ending` makes the return expression of the results' variables."""
        self.last = self._last_uses(results)
        self._name_inputs()
        found = self._unpacked_members()
        at = 0
        while at < len(self.items):
            item = self.items[at]
            if self.pattern.varies(item.unit):
                at, some = self._optional(at)
                found += some
            else:
                at, line = self._statement(at)
                found += line
        returns = ending([self.variables[self._actual(r)] for r in results])
        if found and len(results) == 1 and (merged := self._merged_return(found[-1], returns)):
            return [*found[:-1], merged]
        return [*found, Line(f"return {returns}")]

    def _unpacked_members(self) -> list[Line]:
        """Where names differ between uses, forward takes the members in their order: `conv, norm = self.children()`."""
        if not self.pattern.renamed:
            return []
        for step in self.level.members.values():
            plain = "".join(part for part in template(step.template or step.member) if isinstance(part, str))
            self.members[step] = self.names.fresh(identifier(plain or "member"))
        names = ", ".join(self.members.values())
        return [Line(f"{names}{',' if len(self.members) == 1 else ''} = self.children()")]

    def _member(self, step: Step) -> str:
        """How forward names a member."""
        local = self.members.get(self.level.members.get(step.member, step))
        if self.base != "nn.Module" and "." not in step.member:
            return f"self[{step.member if self.base == 'nn.ModuleList' else literal(step.member)}]"
        return local or reference(step.member, self.containers)

    def _merged_return(self, line: Line, name: str) -> Line | None:
        """`return self.fc3(x)` in place of an assignment that only the return reads."""
        start = f"{name} = "
        if not name.isidentifier() or line.depth or not line.code.startswith(start):
            return None
        return Line(f"return {line.code.removeprefix(start)}", line.comment)

    def _last_uses(self, results: Sequence[Ref]) -> dict[Ref, int]:
        """The last item that reads each value; a function whose value nobody reads reads nothing itself."""
        last = {self._actual(ref): len(self.items) for ref in results}
        for i, item in reversed(list(enumerate(self.items))):
            if self._runs(item, last):
                for ref in (*item.inputs, *item.dims, *self._passed(item)):
                    last.setdefault(self._actual(ref), i)
        return last

    def _runs(self, item: Item, last: Mapping[Ref, int]) -> bool:
        """Whether a class has a statement for it: what is read, and modules, which may keep count of their calls."""
        if self.pattern.varies(item.unit):
            return True
        return not item.step.left_out and bool(item.step.member or any(ref in last for ref in item.results))

    def _passed(self, item: Item) -> list[Ref]:
        refs = []
        if item.step.passed is not None:
            refs.append(self._ref(item.step.passed))
        if self.pattern.varies(item.unit):
            refs.append(self._left_out(item.unit))
        return refs

    def _ref(self, value: Value) -> Ref:
        for refs in self.pattern.refs:
            if value in refs:
                return refs[value]
        raise KeyError(value.name)

    def _left_out(self, unit: int) -> Ref:
        """What goes on where an optional unit is left out."""
        use = next(i for i, units in enumerate(self.pattern.units) if not units[unit].present)
        step = self.pattern.units[use][unit].steps[0]
        return self.pattern.refs[use][step.inputs[0]]

    def _actual(self, ref: Ref) -> Ref:
        """Where a unit is left out everywhere, what goes on in its place."""
        while ref[0] != "in":
            unit = ref[0]
            if any(units[unit].present for units in self.pattern.units):
                break
            ref = self._left_out(unit)
        return ref

    def _name_inputs(self) -> None:
        inputs = list(self.level.inputs) or [v.name for v in taken(self.level)]
        single = len(inputs) == 1
        for i, name in enumerate(inputs):
            wanted = (
                "x" if single or (i == 0 and not self.level.inputs) or name in ("in", "input") else identifier(name)
            )
            self._hold(("in", i), self.names.fresh(wanted))

    @property
    def arguments(self) -> list[str]:
        count = len(self.level.inputs) or len(taken(self.level))
        return [self.variables[("in", i)] for i in range(count)]

    def _statement(self, at: int) -> tuple[int, list[Line]]:
        """The statement that begins with item `at`, and where the next begins."""
        item = self.items[at]
        if not self._runs(item, self.last):
            return at + 1, []
        text = self._expression(item)
        calls = bool(item.step.member)
        while (after := self._follows(at)) and len(longer := self._expression(after, inner=text)) <= NESTED:
            if calls and after.step.member:
                break
            calls = calls or bool(after.step.member)
            text, at, item = longer, at + 1, after
        if item.step.op is not None and item.step.op.source and item.step.member:
            self._hold(item.results[0], text)
            return at + 1, []
        target = self._target(item, at)
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
        if self._gated(after) or self._gated(item) or len(item.results) != 1:
            return None
        ref = item.results[0]
        once = after.inputs == [ref] and self.last.get(ref) == at + 1 and ref not in after.dims
        same = self.pattern.varies(after.unit) == self.pattern.varies(item.unit)
        return after if once and same and not after.step.left_out else None

    def _optional(self, at: int) -> tuple[int, list[Line]]:
        """Statements of a unit that some uses leave out."""
        unit = self.items[at].unit
        stop = at
        while stop < len(self.items) and self.items[stop].unit == unit:
            stop += 1
        before = self.variables[self._actual(self._left_out(unit))]
        test = self._test(unit, at)
        if stop == at + 1 and len(self.items[at].results) == 1:
            text = self._expression(self.items[at])
            target = self._target(self.items[at], at)
            there = Line(f"{target} = {text}", self._comment(self.items[at]))
            if target == before:
                return stop, [Line(f"if {test}:"), there.deeper]
            one = f"{target} = {text} if {test} else {before}"
            if len(one) <= NESTED + 12:
                return stop, [Line(one, self.shapes.of_either(unit))]
            return stop, [Line(f"{target} = {before}"), Line(f"if {test}:"), there.deeper]
        end = self.items[stop - 1].results[0]
        if self.last.get(self._actual(self._left_out(unit)), at) < stop:
            self._hold(end, before)
        inner: list[Line] = []
        cursor = at
        while cursor < stop:
            cursor, some = self._statement(cursor)
            inner += some
        otherwise = [Line("else:"), Line(f"{self.variables[end]} = {before}", depth=1)]
        otherwise = [] if self.variables[end] == before else otherwise
        return stop, [Line(f"if {test}:"), *(line.deeper for line in inner), *otherwise]

    def _test(self, unit: int, at: int) -> str:
        for item in self.items[at:]:
            if item.unit == unit and item.step.member and not item.step.again:
                return f"{self._member(item.step)} is not None"
        step = self.items[at].step
        return self.keeper.tested(unit, type(step.op).__name__.lower() if step.name.isdecimal() else step.name)

    def _target(self, item: Item, at: int) -> str:
        """The variables that a statement assigns, unpacked as torch nests its results."""
        if item.step.body is not None or not isinstance(item.step.results, tuple):
            return ", ".join(self._assign(ref, item, at) if ref in self.last else "_" for ref in item.results)
        text = self._unpacked(item.step.results, iter(item.results), item, at)
        return text if text == "_" else text[1:-1].rstrip(",")

    def _unpacked(self, shape: Any, refs: Any, item: Item, at: int) -> str:
        if isinstance(shape, tuple):
            inner = [self._unpacked(part, refs, item, at) for part in shape]
            if all(text == "_" for text in inner):
                return "_"
            return f"({', '.join(inner)}{',' if len(inner) == 1 else ''})"
        ref = next(refs)
        return self._assign(ref, item, at) if ref in self.last else "_"

    def _assign(self, ref: Ref, item: Item, at: int) -> str:
        """The variable for a new value: the flowing `x` for what the next step takes, else a name of its own."""
        if ref in self.variables:
            return self.variables[ref]
        flow = next((n for n in ("x", "out") if self.until.get(n, at) <= at), "")
        passing = self.last.get(ref, at) <= at + 1 and len(item.results) == 1
        name = flow if flow and passing else self._fresh(item, ref)
        self.names.taken.add(name)
        self._hold(ref, name)
        return name

    def _hold(self, ref: Ref, name: str) -> None:
        """Let the variable `name` stand for a value."""
        self.variables[ref] = name
        self.until[name] = max(self.until.get(name, -1), self.last.get(ref, -1))

    def _fresh(self, item: Item, ref: Ref) -> str:
        """A name for a value that is read later: the step's own, or that of the part."""
        step = item.step
        value = next((v for v in made(step) if self._ref(v) == ref), step.value)
        part = value.name.removeprefix(f"{step.name}.") if value is not step.value or len(item.results) > 1 else ""
        name = part.rpartition(".")[2] or step.name
        if name.isdecimal():
            stem = step.name if not step.name.isdecimal() else "x"
            name = f"{stem}{name}" if stem == "x" or part else stem
        return self.names.fresh(identifier(name))

    # --- expressions ----------------------------------------------------------------------------

    def _expression(self, item: Item, inner: str = "") -> str:
        step = item.step
        inputs = [inner] if inner else [self.variables[self._actual(r)] for r in item.inputs]
        if step.body is not None:
            inputs[0] = leading(step.body, inputs[0]) if inputs else ""
            text = f"{self._member(step)}({', '.join(inputs)})"
        elif step.member and step.op is not None and step.op.source:
            text = self._member(step)
        elif step.member and step.op is not None:
            text = f"{self._member(step)}({', '.join(step.op.adapt(inputs))})"
        else:
            text = self._function(item, inputs)
        if not self._gated(item):
            return text
        test = "self.training" if step.training else "not self.training"
        assert step.passed is not None
        return f"{text} if {test} else {self.variables[self._actual(self._ref(step.passed))]}"

    def _gated(self, item: Item) -> bool:
        """Whether it is for forward to ask if the network is in training: a dropout asks for itself."""
        op, passed = item.step.op, item.step.passed
        if item.step.training is None or passed is None:
            return False
        asks = item.step.training and op is not None and op.only_in_training
        return not (asks and self._actual(item.inputs[0]) == self._actual(self._ref(passed)))

    def _function(self, item: Item, inputs: list[str]) -> str:
        op = item.step.op
        assert op is not None
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in item.aligned]
            values[name] = self._value(series, name, item)
        device = [self.variables[self._actual(item.dims[0])]] if op.needs_device and item.dims else []
        text = op.replace(**values).call([*device, *inputs])
        assert text is not None
        return text

    def _value(self, series: list[Any], name: str, item: Item) -> Any:
        """What to print for an argument: its value, or where uses differ, the attribute that holds it."""
        present = [v for v in series if v is not ABSENT]
        if any(isinstance(v, Dim) for v in present):
            texts = {self._size(v, item, use) for use, v in enumerate(series) if v is not ABSENT}
            if len(texts) == 1:  # sizes that differ may be read in one way
                return Code(*texts)
        if all(type(v) is type(present[0]) and v == present[0] for v in present):
            return self._known(present[0], item)
        if all(isinstance(v, tuple) and len(v) == len(present[0]) for v in present):
            columns = ([v if v is ABSENT else v[i] for v in series] for i in range(len(present[0])))
            return tuple(self._value(column, name, item) for column in columns)
        return Code(self.keeper.stored(series, name, item.step.written.get(name, "")))

    def _known(self, value: Any, item: Item) -> Any:
        """`value` with run-time sizes as the code that reads them."""
        if isinstance(value, Dim):
            return Code(self._size(value, item, next(u for u, s in enumerate(item.aligned) if s is not None)))
        if isinstance(value, tuple | list):
            return type(value)(self._known(v, item) for v in value)
        return value

    def _size(self, size: Size, item: Item, use: int) -> str:
        """`size` of one use as code over the values that the step takes or that are kept for it."""
        reach: dict[Dim, str] = {}
        for ref in [*item.dims, *item.inputs] if item.own else [*item.inputs, *item.dims]:
            tensor, name = self.tensors[use].get(ref), self.variables.get(self._actual(ref))
            if tensor is not None and name is not None:
                for axis, known in enumerate(tensor.shape):
                    if isinstance(known, Dim):
                        reach.setdefault(known, f"{name}.shape[{axis}]")
        return written(size, reach)

    def _comment(self, item: Item) -> str:
        """The shape that comes out; where it is another in training than outside, both."""
        said = self.shapes.of_step(item.unit, item.place)
        other = self.shapes.of_passed(item.unit, item.place) if item.step.training is not None else said
        if other == said or not said:
            return said
        return f"{said}, {'outside' if item.step.training else 'in'} training {other}" if other else ""


def _sizes(step: Step) -> list[Dim]:
    """The run-time sizes among the arguments of a step that is no member."""
    if step.op is None or step.member:
        return []
    return [size for name in step.op.fields for size in _dims(getattr(step.op, name))]


def _dims(value: Any) -> list[Dim]:
    if isinstance(value, Dim):
        return [value]
    return [d for v in value for d in _dims(v)] if isinstance(value, tuple | list) else []


class _Read(dict[Dim, str]):
    """Sizes by the values that show them; notes which are asked for."""

    def __init__(self, shown: Mapping[Size, Value]) -> None:
        super().__init__((size, value.name) for size, value in shown.items() if isinstance(size, Dim))
        self.shown = shown
        self.used: list[Value] = []

    def __getitem__(self, size: Dim) -> str:
        self.used.append(self.shown[size])
        return super().__getitem__(size)
