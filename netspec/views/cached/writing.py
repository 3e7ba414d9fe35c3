"""From a graph over whole texts to a spec over their next tokens, which takes what it has read, and gives it on.

The steps of all levels stand in one row, under the names of their levels. What depends on places alone, as positions
and masks, is made for the whole text and cut to the new tokens; a step that mixes places is given what it has seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from math import isinf
from typing import Any, Final

from netspec.dims import Dim, Size, named, names, substitute
from netspec.emit.table import Table
from netspec.graph.model import Graph, Level, Step, Value, flat
from netspec.ops.sources import Noise, Rand, Randn
from netspec.tensors import Tensor
from netspec.views.cached.cuts import parts_of

SCORES: Final = "scores"
"""The output that has the scores of the next tokens."""
LETTERS: Final = ("P", "Q", "R", "S")
"""Names for the count of tokens that were read before; the first that the network has not for itself."""
DRAWING: Final = (Noise, Rand, Randn)
"""Operations that draw random numbers."""


class Uncacheable(Exception):
    """A step that cannot go on from what was read before, named with the reason."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a network is given of the tokens before, and gives on for those after."""

    past: str
    """The input that takes it."""
    present: str
    """The output that gives it on."""
    tensor: Tensor
    """Its form; the count of tokens before is 0 at the beginning, and all other numbers are zeros."""


@dataclass(frozen=True, slots=True)
class Cached:
    """The spec of a network with a memory, and how its tensors are called there."""

    text: str
    """The spec, as JSON, which YAML reads too."""
    tokens: str
    """The input that takes the next tokens."""
    memory: tuple[Memory, ...]
    weights: Mapping[str, str]
    """What each tensor of the network's state_dict is called in that of this one."""
    letter: str
    """The name of the count of tokens before."""


def tokens_of(graph: Graph) -> tuple[str, Size]:
    """The input of a network that takes tokens, and how many it takes, a letter where that is any number.

    Raises Uncacheable where it is no network over one text.
    """
    texts = {name: x for name, x in graph.inputs.items() if x.dtype == "int64" and len(x.shape) == 2}
    if len(texts) != 1:
        text = f"{len(texts)} of its inputs are" if texts else "none of its inputs is"
        raise Uncacheable(f"{text} a text, as `int T` is")
    ((name, x),) = texts.items()
    return name, next((size for size in x.shape if "B" not in names(size)), 1)


Rule = Callable[["Writing", Step, Sequence[Value], str], None]
"""Writes a step whose inputs are these, under a path. Raises Uncacheable."""


