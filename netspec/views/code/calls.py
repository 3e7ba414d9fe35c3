"""The calls in forward: each step as an expression over variables and attributes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from netspec.dims import Dim, Size
from netspec.emit.torch import Where, arguments, called
from netspec.graph.combining import symbols
from netspec.graph.measured import Measure
from netspec.graph.model import Step, Value
from netspec.graph.symbols import root_symbol
from netspec.graph.uses import taken
from netspec.ops.arithmetic import Add, Div, Mul, Pow, RPow
from netspec.python.nodes import (
    Code,
    assign,
    attribute,
    call,
    either,
    method,
    named,
    same,
    stored,
    valued,
)
from netspec.python.nodes import (
    item as indexed,
)
from netspec.views.code.constructors import origins
from netspec.views.code.containers import SELF, containers, reference
from netspec.views.code.flow import Item
from netspec.views.code.patterns import Pattern
from netspec.views.code.proving import value as evaluated
from netspec.views.code.readings import Unreadable, means, read
from netspec.views.code.sequences import around, leading
from netspec.views.code.sizes import written
from netspec.views.code.slots import ABSENT, root_of
from netspec.views.code.variables import Variables

TRAINING = named("self.training")
OPERANDS: Final[Mapping[type, str]] = {Mul: "factor", Div: "divisor", Pow: "exponent", RPow: "base"}
"""What a number is called that stands in the place of a second input."""


class Keeper(Protocol):
    """Keeps arguments of the constructor where forward can read them."""

    def stored(self, series: list[Any], name: str, origins: Sequence[ast.expr | None]) -> Any:
        """What forward takes for an argument: a value, or code that reads one of the constructor's arguments."""

    def is_argument(self, aligned: Sequence[Step | None]) -> bool:
        """Whether an argument says which operation a step is."""

    def chosen(self, aligned: Sequence[Step | None], name: str) -> ast.expr:
        """How forward reads a module where an argument says which that is."""

    def tested(self, unit: int, name: str) -> ast.expr:
        """How forward asks whether an optional unit is there."""

    def counts(self, repeat: int) -> bool:
        """Whether a repeat has as many rounds as the arguments say, and the constructor registers its members so."""

    def times(self, repeat: int) -> ast.expr:
        """How forward reads how many rounds that has."""


