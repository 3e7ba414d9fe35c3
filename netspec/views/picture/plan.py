"""What a picture shows: nodes and the edges between them, level in level, with equal neighbours folded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.graph.uses import made
from netspec.views.table import operation, shape, title

WIDEST: Final = 56
"""Characters of an operation that are shown."""
Mark = Literal["", "added", "removed", "changed"]
"""How a network differs here from another that it is laid over; nothing where it does not, or is drawn alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """One operation: the name of its member, its text, and its family, for its colour."""

    name: str
    text: str
    family: str
    path: str = ""
    """What `called` calls its step."""
    mark: Mark = ""


@dataclass(eq=False, slots=True)
class Node:
    """A box of operations that follow each other, a level, an input or output, or a place where a value passes.

    `x` and `y` are within the level around it, `ins` and `outs` where values enter and leave, from its left.
    """

    title: str = ""
    use: str = ""
    """What a level is made from, such as `basic c=64`."""
    rows: list[Row] = field(default_factory=list)
    inside: Plan | None = None
    shape: str = ""
    """What it gives."""
    count: int = 1
    """How many equal ones in a row it stands for."""
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    spine: float = 0
    """Where its middle line runs, from its left."""
    ins: list[float] = field(default_factory=list)
    outs: list[float] = field(default_factory=list)
    takes: list[Edge] = field(default_factory=list)
    gives: list[Edge] = field(default_factory=list)
    role: Literal["", "entry", "exit"] = ""
    """Whether it is a place where a value enters the level around it, or leaves it."""
    path: str = ""
    """What `called` calls the step of a level."""
    mark: Mark = ""

    @property
    def starts(self) -> bool:
        """Whether it takes nothing, and is no entry: a parameter, a table."""
        return not self.takes and not self.role

    @property
    def key(self) -> Hashable:
        """What equal nodes have in common: all but names."""
        rows = tuple((row.text, row.family, row.mark) for row in self.rows)
        return (
            self.use,
            rows,
            self.shape,
            self.mark,
            self.inside.key if self.inside else self.title if not rows else "",
        )


@dataclass(eq=False, slots=True)
class Edge:
    """A value on its way: from the `out`-th exit of a node to the `into`-th entry of another."""

    source: Node
    out: int
    target: Node
    into: int
    mark: Mark = ""


@dataclass(eq=False, slots=True)
class Pass:
    """The place in a rank where a line runs straight down, in the column of the branch that it ends."""

    edge: Edge
    x: float = 0
    y: float = 0
    height: float = 0


@dataclass(eq=False, slots=True)
class Plan:
    """A level: places where values enter, nodes in order, places where values leave, and the edges."""

    entries: list[Node] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    exits: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    width: float = 0
    height: float = 0
    lanes: dict[Edge, float] = field(default_factory=dict)
    """Where an edge runs at the side that passes by other nodes."""
    passes: dict[Edge, list[Pass]] = field(default_factory=dict)
    """Where an edge runs straight down that passes by other branches."""
    aside: set[Edge] = field(default_factory=set)
    """Those that enter their node from the right, if they have a lane: nothing stands there, and it is no level."""
    bottoms: dict[float, float] = field(default_factory=dict)
    """How far down the nodes reach that begin at a height."""

    @property
    def all(self) -> list[Node]:
        """All its boxes: what comes in, what is inside, what goes out."""
        return [*self.entries, *self.nodes, *self.exits]

    @property
    def key(self) -> Hashable:
        """The same for plans that look the same."""
        places = {id(node): i for i, node in enumerate(self.all)}
        edges = tuple((places[id(e.source)], e.out, places[id(e.target)], e.into, e.mark) for e in self.edges)
        return (tuple((node.key, node.count) for node in self.nodes), edges)


def draft(graph: Graph, depth: int | None = None, *, apart: bool = False, folds: bool = True) -> Plan:
    """The picture of a network, not yet arranged; levels nested deeper than `depth` stay closed.

    Operations that follow each other share a box, and equal levels in a row are one where it `folds`; both not where
    each step is to stand `apart`.
    """
    writer = _Writer(graph.root, depth, _readers(graph), called(graph), apart)
    for name, value in graph.root.inputs.items():
        writer.enter(value, Node(title=name, shape=shape(value.tensor)))
    named = {name: Node(title=name, shape=shape(v.tensor)) for name, v in _outputs(graph).items()}
    plan = writer.written([(v, named[name]) for name, v in _outputs(graph).items()])
    for level in levels(plan) if folds and not apart else ():
        fold(level)
    return plan


def called(graph: Graph) -> dict[Step, str]:
    """A name for each step that no other has: its path, and where several share that also what it does."""
    found: dict[Step, str] = {}
    taken: set[str] = set()
    every = [step for step in graph.root.walk() if not step.left_out]
    for step in sorted(every, key=lambda each: not each.member):
        name = step.path
        if name in taken and step.op is not None:
            name = f"{name}:{type(step.op).__name__.lower()}"
        number = 1
        while name in taken:
            number += 1
            name = f"{name.partition('#')[0]}#{number}"
        taken.add(name)
        found[step] = name
    return found


def levels(plan: Plan) -> Iterator[Plan]:
    """A level and all within, inner ones first."""
    for node in plan.nodes:
        if node.inside is not None:
            yield from levels(node.inside)
    yield plan


def _outputs(graph: Graph) -> Mapping[str, Value]:
    """The outputs of a network by name."""
    outputs = graph.root.outputs
    if isinstance(outputs, Mapping):
        return outputs
    return {value.name: value for value in flat(outputs if outputs is not None else ())}


