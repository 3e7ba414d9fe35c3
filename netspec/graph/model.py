"""What a graph is made of: values that flow, steps that make them, levels that hold steps.

A level is a module; its steps run in order, and those that own something are its members, in the order in which they
are registered. Steps refer to values, never to positions. All of it is frozen: `draft` has it while it is built.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from math import prod
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypeVar

from netspec.dims import Size, substitute
from netspec.displays import Displayed
from netspec.errors import At, Path
from netspec.graph.blocks import Block
from netspec.graph.by_parts import Route, Scan
from netspec.language.rows import Expr, Template
from netspec.layers.base import Layer, Op
from netspec.sections.weights import Weights
from netspec.tensors import Tensor, sample
from netspec.wraps import Wrap, is_adapter

NONE: Final[Mapping[Any, Any]] = MappingProxyType({})
"""No entries; all that has none shares it."""
V_ = TypeVar("V_", bound="Value")


def _none() -> Mapping[Any, Any]:
    """No entries, for the fields that begin without any."""
    return NONE


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """One tensor that flows through the network. `tensor` is None after a problem."""

    name: str
    """What the spec calls it."""
    tensor: Tensor | None
    """Its shape, batch first, and its dtype."""
    level: Level
    """The level that it flows in."""
    step: Step | None = None
    """What makes it; None for an input."""
    parts: Mapping[str, Value] = field(default_factory=dict)
    """The values that are named behind a dot, as `rnn.output`; all parts share them."""
    alias: Self | None = None
    """The value that goes on in this one's place, where its step is left out."""
    module: bool = False
    """Whether it is no tensor but the member that its step has registered, which levels further in run or register."""

    @property
    def lost(self) -> bool:
        """Whether it stands for a step or an input that could not be read."""
        return self.tensor is None and self.step is None

    @property
    def actual(self) -> Self:
        """The value that really flows: this one, or what goes on in its place."""
        value = self
        while value.alias is not None:
            value = value.alias
        return value

    def __repr__(self) -> str:
        return f"<{self.name}: {self.tensor}>"


Results = Value | tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """A `when` that was decided: where it stands and its condition."""

    at: At
    """Where it stands."""
    when: Expr
    """The condition as it is written."""
    origin: ast.expr | None = field(default=None, compare=False)
    """The condition over the symbols of the block that it stands in, where the graph is traced."""


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """One operation, or one call of a level, in its place; with neither, a step that its `when` left out."""

    name: str
    """What the spec calls it, or what it is counted as."""
    level: Level
    inputs: tuple[Value, ...]
    """The values that it is called with, in order; none for a level that takes them from around it."""
    results: Results
    """The values it makes, nested as torch nests them."""
    at: At
    op: Op | None = None
    """The operation, fitted to its inputs."""
    body: Level | None = None
    """The level that it calls."""
    member: str = ""
    """The name under which it is registered as a module or parameter; empty for a function."""
    template: Template = ()
    """The parts of the member's name as it is written, where that is computed: `$(name)conv1`."""
    again: bool = False
    """Whether it runs a member that an earlier step registered."""
    module: Value | None = None
    """What stands for that member where a level further out has it."""
    training: bool | None = None
    """True where it runs only in training, False where only in evaluation."""
    passed: Value | None = None
    """What goes on instead where `training` keeps it from running."""
    idle: bool = False
    """Whether it is registered and not run, as what it gives is read nowhere and only further runs are."""
    wrap: Wrap | None = None
    """How its weight comes about, or is changed: weight_norm, lora and their kin."""
    guard: Guard | None = None
    """The `when` that let it in or left it out."""
    written: Mapping[str, Expr] = field(default_factory=_none)
    """The expressions that arguments came from, by field."""
    measures: Mapping[str, Any] = field(default_factory=_none)
    """Arguments that ask for sizes of values, by field: how they are read where the network runs."""
    origins: Mapping[str, ast.expr] = field(default_factory=_none)
    """These expressions over the symbols of the block around, where the graph is traced; that of its word is empty."""
    spelling: tuple[str | ast.expr, ...] = ()
    """The template's parts, the computed ones over the same symbols."""
    row: object = None
    """What tells the calls of one written row from those of another."""

    @property
    def value(self) -> Value:
        """The first value that it makes: what its bare name stands for."""
        return first(self.results)

    @property
    def first_run(self) -> Step | None:
        """The step that registered the member which it runs again."""
        if self.module is not None:
            return self.module.step
        return self.level.member_at(self.member.split(".")) if self.again else None

    @property
    def left_out(self) -> bool:
        """Whether its `when` left it out, so that nothing runs here."""
        return self.op is None and self.body is None

    @property
    def path(self) -> str:
        """Its name behind those of the levels around it: `encoder.layer1.conv`."""
        return f"{self.level.path}.{self.name}" if self.level.path else self.name

    @property
    def told(self) -> str:
        """What a message calls it: its name, or where that is a number only, its word and its path: `bn body.1`."""
        return f"{self.op.said} {self.path}" if self.op is not None and self.name.isdigit() else self.name

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters of its own operation, by name."""
        if self.op is None or self.wrap is None:
            return self.op.parameters() if self.op is not None else {}
        return self.wrap.parameters(self._layer)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the buffers of its own operation, by name."""
        if self.op is None or self.wrap is None:
            return self.op.buffers() if self.op is not None else {}
        return self.op.buffers() | self.wrap.buffers(self._layer)

    @property
    def _layer(self) -> Layer:
        """The operation of a wrapped step."""
        assert isinstance(self.op, Layer)
        return self.op

    def macs(self) -> Size | None:
        """Multiply-accumulates at batch 1, those of a level included; None where one of them is unknown."""
        if self.left_out or self.idle:
            return 0
        if self.body is not None:
            return self.body.macs()
        tensors = [v.tensor for v in self.inputs]
        output = self.value.tensor
        if self.op is None or output is None or any(t is None for t in tensors):
            return None
        count = self.op.macs([t for t in tensors if t], output)
        if count is not None and self.wrap is not None:
            count = self.wrap.macs(self._layer, count)
        try:
            return None if count is None else substitute(self.level.spread(count), {"B": 1})
        except OverflowError:  # a product of too many sizes that only the run knows
            return None