class Calls:
    """Writes the expressions of one class's steps."""

    def __init__(self, pattern: Pattern, variables: Variables, keeper: Keeper) -> None:
        """`keeper` hands out what forward reads from the constructor."""
        self.pattern = pattern
        self.variables = variables
        self.flow = variables.flow
        self.keeper = keeper
        self.level = pattern.levels[0]
        self.base = pattern.base
        self.containers = containers(self.level)
        self.members: dict[Step, ast.expr] = {}
        """Members that are variables of forward."""
        self.turns: dict[Step, ast.expr] = {}
        """Steps of a loop's round, with the variable that holds its module."""
        self.tensors = [{ref: value.tensor for value, ref in refs.items()} for refs in pattern.refs]
        """For each use, what its values are."""
        for path in self.level.lent:
            self.variables.held["in", path] = reference(path, self.containers)

    def unpacked_members(self) -> list[ast.stmt]:
        """Where names differ between uses, forward takes the members in their order: `conv, norm = self.children()`."""
        if not self.pattern.renamed:
            return []
        names: list[ast.expr] = []
        for step in self.level.members.values():
            plain = "".join(part for part in step.template or (step.member,) if isinstance(part, str))
            name = self.variables.of_module(plain or "member")
            self.members[step] = named(name)
            names.append(stored(name))
        return [assign(ast.Tuple(names, ast.Store()), method(SELF, "children"))]

    def member(self, step: Step) -> ast.expr:
        """How forward names a member, or the module of a level further out that a step runs."""
        if step.module is not None:
            return self.variables.read(self.flow.ref(step.module))
        local = self.members.get(self.level.members.get(step.member, step))
        if step in self.turns:
            return self.turns[step]
        if self.base != "nn.Module" and "." not in step.member:
            return indexed(SELF, valued(int(step.member) if self.base == "nn.ModuleList" else step.member))
        return local or reference(step.member, self.containers)

    def expression(self, item: Item, inner: ast.expr | None = None) -> ast.expr:
        """A step's value over variables and members; `inner` stands in place of its only input."""
        step = item.step
        inputs = [inner] if inner is not None else self.variables.each(item.inputs)
        if step.body is not None:
            inputs[:1] = [leading(step.body, given) for given in inputs[:1]]
            node: ast.expr = call(self.member(step), *inputs)
        elif step.member and step.op is not None and step.op.source:
            node = self.member(step)
        elif step.member and step.op is not None:
            node = call(self.member(step), *arguments(step.op, inputs))
        else:
            node = self._function(item, inputs)
        if not self.flow.gated(item):
            return node
        assert step.passed is not None
        test = TRAINING if step.training else ast.UnaryOp(ast.Not(), TRAINING)
        return either(test, node, self.variables.read(self.flow.ref(step.passed)))

    def _function(self, item: Item, inputs: list[ast.expr]) -> ast.expr:
        """The call of an operation without a module; what differs between uses is an argument of the constructor."""
        op = item.step.op
        assert op is not None
        if self.keeper.is_argument(item.aligned):
            return call(self.keeper.chosen(item.aligned, item.step.name), *inputs)
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in item.aligned]
            measures = [None if s is None else s.measures.get(name) for s in item.aligned]
            values[name] = self._value(series, name, item, origins(item.aligned, name), measures)
        like = self.variables.read(item.dims[0]) if op.needs_device and item.dims else None
        dtype = self._dtype() if self._makes_floats(item.step) else None
        typed = dtype if like is not None or op.takes_dtype else None
        if isinstance(op, Add) and isinstance(last := inputs[-1], ast.Starred):
            return call("sum", last.value, *inputs[:-1])
        node = called(op.replace(**values), inputs, Where(like, typed))
        return method(node, "to", dtype) if dtype is not None and typed is None else node

    def _makes_floats(self, step: Step) -> bool:
        """Whether floats come out of what takes none, or a cast: torch would take its own default dtype for them."""
        assert step.op is not None
        made = (
            isinstance(step.results, Value) and step.value.tensor is not None and step.value.tensor.dtype == "float32"
        )
        none = all(value.tensor is None or value.tensor.dtype != "float32" for value in step.inputs)
        return made and (none or step.op.takes_dtype)

    def _dtype(self) -> ast.expr | None:
        """How forward reads the dtype that the network computes in; None where nothing in the class has it."""
        levels = self.pattern.levels
        if all(any(True for _ in level.parameters()) for level in levels):
            return attribute(call("next", method(SELF, "parameters")), "dtype")
        for i, value in enumerate(taken(levels[0])):
            if value.tensor is not None and value.tensor.dtype == "float32":
                return attribute(self.variables.read(("in", i)), "dtype")
        return None

    def _value(
        self,
        series: list[Any],
        name: str,
        item: Item,
        said: Sequence[ast.expr | None],
        measures: Sequence[Measure] = (),
    ) -> Any:
        """What to print for an argument: its value, or where uses differ, the attribute that holds it.

        `said` are the expressions that gave it. Where it asks for sizes, `measures` say in each use how they are read.
        """
        if any(measures) and (read := self._read(series, name, item, said, measures)) is not None:
            return read
        present = [v for v in series if v is not ABSENT]
        if any(isinstance(v, Dim) for v in present):
            first, *others = [self._size(v, item, use) for use, v in enumerate(series) if v is not ABSENT]
            if all(same(first, other) for other in others):  # sizes that differ may be read in one way
                return Code(first)
            if all(v == present[0] for v in present):
                return self._known(present[0], item)
        if any(isinstance(v, tuple) and any(isinstance(part, Dim) for part in v) for v in present):
            columns = ([v if v is ABSENT else v[i] for v in series] for i in range(len(present[0])))
            return tuple(self._value(column, name, item, _entries(said, i)) for i, column in enumerate(columns))
        called = OPERANDS.get(type(item.step.op), name) if name == "other" else name
        return self.keeper.stored(series, called, said)

    def _read(
        self, series: list[Any], name: str, item: Item, said: Sequence[ast.expr | None], measures: Sequence[Measure]
    ) -> Any:
        """An argument as forward reads it from the sizes of its values; None where uses read it differently."""
        uses = [use for use, value in enumerate(series) if value is not ABSENT]
        if all(isinstance(measures[use], tuple) for use in uses):
            parts = []
            for i in range(len(series[uses[0]])):
                of = [ABSENT if v is ABSENT else v[i] for v in series]
                each = [m[i] if isinstance(m, tuple) else None for m in measures]
                parts.append(self._value(of, name, item, _entries(said, i), each))
            return tuple(parts)
        trees: dict[int, ast.expr] = {}
        for use in uses:
            tree = measures[use]
            if not isinstance(tree, ast.expr) or not means(tree, partial(self._argument, use), series[use]):
                return None
            trees[use] = tree
        try:
            found = [read(tree, partial(self._shape, use), lambda node: Code(node)) for use, tree in trees.items()]
        except Unreadable:
            return None
        if any(other != found[0] for other in found):
            return None
        return read(trees[uses[0]], partial(self._shape, uses[0]), self._stored)

    def _shape(self, use: int, value: Value) -> ast.expr:
        """How forward reads the shape of a value. Raises Unreadable."""
        ref = self.pattern.refs[use].get(value)
        held = self.variables.held.get(self.flow.actual(ref)) if ref is not None else None
        if held is None:
            raise Unreadable
        return attribute(held, "shape")

    def _argument(self, use: int, node: ast.expr) -> Any:
        """What an argument of the block or of the network, or an entry of one, is in a use. Raises Unproved."""
        level = self.pattern.levels[use]
        block = around(level)
        known = {root_symbol(name): param for name, param in root_of(level).params.items()}
        return evaluated(node, {**known, **(block.params if block is not None else {})})

    def _stored(self, node: ast.expr) -> Any:
        """How forward reads an argument of the block or of the network, or an entry of one."""
        series = [self._argument(use, node) for use in range(len(self.pattern.levels))]
        (name,) = symbols(node)
        return self.keeper.stored(series, name.removeprefix(root_symbol("")), [node] * len(series))

    def _known(self, value: Any, item: Item) -> Any:
        """`value` with run-time sizes as the code that reads them."""
        if isinstance(value, Dim):
            return Code(self._size(value, item, next(u for u, s in enumerate(item.aligned) if s is not None)))
        if isinstance(value, tuple | list):
            return type(value)(self._known(v, item) for v in value)
        return value

    def _size(self, size: Size, item: Item, use: int) -> ast.expr:
        """`size` of one use as code over the values that the step takes or that are kept for it."""
        reach: dict[Dim, ast.expr] = {}
        for ref in [*item.dims, *item.inputs] if item.own else [*item.inputs, *item.dims]:
            tensor, held = self.tensors[use].get(ref), self.variables.held.get(self.flow.actual(ref))
            if tensor is not None and held is not None:
                for axis, known in enumerate(tensor.shape):
                    if isinstance(known, Dim):
                        reach.setdefault(known, indexed(attribute(held, "shape"), valued(axis)))
        return written(size, reach)


def _entries(nodes: Sequence[ast.expr | None], place: int) -> list[ast.expr | None]:
    """One entry of each of these lists that are written out; None of anything else."""
    lists = (node.elts if isinstance(node, ast.Tuple | ast.List) else () for node in nodes)
    return [entries[place] if place < len(entries) else None for entries in lists]
