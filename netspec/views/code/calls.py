"""The calls in forward: each step as an expression over variables and attributes."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

from netspec.dims import Dim, Size
from netspec.graph.measured import Measure, Reading
from netspec.graph.model import Step, Value
from netspec.graph.uses import taken
from netspec.language.rows import template
from netspec.ops.writing import method
from netspec.python.layout import Line
from netspec.python.literals import Code, literal
from netspec.python.names import identifier
from netspec.views.code.containers import containers, reference
from netspec.views.code.flow import Item
from netspec.views.code.patterns import Pattern
from netspec.views.code.readings import Unreadable, means, read
from netspec.views.code.sequences import around, leading
from netspec.views.code.sizes import written
from netspec.views.code.slots import ABSENT, equal
from netspec.views.code.variables import Variables


class Keeper(Protocol):
    """Keeps arguments of the constructor where forward can read them."""

    def stored(self, series: list[Any], name: str, written: str) -> str:
        """How forward reads a value that differs between uses."""

    def tested(self, unit: int, name: str) -> str:
        """How forward asks whether an optional unit is there."""


class Calls:
    """Writes the expressions of one class's steps."""

    def __init__(self, pattern: Pattern, variables: Variables, keeper: Keeper) -> None:
        self.pattern = pattern
        self.variables = variables
        self.flow = variables.flow
        self.keeper = keeper
        self.level = pattern.levels[0]
        self.base = pattern.base
        self.containers = containers(self.level)
        self.members: dict[Step, str] = {}
        """Members that are variables of forward."""
        self.tensors = [{ref: value.tensor for value, ref in refs.items()} for refs in pattern.refs]
        """For each use, what its values are."""

    def unpacked_members(self) -> list[Line]:
        """Where names differ between uses, forward takes the members in their order: `conv, norm = self.children()`."""
        if not self.pattern.renamed:
            return []
        for step in self.level.members.values():
            plain = "".join(part for part in template(step.template or step.member) if isinstance(part, str))
            self.members[step] = self.variables.names.fresh(identifier(plain or "member"))
        names = ", ".join(self.members.values())
        return [Line(f"{names}{',' if len(self.members) == 1 else ''} = self.children()")]

    def member(self, step: Step) -> str:
        """How forward names a member."""
        local = self.members.get(self.level.members.get(step.member, step))
        if self.base != "nn.Module" and "." not in step.member:
            return f"self[{step.member if self.base == 'nn.ModuleList' else literal(step.member)}]"
        return local or reference(step.member, self.containers)

    def expression(self, item: Item, inner: str = "") -> str:
        step = item.step
        inputs = [inner] if inner else [self.variables.read(r) for r in item.inputs]
        if step.body is not None:
            inputs[:1] = [leading(step.body, text) for text in inputs[:1]]
            text = f"{self.member(step)}({', '.join(inputs)})"
        elif step.member and step.op is not None and step.op.source:
            text = self.member(step)
        elif step.member and step.op is not None:
            text = f"{self.member(step)}({', '.join(step.op.adapt(inputs))})"
        else:
            text = self._function(item, inputs)
        if not self.flow.gated(item):
            return text
        test = "self.training" if step.training else "not self.training"
        assert step.passed is not None
        return f"{text} if {test} else {self.variables.read(self.flow.ref(step.passed))}"

    def _function(self, item: Item, inputs: list[str]) -> str:
        op = item.step.op
        assert op is not None
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in item.aligned]
            measures = [None if s is None else s.measures.get(name) for s in item.aligned]
            values[name] = self._value(series, name, item, measures)
        device = [self.variables.read(item.dims[0])] if op.needs_device and item.dims else []
        dtype = self._dtype() if self._makes_floats(item.step) else ""
        typed = [dtype] if dtype and (device or op.takes_dtype) else []
        text = op.replace(**values).call([*device, *inputs, *typed])
        assert text is not None
        return method(text, "to", dtype) if dtype and not typed else text

    def _makes_floats(self, step: Step) -> bool:
        """Whether floats come out of what takes none, or a cast: torch would take its own default dtype for them."""
        assert step.op is not None
        made = (
            isinstance(step.results, Value) and step.value.tensor is not None and step.value.tensor.dtype == "float32"
        )
        none = all(value.tensor is None or value.tensor.dtype != "float32" for value in step.inputs)
        return made and (none or step.op.takes_dtype)

    def _dtype(self) -> str:
        """How forward reads the dtype that the network computes in; empty where nothing in the class has it."""
        levels = self.pattern.levels
        if all(any(True for _ in level.parameters()) for level in levels):
            return "next(self.parameters()).dtype"
        for i, value in enumerate(taken(levels[0])):
            if value.tensor is not None and value.tensor.dtype == "float32":
                return f"{self.variables.read(('in', i))}.dtype"
        return ""

    def _value(self, series: list[Any], name: str, item: Item, measures: Sequence[Measure] = ()) -> Any:
        """What to print for an argument: its value, or where uses differ, the attribute that holds it.

        Where it asks for sizes, `measures` say in each use how they are read.
        """
        if any(measures) and (read := self._read(series, name, item, measures)) is not None:
            return read
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

    def _read(self, series: list[Any], name: str, item: Item, measures: Sequence[Measure]) -> Any:
        """An argument as forward reads it from the sizes of its values; None where uses read it differently."""
        uses = [use for use, value in enumerate(series) if value is not ABSENT]
        if all(isinstance(measures[use], tuple) for use in uses):
            parts = []
            for i in range(len(series[uses[0]])):
                of = [ABSENT if v is ABSENT else v[i] for v in series]
                parts.append(self._value(of, name, item, [m[i] if isinstance(m, tuple) else None for m in measures]))
            return tuple(parts)
        found = set()
        try:
            for use in uses:
                tree = measures[use]
                if not isinstance(tree, ast.expr) or not means(tree, partial(self._argument, use), series[use]):
                    return None
                found.add(read(tree, partial(self._shape, use), self._stored))
        except Unreadable:
            return None
        return found.pop() if len(found) == 1 else None

    def _shape(self, use: int, reading: Reading) -> str:
        """How forward reads a size of a value. Raises Unreadable."""
        ref = self.pattern.refs[use].get(reading.value)
        name = self.variables.held.get(self.flow.actual(ref)) if ref is not None else None
        if name is None:
            raise Unreadable
        return f"{name}.shape[{reading.axis}]"

    def _argument(self, use: int, name: str) -> Any:
        """What an argument of the block is in a use."""
        block = around(self.pattern.levels[use])
        return block.params[name] if block is not None else None

    def _stored(self, name: str) -> Any:
        """How forward reads an argument of the block."""
        series = [self._argument(use, name) for use in range(len(self.pattern.levels))]
        same = all(equal(value, series[0]) for value in series)
        return series[0] if same else Code(self.keeper.stored(series, name, name))

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
            tensor, name = self.tensors[use].get(ref), self.variables.held.get(self.flow.actual(ref))
            if tensor is not None and name is not None:
                for axis, known in enumerate(tensor.shape):
                    if isinstance(known, Dim):
                        reach.setdefault(known, f"{name}.shape[{axis}]")
        return written(size, reach)