def first(results: V_ | tuple[Any, ...]) -> V_:
    """The first value of a result: what its bare name stands for."""
    while isinstance(results, tuple):
        results = results[0]
    return results


def flat(results: V_ | tuple[Any, ...]) -> list[V_]:
    """All values of a result, nested as torch nests them, in order."""
    return [v for r in results for v in flat(r)] if isinstance(results, tuple) else [results]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A repeat: over the symbols of the block around what says how many rounds it has, and its steps."""

    number: int
    """What tells it from others in the symbols of its counter."""
    times: ast.expr
    """The count of rounds, or the list of rows that it goes over."""
    count: int
    """The number of rounds that it has here."""
    steps: tuple[Step, ...]
    ends: tuple[int, ...] = ()
    """How many of its steps there are when each round ends."""
    names: tuple[str, ...] = ()
    """What `as` calls the values of a row; one name stands for the row itself."""
    begin: int = 0
    """How many steps of its level are before it, which tells where one without rounds is."""


@dataclass(frozen=True, eq=False, slots=True)
class Level:
    """A module: the root, a use of a block, a list or a mapping."""

    kind: Literal["root", "block", "list", "mapping"]
    """What of the spec it is."""
    name: str = ""
    """Under which it is registered; the network's own for the root."""
    parent: Level | None = None
    """The level around it; None for the root."""
    header: Block | None = None
    """The block that it is a use of."""
    params: Mapping[str, Any] = field(default_factory=_none)
    """The arguments of a block's use, or the params of the whole network."""
    origins: Mapping[str, ast.expr] = field(default_factory=_none)
    """The expression of each over the symbols here, where the graph is traced."""
    measures: Mapping[str, Any] = field(default_factory=dict)
    """Those of them that ask for sizes of the block's inputs, and how they are read."""
    bound: Mapping[str, ast.expr] = field(default_factory=dict)
    """What each symbol of a block stands for over those around it, where the graph is traced."""
    inputs: Mapping[str, Value] = field(default_factory=dict)
    """What the network or a block is called with, by name."""
    steps: Sequence[Step] = field(default_factory=list)
    """In the order of running."""
    members: Mapping[str, Step] = field(default_factory=dict)
    """What is registered in it, by name, in the order of registering."""
    lists: Set[str] = field(default_factory=set)
    """The names before the dot of members such as `convs.0`, which stand in a list."""
    asked: bool = False
    """Whether an expression asks a value here for a size that may not be that of its channels."""
    left: Set[str] = field(default_factory=set)
    """Patterns of the names that members would have which a `when` leaves out."""
    outputs: Results | Mapping[str, Value] | None = None
    """What the network gives: a value, a tuple of them, or several by name. A level has exports."""
    training: Set[Value] = frozenset()
    """Those of the outputs that the network gives in training alone."""
    exports: Mapping[Value, Value] = field(default_factory=dict)
    """For each value outside that the level gives, the value inside; the first is what its name stands for."""
    repeats: Sequence[Repeat] = field(default_factory=list)
    """The repeats of a count in it, where the graph is traced."""
    tables: Sequence[Repeat] = field(default_factory=list)
    """The repeats over rows of a table in it, where the graph is traced."""
    aliases: Mapping[str, Step] = field(default_factory=dict)
    """Members that are registered a second time under these names."""
    borrowed: Mapping[str, Value] = field(default_factory=dict)
    """Those of them that a level further out has, with what stands for them."""
    lent: Mapping[str, Value] = field(default_factory=dict)
    """What stands for members, by their paths from here, that levels inside run or register."""
    source: object = None
    """What tells levels written at one place from others: their uses can share a class."""
    scan: Scan | None = None
    """How it goes along an axis, where it does."""
    route: Route | None = None
    """How it runs experts, where it does."""

    @property
    def repeats_body(self) -> bool:
        """Whether its forward runs its steps for parts of its inputs, one after the other."""
        return self.scan is not None or self.route is not None

    def spread(self, count: Size) -> Size:
        """What one run of a step counts, over all runs in one pass of the network."""
        if self.scan is not None:
            count = count * self.scan.length
        if self.route is not None:
            count = self.route.spread(count)
        return self.parent.spread(count) if self.parent is not None else count

    @property
    def block(self) -> str:
        """The word of the block that it is a use of; empty for any other level."""
        return self.header.word if self.header is not None else ""

    @property
    def path(self) -> str:
        """The names of the levels down to this one, with dots between; empty for the root."""
        parts = []
        level: Level | None = self
        while level is not None and level.parent is not None:
            parts.append(level.name)
            level = level.parent
        return ".".join(reversed(parts))

    def member_at(self, path: Sequence[str]) -> Step | None:
        """The member at the end of a path; a name with a dot in it takes two parts of the path."""
        for count in (1, 2):
            step = self.members.get(".".join(path[:count]))
            if step is not None and len(path) >= count:
                rest = path[count:]
                return step if not rest else step.body.member_at(rest) if step.body is not None else None
        return None

    def left_out(self, prefix: str = "") -> Iterator[str]:
        """Patterns of the paths of what a `when` leaves out."""
        yield from (f"{prefix}{name}" for name in self.left)
        for name, step in self.members.items():
            if step.body is not None:
                yield from step.body.left_out(f"{prefix}{name}.")

    def walk(self) -> Iterator[Step]:
        """Every step, those of inner levels after the step that calls them."""
        for step in self.steps:
            yield step
            if step.body is not None:
                yield from step.body.walk()

    def macs(self) -> Size | None:
        """Multiply-accumulates of one pass at batch 1; None where a step's are unknown."""
        counts = [step.macs() for step in self.steps]
        try:
            return None if any(c is None for c in counts) else sum((c for c in counts if c is not None), 0)
        except OverflowError:  # a sum of too many sizes that only the run knows
            return None

    def parameters(self, prefix: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
        """Parameters as `named_parameters` gives them: own ones first, then member by member."""
        for where, step in self.owners(prefix):
            yield from _named(where, step.parameters())

    def buffers(self, prefix: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
        """Buffers as `named_buffers` gives them, member by member."""
        for where, step in self.owners(prefix):
            yield from _named(where, step.buffers())

    def owners(self, prefix: str = "") -> Iterator[tuple[str, Step]]:
        """The path and the step of every member that is no level, in the order of the state_dict.

        A member that is registered twice comes twice.
        """
        own: list[tuple[str, Step]] = []
        rest: list[tuple[str, Step]] = []
        for member in self.members.items():
            (own if member[1].op is not None and member[1].op.source else rest).append(member)
        for name, step in own + rest:
            where = f"{prefix}{name}"
            if step.body is not None:
                yield from step.body.owners(f"{where}.")
            elif step.value.tensor is not None:
                yield where, step

    def adapters(self) -> frozenset[str]:
        """The names of the small matrices beside the weights of its layers."""
        changed = ((path, step) for path, step in self.owners() if step.wrap is not None and step.wrap.beside)
        return frozenset(f"{path}.{name}" for path, step in changed for name in step.parameters() if is_adapter(name))


def _named(path: str, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The shapes of a module's tensors by their paths in the whole network."""
    return ((f"{path}.{part}" if part else path, shape) for part, shape in shapes.items())


def _aliases(level: Level, prefix: str) -> Iterator[str]:
    """The paths under which members are registered a second time."""
    for name, step in level.members.items():
        if name in level.aliases:
            yield f"{prefix}{name}"
        elif step.body is not None:
            yield from _aliases(step.body, f"{prefix}{name}.")


@dataclass(frozen=True, slots=True, repr=False)
class Graph(Displayed):
    """A whole network. Everything that shows, prints or builds one reads only this."""

    name: str
    """Of its class."""
    root: Level
    """The level that all others are in."""
    ties: Mapping[str, str] = field(default_factory=_none)
    """For each parameter that is another's tensor, the name of that other."""
    init: tuple[Any, ...] = ()
    """The rules of the `init` section."""
    owners: tuple[Any, ...] = ()
    """Every module with parameters, with the rules that fill them; only where there are rules."""
    weights: Weights = field(default_factory=Weights)
    """What the network starts from, and what of it is not trained."""
    idle: tuple[Path, ...] = ()
    """Rules of a spec that this one extends, in whose place its own hold."""
    bound: Mapping[str, tuple[int, ...]] = field(default_factory=_none)
    """The axes of inputs whose sizes the printed network takes as they are here, and no others."""
    lengths: Mapping[str, int | str] = field(default_factory=_none)
    """How many values the printed network wants of arguments that are lists, or which other has as many."""

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What the network takes, by name, batch first unless the spec says otherwise."""
        return {n: v.tensor for n, v in self.root.inputs.items() if v.tensor is not None}

    @property
    def outputs(self) -> dict[str, Tensor]:
        """What the network gives outside training, by name."""
        given = self.results.items()
        return {n: v.tensor for n, v in given if v.tensor is not None and not self.only_in_training(v)}

    @property
    def trained_outputs(self) -> dict[str, Tensor]:
        """What it gives in training, by name."""
        return {n: v.tensor for n, v in self.results.items() if v.tensor is not None}

    @property
    def results(self) -> dict[str, Value]:
        """The values that it gives in training, by the names of the outputs."""
        given = self.root.outputs
        if isinstance(given, Mapping):
            return dict(given)
        return {value.name: value for value in flat(given)} if given is not None else {}

    def only_in_training(self, value: Value) -> bool:
        """Whether the network gives a value in training alone."""
        return value in self.root.training

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Every parameter's shape by its name in the state_dict; a tied one under each of its names."""
        return dict(self.root.parameters())

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Every buffer's shape by its name in the state_dict."""
        return dict(self.root.buffers())

    @property
    def parameter_count(self) -> int:
        """All parameters together; one that is tied, or registered under two names, counts once."""
        again = tuple(f"{name}." for name in _aliases(self.root, ""))
        counted = ((n, s) for n, s in self.parameters().items() if n not in self.ties and not n.startswith(again))
        return sum(prod(map(int, shape)) for _, shape in counted)

    def trained(self) -> dict[str, tuple[int, ...]]:
        """The parameters that training changes, each once, by their first names."""
        again = tuple(f"{name}." for name in _aliases(self.root, ""))
        own = ((n, s) for n, s in self.parameters().items() if n not in self.ties and not n.startswith(again))
        return {n: s for n, s in own if not self.weights.frozen(n)}

    def from_data(self) -> dict[str, Any]:
        """The parameters that a run computes from its training data, each by its name with its initialiser."""
        plans = ((owner.name_of(tensor), how) for owner in self.owners for tensor, (_, how) in owner.plan.items())
        return {name: how for name, how in plans if how.from_data}

    def macs(self) -> Size | None:
        """Multiply-accumulates of one forward pass at batch 1; None where a part is unknown."""
        return self.root.macs()

    def __repr__(self) -> str:
        """Its name, and what there is of it."""
        return f"<Graph {self.name}: {self.in_words}>"

    @property
    def in_words(self) -> str:
        """`1 x 28 x 28 -> 10, 1,234 parameters`, and how many of these are trained, and what a sample costs."""
        given, made = (", ".join(sample(t.shape) for t in held.values()) for held in (self.inputs, self.outputs))
        count = sum(map(prod, self.trained().values())) if self.weights.freeze else self.parameter_count
        trained = f", {count:,} of them trained" if count != self.parameter_count else ""
        macs = self.macs()
        cost = f", {macs:,} MACs" if isinstance(macs, int) else ""
        return f"{given} -> {made}, {self.parameter_count:,} parameters{trained}{cost}"