@dataclass(slots=True)
class Writing:
    """Walks a network and writes its steps, knowing of each value how it is called and what it depends on."""

    graph: Graph
    tokens: str
    letter: str
    """The name of the count of new tokens."""
    rules: Table[Rule]
    """How each operation is written."""
    repeated: Callable[[Writing, Step, str], None]
    """Writes a level that runs its steps for parts of its inputs."""
    single: bool = False
    """Whether that is always 1."""
    past: str = ""
    """The name of the count of those before."""
    rows: dict[str, Any] = field(default_factory=dict)
    around: list[dict[str, Any]] = field(default_factory=list)
    """The rows around those of a level that are being written."""
    refs: dict[Value, str] = field(default_factory=dict)
    """How each value is called."""
    origins: dict[Value, Value] = field(default_factory=dict)
    """For each value that is another's under a name of its own that other."""
    fixed: dict[Value, tuple[Step, str]] = field(default_factory=dict)
    """Values that depend on places alone, and what makes them: it is written where they are read."""
    extra: set[Value] = field(default_factory=set)
    """Inputs beside the tokens, of which only states are known: they begin with zeros."""
    windows: set[Value] = field(default_factory=set)
    """Values that begin with some places before the new tokens, as a convolution wants them."""
    tails: dict[Value, int] = field(default_factory=dict)
    """Values that would end with so many places behind the last token, which are not made."""
    memory: list[Memory] = field(default_factory=list)
    presents: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    """How what is registered under a path is called."""
    owned: dict[int, str] = field(default_factory=dict)
    split: dict[int, dict[str, str]] = field(default_factory=dict)
    """Of a step that several rows stand for, what each part of its parameters' names is called."""
    made: dict[tuple[Any, ...], str] = field(default_factory=dict)
    """What was written once to be used again: cut and lengthened values."""

    def __post_init__(self) -> None:
        known = {self.letter, *(n for x in self.graph.inputs.values() for size in x.shape for n in names(size))}
        self.past = next((letter for letter in LETTERS if letter not in known), "")
        if not self.past:
            raise Uncacheable("its inputs have too many open sizes")
        for name, value in self.graph.root.inputs.items():
            self.refs[value] = name
            if name != self.tokens:
                self.extra.add(value)

    # --- the walk ---------------------------------------------------------------------------------

    def level(self, level: Level, path: str) -> None:
        """Write the steps of a level whose members lie under a path."""
        for step in level.steps:
            if not step.left_out:
                self._run(step, path)

    def _run(self, step: Step, path: str) -> None:
        """Write one step, as it is in use."""
        if step.training is True:
            for value in flat(step.results) if step.passed is not None else ():
                assert step.passed is not None
                self._same(value, step.passed.actual)
        elif step.body is None:
            self._step(step, f"{path}{step.member or step.name}")
        elif step.body.repeats_body:
            self.repeated(self, step, f"{path}{step.member or step.name}")
        else:
            for inner, outer in zip(step.body.inputs.values(), step.inputs, strict=False):
                self._same(inner, outer.actual)
            self.level(step.body, f"{path}{step.member}." if step.member else path)
            for outer, inner in step.body.exports.items():
                if self.origin(inner) in self.refs or self.origin(inner) in self.fixed:
                    self._same(outer, inner.actual)

    def _same(self, value: Value, other: Value) -> None:
        """Let a value be what another is."""
        self.origins[value] = self.origin(other)

    def origin(self, value: Value) -> Value:
        """The value that stands behind one."""
        return self.origins.get(value.actual, value.actual)

    def ref(self, value: Value) -> str:
        """How a value is called; one of places alone is written now, for the whole text."""
        value = self.origin(value)
        if value not in self.refs:
            step, path = self.fixed[value]
            self.put(step, path, [self.ref(each) for each in step.inputs], self.fields(step, whole=True))
        return self.refs[value]

    def _step(self, step: Step, path: str) -> None:
        """Write an operation."""
        assert step.op is not None
        if step.wrap is not None:
            raise Uncacheable(f"{step.path} computes its weight anew for each pass")
        if isinstance(step.op, DRAWING):
            raise Uncacheable(f"{step.path} draws random numbers")
        results, inputs = values_of(step), [self.origin(value) for value in step.inputs]
        if all(value in self.fixed for value in inputs):
            self.fixed |= dict.fromkeys(results, (step, path))
            return
        odd = next((value for value in inputs if value in self.extra), None)
        if odd is not None and step.op.family != "recurrent":
            raise Uncacheable(f"{step.path} takes the input {odd.name} beside the tokens")
        try:
            rule = self.rules.of(type(step.op))
        except StopIteration:
            raise Uncacheable(f"{step.path} ({step.op.said}) may mix places") from None
        try:
            rule(self, step, inputs, path)
        except Uncacheable as error:
            raise Uncacheable(f"{step.path} ({step.op.said}) {error}") from None

    # --- rows -------------------------------------------------------------------------------------

    def put(self, step: Step, path: str, inputs: Sequence[str], fields: Mapping[str, Any]) -> str:
        """Write the row of a step with these inputs, and let its results be called by it. Gives its name."""
        name = self.call(step, path, inputs, fields)
        parts = {id(value): part for part, value in step.value.parts.items()}
        several = isinstance(step.results, tuple)
        for value in values_of(step):
            self.refs[value] = f"{name}.{parts[id(value)]}" if several and id(value) in parts else name
        return name

    def call(self, step: Step, path: str, inputs: Sequence[str], fields: Mapping[str, Any]) -> str:
        """Write the row of a step with these inputs, that of a module which is there already as one more use of it."""
        name = self.free(path)
        assert step.op is not None
        if step.member and path in self.members:
            self.rows[name] = f"use({' '.join(inputs)}) {self.members[path]}"
        else:
            self.row(name, type(step.op).__name__, inputs, fields)
            if step.member:
                self.members[path] = name
        if step.member:
            self.owned[id(step)] = self.members[path]
        return name

    def row(self, name: str, word: str, inputs: Sequence[str], fields: Mapping[str, Any]) -> str:
        """Write a row; gives its name."""
        given = {"inputs": list(inputs)} if inputs else {}
        self.rows[name] = {word: {**given, **fields}} if given or fields else word
        return name

    def free(self, path: str) -> str:
        """A name for what stands under a path, that nothing else has."""
        name = re.sub(r"\W", "_", path)
        name = name if name[:1].isalpha() else f"n{name}"
        taken = {*self.rows, *chain.from_iterable(self.around), *self.graph.inputs, SCORES}
        return next(x for x in chain([name], (f"{name}_{i}" for i in count(2))) if x not in taken)

    def fields(self, step: Step, *, whole: bool = False) -> dict[str, Any]:
        """What a step is written with; over the `whole` text where it depends on places alone."""
        assert step.op is not None
        sizes: dict[str, Size] = {self.letter: named(self.letter) + named(self.past)} if whole else {}
        op, dropped = step.op, {"init", "mean", "std", "a", "b"} if step.op.owned and step.parameters() else set[str]()
        return {name: _written(value, sizes) for name, value in op.given.items() if name not in dropped}

    # --- places -----------------------------------------------------------------------------------

    def axes(self, value: Value) -> tuple[int, ...]:
        """The axes of a value that go along the text."""
        assert value.tensor is not None
        return tuple(axis for axis, size in enumerate(value.tensor.shape) if self.letter in names(size))

    def result(self, step: Step) -> Value:
        """What a step gives, for those that give one value, or several alike."""
        return values_of(step)[0]

    def aligned(self, value: Value, rank: int, rows: int) -> str:
        """How a value is called where it meets another of this rank, whose axis `rows` has the new tokens.

        Its own axis there has these alone, an axis of the text elsewhere the whole text. Axes are counted from the end.
        """
        assert value.tensor is not None
        offset = rank - len(value.tensor.shape)
        own = self.axes(value)
        if value in self.fixed:
            return self.cut(value, rows - offset) if rows - offset in own else self.ref(value)
        columns = [axis for axis in own if axis + offset != rows]
        return self.whole(value, columns[0]) if len(own) == 1 and columns else self.ref(value)

    def cut(self, value: Value, axis: int) -> str:
        """How the new tokens' part of a value of places alone is called. It is made of these alone where it can be."""
        value = self.origin(value)
        step, path = self.fixed[value]
        key = ("cut", value, axis)
        if key in self.made:
            return self.made[key]
        found = parts_of(step, axis, self.axes, self.letter)
        if found is None:
            name = self.free(f"{self.ref(value)}.new")
            made = self.row(name, "Slice", [self.ref(value)], {"dim": axis, "start": f"$({self.past})"})
        else:
            inputs = [
                self.ref(each) if at is None else self.cut(each, at)
                for each, at in zip(step.inputs, found, strict=True)
            ]
            fields = self.fields(step, whole=True)
            made = self.call(step, path, inputs, fields if inputs else {**fields, "start": f"$({self.past})"})
        self.made[key] = made
        return made

    def whole(self, value: Value, axis: int) -> str:
        """How a value of the new tokens with that of all before them is called: it is kept from token to token."""
        key = ("whole", value, axis)
        if key not in self.made:
            assert value.tensor is not None
            shape = list(value.tensor.shape)
            if shape[axis] != named(self.letter):
                raise Uncacheable(f"is given {value.tensor}, whose places are not those of the text")
            shape[axis] = named(self.past)
            self.made[key] = self.kept(self.ref(value), value.tensor.with_shape(*shape), axis)
        return self.made[key]

    def kept(self, ref: str, past: Tensor, axis: int, last: int | None = None) -> str:
        """Join what was kept to a value, along an axis, and keep that, or the `last` places of it. Gives its name."""
        taken = self.remember(ref, past)
        name = self.row(self.free(f"{ref}.all"), "Concat", [taken.past, ref], {"dim": axis})
        end = name
        if last is not None:
            end = self.row(self.free(f"{ref}.last"), "Slice", [name], {"dim": axis, "start": -last})
        self.presents[taken.present] = end
        return name

    def remember(self, ref: str, tensor: Tensor) -> Memory:
        """A new input for what is kept under a name, and the output that gives it on."""
        if not any(size == named("B") for size in tensor.shape):
            raise Uncacheable(f"keeps {tensor}, which has no axis of samples")
        name = re.sub(r"\W", "_", ref)
        found = Memory(f"past_{name}", f"present_{name}", tensor)
        self.memory.append(found)
        return found

    def mask(self, *, hides: bool = False) -> tuple[str, ...]:
        """The name of a mask that is true where one of the new tokens may look: at itself and all before it.

        With `hides` it is true where it may not. A single token may look everywhere, and needs none.
        """
        if self.single:
            return ()
        key = ("mask", hides)
        if key not in self.made:
            new, all_ = f"$({self.past})", f"$({self.past} + {self.letter})"
            counted = self.row(self.free("places"), "Arange", (), {"end": all_, "start": new})
            places = self.row(self.free("places_new"), "Unsqueeze", [counted], {"dim": 1})
            seen = self.row(self.free("places_seen"), "Arange", (), {"end": all_})
            word = "Gt" if hides else "Le"
            self.made[key] = self.row(self.free("hidden" if hides else "may_look"), word, [seen, places], {})
        return (self.made[key],)

    # --- the whole --------------------------------------------------------------------------------

    def finished(self, scores: Value) -> Cached:
        """The spec, and what goes with it."""
        end = self.origin(scores)
        if end in self.windows or end in self.tails:
            raise Uncacheable("its scores are of more places than the text has")
        counted = any(self.past in names(size) for memory in self.memory for size in memory.tensor.shape)
        if not counted and re.search(rf"\b{self.past}\b", json.dumps(self.rows)):
            raise Uncacheable("its positions are counted, and nothing that it keeps says how many there were")
        if not self.memory:
            raise Uncacheable("it keeps nothing of what it has read")
        x = self.graph.inputs[self.tokens]
        text = json.dumps(
            {
                "netspec": 1,
                "name": f"{self.graph.name}Next",
                "inputs": {self.tokens: _shape(x), **{m.past: _shape(m.tensor) for m in self.memory}},
                "layers": self.rows,
                "outputs": {SCORES: self.ref(end), **self.presents},
                **self._ties(),
            },
            indent=1,
        )
        return Cached(text, self.tokens, tuple(self.memory), dict(self._weights()), self.past)

    def _ties(self) -> dict[str, Any]:
        """The section of tensors that are shared."""
        known = self._weights()
        ties = {known[a]: known[b] for a, b in self.graph.ties.items() if a in known and known[a] != known[b]}
        return {"tie": ties} if ties else {}

    def _weights(self) -> dict[str, str]:
        """What each tensor is called here."""
        found: dict[str, str] = {}
        for path, step in self.graph.root.owners():
            for part in {**step.parameters(), **step.buffers()}:
                if id(step) in self.split:
                    head = next(each for each in self.split[id(step)] if part.startswith(f"{each}."))
                    found[f"{path}.{part}"] = f"{self.split[id(step)][head]}{part.removeprefix(head)}"
                elif id(step) in self.owned:
                    end = f".{part}" if part else ""
                    found[f"{path}{end}"] = f"{self.owned[id(step)]}{end}"
        return found


def values_of(step: Step) -> list[Value]:
    """The values that a step gives, without those that are left out."""
    return [value for value in flat(step.results) if value is not None and value.tensor is not None]


def _written(value: Any, sizes: Mapping[str, Size]) -> Any:
    """The value of an argument as a spec has it."""
    if isinstance(value, Dim):
        found = substitute(value, dict(sizes))
        return str(found) if found == named("B") else f"$({found})" if isinstance(found, Dim) else found
    if isinstance(value, float) and isinf(value):
        return str(value)
    return [_written(each, sizes) for each in value] if isinstance(value, tuple | list) else value


def _shape(x: Tensor) -> str:
    """The form of an input as a spec has it, the batch among its sizes."""
    dtype = {"int64": "int ", "bool": "bool "}.get(x.dtype, "")
    sizes = [str(size) if not isinstance(size, Dim) or size == named(str(size)) else f"$({size})" for size in x.shape]
    return dtype + "x".join(sizes)