def _readers(graph: Graph) -> Counter[Value]:
    """How often each value is read, by steps and by what leaves levels."""
    count = Counter(value.actual for value in _outputs(graph).values())
    for step in graph.root.walk():
        if not step.left_out:
            count.update(value.actual for value in step.inputs)
            count.update(value.actual for value in (step.body.exports.values() if step.body is not None else ()))
    return count


class _Writer:
    """Turns the steps of one level into nodes and edges."""

    def __init__(
        self, level: Level, depth: int | None, readers: Counter[Value], names: Mapping[Step, str], apart: bool
    ) -> None:
        """Draw a level down to `depth` more; None draws all of it."""
        self.level, self.depth, self.readers, self.names, self.apart = level, depth, readers, names, apart
        self.plan = Plan()
        self.takes: list[Value] = []
        """The values around the level that it reads, in the order of its entries."""
        self.made_by: dict[Value, tuple[Node, int]] = {}
        self.held: dict[Node, list[Step]] = {}

    def enter(self, value: Value, node: Node) -> None:
        """Let a value in through `node`."""
        node.role = "entry"
        self.plan.entries.append(node)
        self.takes.append(value)
        self.made_by[value] = node, 0

    def written(self, results: Iterable[tuple[Value, Node]]) -> Plan:
        """The finished plan; `results` are the values that leave, each through a node."""
        for step in self.level.steps:
            if not step.left_out:
                self._step(step)
        for value, node in results:
            node.role = "exit"
            self.plan.exits.append(node)
            self._connect(value, node, 0)
        return self.plan

    def _step(self, step: Step) -> None:
        """Draw a step: as a level, in the box of the step before it, or in one of its own."""
        values = list(step.inputs)
        if step.body is not None:
            node, values = self._level(step, step.body)
        elif (last := self._continued(step)) is not None:
            last.rows.append(_row(step, self.names[step]))
            self.held[last].append(step)
            last.shape = shape(step.value.tensor)
            self._makes(step, last)
            return
        else:
            node = Node(rows=[_row(step, self.names[step])], shape=shape(step.value.tensor))
            self.held[node] = [step]
        self.plan.nodes.append(node)
        for into, value in enumerate(values):
            self._connect(value, node, into)
        self._makes(step, node)

    def _makes(self, step: Step, node: Node) -> None:
        """Note that a box gives what a step made."""
        for out, value in enumerate(made(step)):
            self.made_by[value] = node, out if node.inside else 0

    def _continued(self, step: Step) -> Node | None:
        """The node before, if this step only goes on with its value, and has no weights or is what it prepares for."""
        last = self.plan.nodes[-1] if self.plan.nodes else None
        if self.apart or last is None or not last.rows or len(step.inputs) != 1:
            return None
        taken = step.inputs[0].actual
        if taken is not self.held[last][-1].results or self.readers[taken] > 1:
            return None
        return last if _light(step) or self._leads(last, step) else None

    def _leads(self, last: Node, step: Step) -> bool:
        """Whether a node only prepares for this step: a flattening, a norm or an activation before its layer."""
        steps = self.held[last]
        return all(map(_light, steps)) and (step.row is steps[0].row or len(steps[0].inputs) == 1)

    def _level(self, step: Step, body: Level) -> tuple[Node, list[Value]]:
        """A level as a node, and the values that it takes."""
        name, use = step.member or step.name, "the same again" if step.again else title(body)
        node = Node(title=name, use=use if use != name else "", shape=shape(step.value.tensor), path=self.names[step])
        inner = _Writer(body, self.depth and self.depth - 1, self.readers, self.names, self.apart)
        for value in body.inputs.values():
            inner.enter(value, Node())
        exports = body.exports or {step.value: body.steps[-1].value}
        plan = inner.written([(value, Node()) for value in exports.values()])
        if step.again or self.depth == 1:
            node.use = use or "..."
        else:
            node.inside = plan
        return node, list(step.inputs) if body.inputs else inner.takes

    def _connect(self, value: Value, node: Node, into: int) -> None:
        """A line from where a value is made to a box that takes it."""
        value = value.actual
        if value not in self.made_by:
            self.enter(value, Node())
        source, out = self.made_by[value]
        edge = Edge(source, out, node, into)
        self.plan.edges.append(edge)
        source.gives.append(edge)
        node.takes.append(edge)


def _light(step: Step) -> bool:
    """Whether a step has no weights of its own, or is a norm, so that it may share a box."""
    return not step.parameters() or (step.op is not None and step.op.normalises != "")


def _row(step: Step, path: str) -> Row:
    """A step as a line in a box."""
    assert step.op is not None
    text = operation(step).removesuffix("()")
    text = text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."
    return Row(step.member, text, step.op.family, path)


def fold(plan: Plan) -> None:
    """Let one node stand for several equal levels in a row, each of which only goes on with the one before."""
    kept: list[Node] = []
    between: set[Edge] = set()
    for node in plan.nodes:
        last = kept[-1] if kept else None
        if last is None or not _goes_on(last, node):
            kept.append(node)
            continue
        last.count += 1
        last.title = f"{last.title.partition(' ... ')[0]} ... {node.title}"
        between.update(last.gives)
        last.gives = node.gives
        for edge in last.gives:
            edge.source = last
    plan.nodes = kept
    plan.edges = [edge for edge in plan.edges if edge not in between]


def _goes_on(first: Node, second: Node) -> bool:
    """Whether two levels are equal, and all that the first gives is all that the second takes."""
    return bool(first.inside and len(first.gives) == 1 and second.takes == first.gives and first.key == second.key)
