"""Uses of blocks: each is a level with inputs and parameters of its own, which sees nothing around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph.blocks import Block, complete
from netspec.graph.bodies import naming_of, opened
from netspec.graph.declared import ENDLESS, Declared
from netspec.graph.draft import Level, Step, Value, called
from netspec.graph.measured import Measure, inside, measures
from netspec.graph.members import Members
from netspec.graph.references import values_of
from netspec.graph.report import Report
from netspec.graph.results import Results
from netspec.graph.reuse import Reuse
from netspec.graph.scope import Flow, Scope
from netspec.graph.written import Written
from netspec.language.refusals import Refused, Unknown
from netspec.language.rows import Expr

MAX_DEPTH: Final = 32
Inside = Callable[[dict[str, Any], Any, Path, Path, Scope], list[Value] | None]
"""Walks what is inside a level; gives the value at the end of each round where it repeats."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one use of a block is given, and where it stands."""

    values: Mapping[str, Any]
    """Its arguments, without those that the header's defaults give."""
    written: Mapping[str, Expr]
    """The expressions that some of them came from."""
    asked: Mapping[str, Measure]
    """How those arguments are read that ask for sizes."""
    inputs: tuple[Value, ...]
    """The values that it is called with, in the order of the header."""
    at: At


class BlockUses:
    """Opens blocks."""

    def __init__(
        self, declared: Declared, report: Report, members: Members, results: Results, reuse: Reuse, walk: Inside
    ) -> None:
        """`walk` goes through the body of a block, into the scope that is opened for it."""
        self.declared = declared
        self.report = report
        self.members = members
        self.results = results
        self.reuse = reuse
        self.walk = walk

    def step(self, call: Written, block: Block, scope: Scope, name: str, row: object) -> Step:
        """The step of a call of a block. Raises Refused."""
        if block.name in self.declared.endless:
            raise Unknown
        given = call.bind(block, scope.lookup)
        inputs = values_of(call, scope, block.inputs)
        self.report.count_named(len(inputs), call.at)
        _check_inputs(block, inputs, call.at)
        asked = measures(given.sources, given.values, scope)
        return self.use(block, Given(given.values, given.written, asked, inputs, call.at), scope, name, row)

    def use(self, block: Block, given: Given, scope: Scope, name: str, row: object) -> Step:
        """One use of a block."""
        at, inputs = given.at, given.inputs
        self.report.count(at)
        self._check_depth(block, at)
        self.declared.used.add(block.name)
        label = name or scope.flow.next_name(block.word, scope.level.members)
        level = Level("block", label, scope.level, header=block, source=block.path)
        inner = self.open(block, given, level)
        level.measures = inside(given.asked, inputs, level)
        defaults = {name: default for name, default in block.params.items() if name not in given.values}
        level.measures |= measures(defaults, level.params, inner)
        options, body, path = opened(block.body, block.path)
        inner.flow.naming = naming_of(body)
        with self.report.using(at):
            ends = None
            try:
                if own := next((key for key in ("scan", "route") if key in options), ""):
                    place = At((*block.path, own), on_key=True)
                    hint = f"Write it beside the layers of a step in the block: {{cell: {{{own}: ..., layers: ...}}}}"
                    raise Refused(Problem(own, f"a block has no {own} of its own", place, hint))
                ends = self.walk(options, body, block.path, path, inner)
            except Refused as refused:
                self.report.take(refused)
                inner.lose("")
                inner.blind = True
            step = called(level, inputs, at, scope.level)
            step.row, step.written = row, given.written
            if not name:
                self.members.register(step, label, scope)
            self.results.finish_step(step, inner, options.get("outputs"), (*block.path, "outputs"), ends, scope)
        self.members.reorder(level, options.get("order"), (*block.path, "order"))
        if not name:
            self.members.bind(label, step.value, scope, at)

        def again(aside: Level, inputs: tuple[Value, ...]) -> Step:
            beside = Scope(aside, inputs[0], Flow(inputs[0], "names"), scope)
            return self.use(block, replace(given, inputs=inputs), beside, step.name, None)

        self.reuse.recipes[step] = again
        return step

    def open(self, block: Block, given: Given, level: Level) -> Scope:
        """What the body of a block sees: its inputs, its parameters, and the document's. Raises Refused."""
        level.inputs = {
            formal: Value(formal, actual.tensor, level)
            for formal, actual in zip(block.inputs, given.inputs, strict=True)
        }
        inner = self.around(level)
        inner.params = complete(block, given.values, inner.lookup, given.at)
        level.params = inner.params
        return inner

    def around(self, level: Level) -> Scope:
        """What is in sight in a block before its parameters are."""
        start = next(iter(level.inputs.values()))
        params = self.declared.params_of(level.header)
        outer = Scope(level, start, Flow(start, "names"), params=params, blind=self.declared.params.lost)
        return Scope(level, start, Flow(start, "names"), outer, names=dict(level.inputs))

    def _check_depth(self, block: Block, at: At) -> None:
        """Ends the walk where blocks are used inside each other without end: each use may make many more."""
        if len(self.report.used_at) >= MAX_DEPTH:
            inside = self.report.used_at.count(at)
            text = f"the block {block.name} is used inside itself" if inside else "blocks nested too deeply"
            self.report.stop(Problem("recursion", text, at, ENDLESS))


def _check_inputs(block: Block, values: tuple[Value, ...], at: At) -> None:
    """Refuse a use of a block with another number of inputs than it has. Raises Refused."""
    if len(values) != len(block.inputs):
        count = f"{len(block.inputs)} input{'s' if len(block.inputs) != 1 else ''}"
        text = f"the block {block.name} takes {count}, here it has {len(values)}"
        raise Refused(Problem("inputs", text, at, f"It is declared as: {block.usage}"))
