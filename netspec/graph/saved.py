"""What one pass of a network in training keeps for backward, in symbols: the graph run on a tape.

A level that runs once for each place of an axis keeps as much at each place but the first and the last; of routed
experts each keeps what its tokens need.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netspec.dims import Size, named, product
from netspec.graph.by_parts import ROUTED, Route, Scan
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.layers.adaptive import AdaptiveMaxPool
from netspec.layers.base import Layer
from netspec.layers.pooling import MaxPool
from netspec.saved import Held, Storage, Tape
from netspec.saved.held import BYTES, dense, pixelwise
from netspec.tensors import Tensor


@dataclass
class Pass:
    """A pass of a network on a tape."""

    graph: Graph
    tape: Tape
    values: dict[Value, Held] = field(default_factory=dict)
    """What flows, by the values of the graph."""
    names: dict[Step, str] = field(default_factory=dict)
    """The path of each member, by the step that registers it."""
    owned: dict[str, Held] = field(default_factory=dict)
    """Parameters and buffers, by their names."""
    reorder: bool = False
    """Whether max pools are computed before relus, as a run may."""
    held_back: Sequence[Step] = ()
    """Last linear layers of which the loss makes the scores: what they are given flows in their place."""
    _needed: set[Step] = field(default_factory=set)
    _read: Counter[Value] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for path, step in self.graph.root.owners():
            self.names.setdefault(step, path)

    def run(self, inputs: Mapping[str, Held] | None = None) -> dict[str, Held]:
        """Run the network, on these inputs where they are given, and return what it gives by name."""
        for name, value in self.graph.root.inputs.items():
            assert value.tensor is not None
            given = (inputs or {}).get(name)
            self.values[value] = given or self.given(value.tensor.shape, value.tensor.dtype)
        self._need(self.graph.root, {value.actual for value in self.graph.results.values()})
        self.level(self.graph.root)
        return {name: self.of(value) for name, value in self.graph.results.items()}

    def given(self, shape: Sequence[Size], dtype: str) -> Held:
        """What comes from outside; a map as the network stores its own."""
        found = self.tape.new(shape, dtype=dtype)
        return replace(found, strides=pixelwise(found.shape)) if self.tape.pixelwise and len(shape) == 4 else found

    def of(self, value: Value) -> Held:
        """What flows as a value; what no step here is known to have made counts as an operation that is not known."""
        found = self.values.get(value.actual)
        if found is None:
            self.tape.unknown.setdefault(value.name)
            tensor = value.tensor or Tensor(())
            found = self.tape.new(tensor.shape, dtype=tensor.dtype)
            found = self.values[value.actual] = replace(found, grad=found.floats)
        return found

    def level(self, level: Level) -> None:
        """Run the steps of a level."""
        steps = [step for step in level.steps if step in self._needed]
        swapped: Step | None = None
        for step, behind in zip(steps, [*steps[1:], None], strict=False):
            if step is swapped:
                continue
            swapped = behind if behind is not None and self.reorder and self._first(step, behind) else None
            if swapped is None:
                self.step(step)
            else:
                self._pool_first(step, swapped)

    def _need(self, level: Level, wanted: set[Value]) -> None:
        """Find the steps that are run: those that something wanted comes from. `wanted` grows by what they take."""
        for step in reversed(level.steps):
            made = {each.actual for value in flat(step.results) for each in (value, *value.parts.values())}
            made |= {outer.actual for outer in (step.body.exports if step.body is not None else ())}
            if step.left_out or step.idle or not made & wanted:
                continue
            self._needed.add(step)
            wanted.update(value.actual for value in step.inputs)
            if step.passed is not None:
                wanted.add(step.passed.actual)
            if step.body is not None:
                whole = step.body.repeats_body
                wanted.update(own.actual for outer, own in step.body.exports.items() if whole or outer.actual in wanted)
                wanted.update(value.actual for value in (step.body.scan.nexts if step.body.scan else ()))
                wanted.update(value.actual for value in (step.body.route.ends if step.body.route else ()))
                self._need(step.body, wanted)

    def _first(self, relu: Step, pool: Step) -> bool:
        """Whether a run computes a max pool before the relu that is before it: both functions, read by it alone."""
        if relu.op is None or pool.op is None or relu.member or pool.member or isinstance(pool.results, tuple):
            return False
        kinds = type(relu.op).__name__ == "ReLU" and isinstance(pool.op, MaxPool | AdaptiveMaxPool)
        read = relu.value.actual
        return kinds and [v.actual for v in pool.inputs] == [read] and self._readers(read) == 1

    def _readers(self, value: Value) -> int:
        """How many steps and outputs take a value."""
        if not self._read:
            for step in self.graph.root.walk():
                self._read.update(v.actual for v in step.inputs)
                if step.body is not None:
                    self._read.update(v.actual for v in step.body.exports.values())
            self._read.update(v.actual for v in self.graph.results.values())
        return self._read[value]

    def _pool_first(self, relu: Step, pool: Step) -> None:
        """Run a max pool on what the relu would be given, and the relu on what it gives."""
        assert relu.op is not None
        assert pool.op is not None
        made = pool.op.kept(self.tape, *(self.of(v) for v in relu.inputs))
        self.values[pool.value] = relu.op.kept(self.tape, made)

    def step(self, step: Step) -> None:
        """Run a step, if it is run in training."""
        if step.training is False:
            if step.passed is not None:
                self.values[step.value] = self.of(step.passed)
            return
        if step.body is not None:
            self.called(step, step.body)
            return
        assert step.op is not None
        if step.op.owned:
            self.values[step.value] = self.own(step, "")
            return
        self.tape.own = lambda name: self.own(step, name)
        op = step.op
        plugin = op.origin and not {"kept", "keeps"} & set(vars(type(op)))
        inputs = [self.of(v) for v in step.inputs]
        if step in self.held_back:
            self.values[step.value] = inputs[0]
            return
        try:
            wrap = (step.first_run or step).wrap
            if wrap is not None:
                assert isinstance(op, Layer)
                made = wrap.kept(self.tape, op, *inputs)
            else:
                made = self.tape.unread(op, inputs) if plugin else op.kept(self.tape, *inputs)
        except (OverflowError, LookupError, ValueError, TypeError, AssertionError):  # a forecast never stops a run
            made = self.tape.unread(op, inputs)
        self.give(step.results, made)

    def give(self, results: Any, made: Any) -> None:
        """Let what was made flow as the results, which are nested alike."""
        if not isinstance(results, tuple):
            self.values[results] = made
            return
        for result, each in zip(results, made, strict=False):
            self.give(result, each)

    def called(self, step: Step, body: Level) -> None:
        """Run a level with what its step gives it."""
        given = [self.of(v) for v in step.inputs]
        inner = list(body.inputs.values())
        if body.scan is not None:
            self.scanned(body, body.scan, given)
        elif body.route is not None:
            self.routed(body, body.route, given)
        else:
            self.values.update(zip(inner, given, strict=False))
            self.level(body)
        for outer, own in body.exports.items():
            if not body.repeats_body:
                self.values[outer] = self.of(own)

    def own(self, step: Step, name: str) -> Held:
        """A parameter or a buffer of a step's member, by its name there."""
        member = step.first_run or step
        path = self.names.get(member, member.path)
        full = f"{path}.{name}" if name else path
        full = self.graph.ties.get(full, full)
        if full not in self.owned:
            self.owned[full] = self._made(member, name, full)
        return self.owned[full]

    def _made(self, member: Step, name: str, full: str) -> Held:
        parameters = member.parameters()
        tensor = member.value.tensor
        shape = parameters.get(name) or member.buffers().get(name) or (tensor.shape if tensor else ())
        owned = member.op is not None and member.op.owned and tensor is not None
        dtype = tensor.dtype if owned and tensor is not None else "float32"
        trainable = getattr(member.op, "trainable", True) is True
        grad = name in parameters and trainable and not self.graph.weights.frozen(full)
        storage = Storage(product(shape) * BYTES[dtype], lasting=True, name=full)
        strides = pixelwise(tuple(shape)) if self.tape.pixelwise and len(shape) == 4 else dense(shape)
        return Held(storage, tuple(shape), strides, dtype, grad)

    # --- what runs its steps more than once -----------------------------------------------------

    def scanned(self, body: Level, scan: Scan, given: Sequence[Held]) -> None:
        """Run a level for the first place, for one that stands for all between, and for the last."""
        inner = list(body.inputs.values())
        places = [x.without(scan.axis) for x in given[: scan.over]]
        states = list(given[scan.over :])
        times = self.tape.times
        rounds: list[Size] = [1, scan.length - 2, 1] if not isinstance(scan.length, int) or scan.length > 2 else []
        for count in rounds or [1] * int(scan.length):  # type: ignore[arg-type]
            self.tape.times = times * count
            self.values.update(zip(inner, [*places, *states], strict=False))
            self.level(body)
            states = [self.of(value) for value in scan.nexts]
        self.tape.times = times
        for outer, own in body.exports.items():
            made = self.of(own)
            if own in scan.last or outer in scan.last:
                self.values[outer] = made
            else:
                assert outer.tensor is not None
                self.values[outer] = self.tape.new(outer.tensor.shape, [made])

    def routed(self, body: Level, route: Route, given: Sequence[Held]) -> None:
        """Run experts for tokens of a number that only the run knows, and count what all of them keep together."""
        tape, (tokens, *each) = self.tape, given
        first, *others = list(body.inputs.values())
        weights = each.pop() if route.weighted else None
        each.pop()  # which tokens go to which expert: nothing of it is kept
        before = set(tape.made_storages)
        total = replace(tape.new(tokens.shape, dtype=tokens.dtype), grad=tokens.grad)
        if not route.apart:
            self.values.update(zip(others, (x.without(0) for x in each), strict=False))
        for number, end in enumerate(route.ends):
            places = tape.new((named(ROUTED), 2), dtype="int64")
            own = tape.new((named(ROUTED), *tokens.shape[1:]), [tokens])
            tape.keep(places if own.grad else None)
            self.values[first] = own
            for step in [body.steps[number]] if route.apart else body.steps:
                self.step(step)
            made = self.of(end)
            if weights is not None:
                share = tape.new((named(ROUTED), *(1,) * (len(made.shape) - 1)), [weights])
                tape.keep(places if share.grad else None)
                made = tape.mul(made, share)
            tape.keep(*((places, made) if made.grad else ()))
            total = replace(total, grad=total.grad or made.grad)
        for storage in set(tape.made_storages) - before:
            if storage is not total.storage:
                storage.bytes = route.spread(storage.bytes)
        for outer in body.exports:
            self.values[outer] = total


def kept(graph: Graph, tape: Tape) -> dict[str, Held]:
    """Run a network in training on a tape, and return what it gives by name."""
    return Pass(graph, tape).run()
