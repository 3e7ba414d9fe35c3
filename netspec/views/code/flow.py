"""How values flow through a class: its steps, what each reads and makes, and how long that is needed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from netspec.dims import Dim, Size
from netspec.graph.combining import symbols
from netspec.graph.model import Level, Step, Value
from netspec.graph.uses import given, made, open_sizes, readings, taken
from netspec.layers.dropout import Dropping
from netspec.layers.linear import Identity
from netspec.python.nodes import named
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.sizes import written

NOTHING: Final = ast.Constant(None)


@dataclass(slots=True)
class Item:
    """One step of the class, with the places of what it takes and makes."""

    unit: int
    place: int
    """Its place in the unit."""
    aligned: list[Step | None]
    """The same step in each use of the class; None where a use leaves it out."""
    step: Step
    inputs: list[Ref]
    """The values that its call passes on, in order."""
    results: list[Ref]
    """The values that it makes, flat."""
    dims: list[Ref]
    """Values whose shape gives the step a size that only the run knows."""
    own: bool
    """Whether such sizes differ between uses, which all read them from what the block is given."""
    module: Ref | None = None
    """What the module is that it runs, where that is no member of the class."""

    @property
    def reads(self) -> list[Ref]:
        """All that it reads where it runs."""
        return [*self.inputs, *self.dims, *([self.module] if self.module is not None else [])]


class Flow:
    """The steps of one class in order, alike in all its uses."""

    def __init__(self, pattern: Pattern, results: Sequence[Ref]) -> None:
        """`results` are what the class gives."""
        self.pattern = pattern
        self.uses = range(len(pattern.levels))
        self.idle: dict[Ref, Ref] = {}
        """What a function gives that changes nothing, with what it is given."""
        self.items = self._items()
        self.last = self._last_uses(results)
        """The last item that reads each value."""

    def _items(self) -> list[Item]:
        """The steps of the class in order, seen from a use that has them."""
        items = []
        for u in range(len(self.pattern.units[0])):
            use = next((i for i in self.uses if self.pattern.unit(i, u).present), 0)
            refs = self.pattern.refs[use]
            for s, step in enumerate(self.pattern.unit(use, u).steps):
                inputs = [refs[v] for v in given(step)]
                aligned = self.pattern.aligned(u, s)
                if _is_idle(aligned) and not self.pattern.varies(u):
                    self.idle[refs[step.value]] = inputs[0]
                    continue
                own = len({tuple(open_sizes(other)) for other in aligned if other is not None}) > 1
                dims = [refs[v] for v in self._sized(step, self.pattern.levels[use], own)]
                module = refs[step.module] if step.module is not None else None
                items.append(Item(u, s, aligned, step, inputs, [refs[v] for v in made(step)], dims, own, module))
        return items

    def _sized(self, step: Step, level: Level, own: bool) -> list[Value]:
        """Values that tell the run-time sizes among a step's arguments, and its device."""
        return list(dict.fromkeys([*readings(step), *self._telling(step, level, own)]))

    def _telling(self, step: Step, level: Level, own: bool) -> list[Value]:
        sizes = open_sizes(step)
        if not sizes and not (step.op and not step.member and step.op.needs_device):
            return []
        sources = [*taken(level), *given(step)] if own else [*given(step), *taken(level)]
        read = _Read({size: v for v in reversed(sources) if v.tensor for size in v.tensor.shape})
        for size in sizes:
            written(size, read)
        return list(dict.fromkeys(read.used or sources[:1]))

    def _last_uses(self, results: Sequence[Ref]) -> dict[Ref, int]:
        """The last item that reads each value; what has a value that nobody reads, reads nothing itself."""
        last = {self.actual(ref): len(self.items) for ref in results}
        level = self.pattern.levels[0]
        if level.repeats_body:  # what is around is read again in each run
            last |= {("in", i): len(self.items) for i in range(len(level.inputs), len(taken(level)))}
        for i, item in reversed(list(enumerate(self.items))):
            if self._runs(item, last):
                for ref in (*item.reads, *self._passed(item)):
                    last.setdefault(self.actual(ref), i)
        return last

    def runs(self, item: Item) -> bool:
        """Whether forward has a statement for it: what is read, and modules with buffers, which calls may change."""
        return self._runs(item, self.last)

    def _runs(self, item: Item, last: Mapping[Ref, int]) -> bool:
        """Whether anything reads what an item gives, where `last` says what is read."""
        if item.step.left_out:
            return False
        return any(ref in last for ref in item.results) or (bool(item.step.member) and _has_buffers(item.step))

    def _passed(self, item: Item) -> list[Ref]:
        """The values that go on where it does not run."""
        refs = []
        if item.step.passed is not None:
            refs.append(self.ref(item.step.passed))
        if self.pattern.varies(item.unit):
            refs.append(self.left_out(item.unit))
        return refs

    def ref(self, value: Value) -> Ref:
        """The place of a value, from a use that has it."""
        for refs in self.pattern.refs:
            if value in refs:
                return refs[value]
        raise KeyError(value.name)

    def left_out(self, unit: int) -> Ref:
        """What goes on where an optional unit is left out."""
        use = next(i for i in self.uses if not self.pattern.unit(i, unit).present)
        step = self.pattern.unit(use, unit).steps[0]
        return self.pattern.refs[use][step.inputs[0]]

    def actual(self, ref: Ref) -> Ref:
        """Where a unit is left out everywhere, or changes nothing, what goes on in its place."""
        while ref[0] != "in":
            unit = ref[0]
            if ref in self.idle:
                ref = self.idle[ref]
                continue
            if any(self.pattern.unit(use, unit).present for use in self.uses):
                break
            ref = self.left_out(unit)
        return ref

    def gated(self, item: Item) -> bool:
        """Whether it is for forward to ask if the network is in training: a dropout asks for itself."""
        op, passed = item.step.op, item.step.passed
        if item.step.training is None or passed is None:
            return False
        asks = item.step.training and op is not None and op.only_in_training
        return not (asks and self.actual(item.inputs[0]) == self.actual(self.ref(passed)))


def _is_idle(aligned: Sequence[Step | None]) -> bool:
    """Whether a step is a function that changes nothing in any use, whatever arguments the class is given."""
    if all(step is not None and isinstance(step.op, Identity) and not step.member for step in aligned):
        return all(step is not None and step.training is None for step in aligned)
    for step in aligned:
        idle = step is not None and isinstance(step.op, Dropping) and step.op.p == 0 and not step.member
        if step is None or not idle or step.training is not None or symbols(step.origins.get("p", NOTHING)):
            return False
    return True


def _has_buffers(step: Step) -> bool:
    """Whether a step has buffers, its own or of what it calls."""
    return bool(step.buffers()) or (step.body is not None and any(True for _ in step.body.buffers()))


class _Read(dict[Dim, ast.expr]):
    """Sizes by the values that show them; notes which are asked for."""

    def __init__(self, shown: Mapping[Size, Value]) -> None:
        super().__init__((size, named("x")) for size in shown if isinstance(size, Dim))
        self.shown = shown
        self.used: list[Value] = []

    def __getitem__(self, size: Dim) -> ast.expr:
        self.used.append(self.shown[size])
        return super().__getitem__(size)
