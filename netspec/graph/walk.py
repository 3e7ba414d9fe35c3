"""Walks the bodies of a network: lists, mappings, rows, groups, levels and blocks become steps.

One walk does it all, because a repeat count or a condition may ask for a size that only the
steps before it tell. A problem never stops the walk: what follows from it is unknown, and
unknown values give no further problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph import wrapping
from netspec.graph.blocks import Block, complete
from netspec.graph.bodies import first_call, is_group, is_row, opened
from netspec.graph.declared import ENDLESS, Declared
from netspec.graph.measured import Measure, inside, measures
from netspec.graph.members import Members, base_word, module_only, registers
from netspec.graph.mistaken import no_step, not_steps
from netspec.graph.model import Guard, Level, Step, Value
from netspec.graph.references import decide, member_name, rounds_of
from netspec.graph.report import Report
from netspec.graph.results import Results
from netspec.graph.reuse import Reuse
from netspec.graph.rows import untorn
from netspec.graph.scope import Flow, Naming, Scope
from netspec.graph.steps import infer, make, owns
from netspec.graph.values import op_word, values_and_masks, values_of
from netspec.graph.written import Short, Written, calls_of
from netspec.language.calls import Arguments
from netspec.language.refusals import Refused, Unknown
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS

MAX_DEPTH: Final = 32
Given = tuple[dict[str, Any], dict[str, str], dict[str, Measure]]
"""A block's arguments, the expressions that some came from, and how those are read that ask for sizes."""
_COMPUTED: Final = re.compile(r"\$\w+|\$\(.*\)")


class Walk:
    """Turns bodies into the steps and members of levels."""

    def __init__(self, declared: Declared, report: Report) -> None:
        self.declared = declared
        self.report = report
        self.members = Members(report)
        self.results = Results(report, self.members)
        self.reuse = Reuse(report, self.members)

    def body(self, body: Any, path: Path, scope: Scope) -> None:
        match body:
            case str():
                self._chain(body, path, scope, "")
            case list() if body and all(isinstance(item, int | float) for item in body):
                self._refuse(no_step(body[0], (*path, 0), body), scope, "")
            case list():
                for i, item in untorn(enumerate(body)):
                    self._item(item, (*path, i), scope)
            case dict() if is_group(body) and len(body) > 1:  # alone it is a step here, whatever it holds
                self._group(body, path, scope)
            case dict() if (refused := not_steps(body, path)) is not None:
                self._refuse(refused, scope, "")
                scope.blind = True
            case dict():
                for name, step in untorn(body.items()):
                    self._named(name, step, (*path, name), scope)
            case _:
                self.report.add(Problem("empty", "layers are expected here", At(path), "A row, a list or a mapping."))

    def _item(self, item: Any, path: Path, scope: Scope) -> None:
        if is_group(item):
            self._group(item, path, scope)
        elif is_row(item, path, self.declared.blocks):
            self._chain(item, path, scope, "")
        elif isinstance(item, dict):
            self.body(item, path, scope)
        elif isinstance(item, list):
            self._level("list", "", item, path, scope, {})
        else:
            self._refuse(no_step(item, path), scope, "")

    def _named(self, template: str, step: Any, path: Path, scope: Scope) -> None:
        try:
            name = member_name(template, path, scope)
        except Refused as refused:
            self._refuse(refused, scope, template)
            scope.blind = scope.blind or "$" in template
            return
        try:
            self._step(name, step, path, scope)
        except Refused as refused:
            self._refuse(refused, scope, name)
        if "$" in template and name in scope.level.members:
            self.spelt(scope.level.members[name], template, scope)

    def _step(self, name: str, step: Any, path: Path, scope: Scope) -> None:
        """What stands at a name. Raises Refused."""
        if is_row(step, path, self.declared.blocks):
            self._chain(step, path, scope, name)
        elif is_group(step):
            body = step["layers"]
            kind = "list" if isinstance(body, list | str) else "mapping"
            self._level(kind, name, body, (*path, "layers"), scope, step)
        elif isinstance(step, list | dict):
            self._level("list" if isinstance(step, list) else "mapping", name, step, path, scope, {})
        else:
            raise no_step(step, path)

    def _group(self, group: dict[str, Any], path: Path, scope: Scope) -> None:
        """A group is spliced: its members are members of what surrounds it."""
        body, inner, around = group["layers"], (*path, "layers"), scope.guard
        try:
            holds, guard = self.judged(decide(group, path, scope), scope)
            if holds is False:
                self._pass(body, inner, scope, "", guard)
                return
            self._check_group(group, holds, path)
            scope.guard = guard or around
            if "repeat" in group:
                self._repeat(group, body, path, inner, scope)
            else:
                self.body(body, inner, scope)
        except Refused as refused:
            self._refuse(refused, scope, "")
            scope.blind = True
        finally:
            scope.guard = around

    def _check_group(self, group: dict[str, Any], holds: bool | str, path: Path) -> None:
        """What only a level has cannot be asked of a group. Raises Refused."""
        hint = "Give it a name, which makes it a level."
        for key in ("order", "outputs"):
            if key in group:
                text = f"a group has no {key}; its members are those of what surrounds it"
                raise Refused(Problem("group", text, At((*path, key), on_key=True), hint))
        if isinstance(holds, str):
            raise Refused(Problem("when", f"a group cannot run only when {holds}", At((*path, "when")), hint))

    def _repeat(self, group: dict[str, Any], body: Any, path: Path, inner: Path, scope: Scope) -> list[Value]:
        """Unroll a repeat into `scope`; gives the value at the end of each round."""
        rounds = rounds_of(group, path, scope)
        ends: list[Value] = []
        if not rounds:
            self._leave_out(self._names(body), path, scope)
        for params in rounds:
            self.report.count(At((*path, "repeat")))
            flow = scope.flow
            each = Scope(scope.level, scope.block_input, flow, scope, params=params, guard=scope.guard)
            self.body(body, inner, each)
            ends.append(flow.prev)
            for name, value in each.names.items():
                scope.names[name] = value
                scope.rounds.setdefault(name, []).append(value)
        return ends

    def _level(self, kind: Any, name: str, body: Any, path: Path, scope: Scope, options: dict[str, Any]) -> Step | None:
        """A level of the module tree: a list, a mapping, or the long form of one."""
        where = path[:-1] if options else path
        holds, guard = self.judged(decide(options, where, scope), scope)
        if holds is False:
            self._pass(body, path, scope, name, guard)
            return None
        self.report.count(At(where))
        training = None if holds is True else holds == "training"
        passed = self._entry(body, path, scope) if training is not None else None
        name = name or scope.flow.next_name("seq", scope.level.members)
        level = Level(kind, name, scope.level, source=path)
        inner = Scope(level, scope.block_input, Flow(scope.flow.prev, naming_of(body)), scope)
        ends = self._inside(options, body, where, path, inner)
        step = _call(level, (), At(where, on_key=True), scope)
        step.guard = guard or scope.guard
        self.members.register(step, name, scope)
        self.results.finish_step(step, inner, options.get("outputs"), (*where, "outputs"), ends, scope)
        self.members.reorder(level, options.get("order"), (*where, "order"))

        def again(aside: Level, inputs: tuple[Value, ...]) -> Step:
            beside = Scope(aside, scope.block_input, Flow(inputs[0], "names"), scope)
            made = self._level(kind, step.name, body, path, beside, options)
            assert made is not None
            return made

        self.reuse.recipes[step] = again
        if training is not None:
            scope.rounds.pop(step.name, None)
        return self._only(step, training, passed)

    def _inside(self, options: dict[str, Any], body: Any, where: Path, path: Path, inner: Scope) -> list[Value] | None:
        """Walk what is inside a level; gives the value at the end of each round where it repeats."""
        if "repeat" in options:
            return self._repeat(options, body, where, path, inner)
        self.body(body, path, inner)
        return None

    def _chain(self, item: Any, path: Path, scope: Scope, name: str) -> None:
        """The calls of one row. A name goes to the one piece that owns parameters, and to the end."""
        row = object()
        try:
            calls = calls_of(item, path, self.declared.blocks) or []
        except Refused as refused:
            self._refuse(refused, scope, name)
            return
        if name and any(call.repeats for call in calls):
            text = f"{name} is one step; a repetition makes several"
            self._refuse(Refused(Problem("two-owners", text, calls[0].at, "Write [ ] around it.")), scope, name)
            return
        before = scope.flow.prev
        if name:
            self._named_row(calls, path, scope, name, row)
        else:
            for call in calls:
                self._rounds(call, scope, row)
        if is_source(scope.flow.prev):  # what follows in its row takes a source, what follows the row does not
            scope.flow.prev = before

    def _named_row(self, calls: list[Written], path: Path, scope: Scope, name: str, row: object) -> None:
        steps = []
        sound = True
        for call in calls:
            try:
                step = self._piece(call, scope, name, row)
            except Refused as refused:
                self._refuse(refused, scope, name)
                sound = False
                continue
            if step is not None:
                steps.append(step)
        if sound:
            self.members.own_name(name, steps, path, scope)

    def _refuse(self, refused: Refused, scope: Scope, name: str) -> None:
        """Report, and let what follows find an unknown value."""
        for problem in refused.problems:
            self.report.add(problem)
        unknown = Value(name or "it", None, scope.level)
        scope.flow.prev = unknown
        if name:
            scope.names[name] = unknown
        else:
            scope.flow.lost = True

    def _rounds(self, call: Written, scope: Scope, row: object) -> None:
        try:
            if not call.repeats:
                self._piece(call, scope, "", row)
                return
            for params in call.rounds(scope):
                self.report.count(call.at)
                each = Scope(scope.level, scope.block_input, scope.flow, scope, params=params)
                self._piece(call, each, "", row)
                scope.names.update(each.names)
        except Refused as refused:
            self._refuse(refused, scope, "")

    def _piece(self, call: Written, scope: Scope, name: str, row: object) -> Step | None:
        """One call; None where nothing is run."""
        word = op_word(call, scope)
        holds, guard = self.judged(call.decide(scope), scope)
        if holds is False:
            passed = values_of(call, scope)
            self.report.count(call.at)
            scope.level.left.add(name or f"{self._counted(word)}*")
            return self._skip(passed[0] if passed else scope.flow.prev, name, scope, guard)
        training = None if holds is True else holds == "training"
        if word in ("use", "alias"):
            assert isinstance(call, Short)
            if word == "use":
                return self._only(self.reuse.use(call, scope, name), training)
            self.reuse.alias(call, scope, name)
            return None
        block = self.declared.blocks.get(word)
        if block is not None:
            if word in self.declared.endless:
                raise Unknown
            given = call.bind(block, scope.lookup)
            inputs = values_of(call, scope, block.inputs)
            self.report.count_named(len(inputs), call.at)
            self._check_inputs(block, inputs, call.at)
            asked = measures(given.sources, given.values, scope)
            step = self._block(block, (given.values, given.written, asked), inputs, call.at, scope, name, row)
        else:
            self.declared.check_word(word, call.op_at)
            step = self._operation(word, call, scope, name, row)
        step.guard = guard or scope.guard
        return self._only(step, training)

    def _operation(self, word: str, written: Written, scope: Scope, name: str, row: object) -> Step:
        self.report.count(written.at)
        self.declared.walked.add(written.op_at)
        classes = OPERATIONS.find(word)
        inputs, named = values_and_masks(written, scope, classes[0])
        self.report.count_named(len(inputs), written.at)
        if classes[0].source and written.inputs is None:
            inputs = ()
        op, given = self.make(word, written, inputs, scope)
        if named:
            op = op.replace(named=named)
        label = name or scope.flow.next_name(base_word(type(op), word), scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, written.at, op, row=row)
        step.written = given.written
        step.measures = measures(given.sources, {n: getattr(op, n) for n in given.sources}, scope)
        step.wrap = written.wrap(type(op), scope.lookup)
        wrapping.need_no_zero_row(step.wrap, op, written.at)
        value.step = step
        for problem in infer(step, given, written):
            self.report.add(problem)
        scope.level.steps.append(step)
        if not name:
            op = step.op or op
            listed = scope.flow.naming == "list" and isinstance(op, Layer)
            if listed or owns(op) or registers(op) or module_only(step):
                self.members.register(step, label, scope)
            self.members.bind(label, step.value, scope, written.at)
        scope.flow.prev = step.value
        return step

    def make(self, word: str, written: Written, inputs: tuple[Value, ...], scope: Scope) -> tuple[Op, Arguments]:
        """The operation of a call, not yet fitted to shapes. Raises Refused."""
        return make(word, written, inputs, scope.lookup, self.declared.defaults)

    def judged(self, judged: tuple[bool | str, Guard | None], scope: Scope) -> tuple[bool | str, Guard | None]:
        """A condition as it was decided."""
        return judged

    def spelt(self, step: Step, template: str, scope: Scope) -> None:
        """Note how the name of a member is written, where it is computed."""
        step.template = template

    def _only(self, step: Step, training: bool | None, passed: Value | None = None) -> Step:
        """Let a step run only in training, or only outside; `passed`, else its first input, goes on otherwise."""
        if training is None:
            return step
        step.training = training
        step.passed = passed or (step.inputs[0] if step.inputs else None)
        step.value.parts = {}
        when = "in training" if training else "outside training"
        if step.passed is None or isinstance(step.results, tuple):
            what = "takes no input" if step.passed is None else "gives several values"
            text = f"{step.name} {what}, so it cannot run only {when}"
            raise Refused(Problem("when", text, step.at, "Only a step from one value to one value can be skipped."))
        before, after = step.passed.tensor, step.value.tensor
        if training and before is not None and after is not None and before != after:
            text = f"{step.name} gives {after} in training and {before} otherwise"
            self.report.add(
                Problem("shape-mismatch", text, step.at, "A step that runs only in training keeps the shape.")
            )
        return step

    def _block(
        self,
        block: Block,
        given: Given,
        inputs: tuple[Value, ...],
        at: At,
        scope: Scope,
        name: str,
        row: object,
    ) -> Step:
        """One use of a block: a level with inputs and parameters of its own, which sees nothing around it.

        `given` are its arguments, the expressions that some came from, and how those are read that ask for sizes.
        """
        self.report.count(at)
        self._check_depth(block, at)
        self.declared.used.add(block.name)
        label = name or scope.flow.next_name(block.name, scope.level.members)
        values, written, asked = given
        level = Level("block", label, scope.level, block.name, source=block.path)
        inner = self._open(block, values, inputs, at, level)
        level.measures = inside(asked, inputs, level)
        defaults = {name: default for name, default in block.params.items() if name not in values}
        level.measures |= measures(defaults, level.params, inner)
        options, body, path = opened(block.body, block.path)
        inner.flow.naming = naming_of(body)
        with self.report.using(at):
            ends = None
            try:
                ends = self._inside(options, body, block.path, path, inner)
            except Refused as refused:
                self._refuse(refused, inner, "")
                inner.blind = True
            step = _call(inner.level, inputs, at, scope)
            step.row, step.written = row, written
            if not name:
                self.members.register(step, label, scope)
            self.results.finish_step(step, inner, options.get("outputs"), (*block.path, "outputs"), ends, scope)
        self.members.reorder(inner.level, options.get("order"), (*block.path, "order"))
        if not name:
            self.members.bind(label, step.value, scope, at)

        def again(aside: Level, inputs: tuple[Value, ...]) -> Step:
            beside = Scope(aside, inputs[0], Flow(inputs[0], "names"), scope)
            return self._block(block, given, inputs, at, beside, step.name, None)

        self.reuse.recipes[step] = again
        return step

    def _check_depth(self, block: Block, at: At) -> None:
        """Ends the walk where blocks are used inside each other without end: each use may make many more."""
        if len(self.report.used_at) >= MAX_DEPTH:
            inside = self.report.used_at.count(at)
            text = f"the block {block.name} is used inside itself" if inside else "blocks nested too deeply"
            self.report.stop(Problem("recursion", text, at, ENDLESS))

    def _open(self, block: Block, given: dict[str, Any], inputs: tuple[Value, ...], at: At, level: Level) -> Scope:
        """What the body of a block sees: its inputs, its parameters, and the document's. Raises Refused."""
        level.inputs = {
            formal: Value(formal, actual.tensor, level) for formal, actual in zip(block.inputs, inputs, strict=True)
        }
        inner = self._around(level)
        inner.params = level.params = complete(block, given, inner.lookup, at)
        return inner

    def _around(self, level: Level) -> Scope:
        """What is in sight in a block before its parameters are."""
        start = next(iter(level.inputs.values()))
        params = self.declared.params
        outer = Scope(level, start, Flow(start, "names"), params=params.values, blind=params.lost)
        return Scope(level, start, Flow(start, "names"), outer, names=dict(level.inputs))

    def _check_inputs(self, block: Block, values: tuple[Value, ...], at: At) -> None:
        if len(values) != len(block.inputs):
            count = f"{len(block.inputs)} input{'s' if len(block.inputs) != 1 else ''}"
            text = f"the block {block.name} takes {count}, here it has {len(values)}"
            raise Refused(Problem("inputs", text, at, f"It is declared as: {block.usage}"))

    def _pass(self, body: Any, path: Path, scope: Scope, name: str, guard: Guard | None) -> None:
        """A body that is left out: the first step's first input goes on."""
        step = self._skip(self._entry(body, path, scope), name, scope, guard)
        self._leave_out([name] if name else self._names(body), path, scope)
        if name:
            scope.names[name] = step.value

    def _leave_out(self, names: Iterable[str], path: Path, scope: Scope) -> None:
        """Note the names that members would have had."""
        for name in names:
            self.report.count(At(path))
            scope.level.left.add(name)

    def _names(self, body: Any) -> Iterator[str]:
        """Patterns of the names that the members of a group would have."""
        for item in body if isinstance(body, list) else [body]:
            if isinstance(item, str):
                with suppress(Refused):  # what cannot be read is told where its words are checked
                    calls = calls_of(item, (), self.declared.blocks) or ()
                    yield from [f"{self._counted(str(call.op))}*" for call in calls]
            elif is_group(item):
                yield from self._names(item["layers"])
            elif isinstance(item, dict):
                yield from (_COMPUTED.sub("*", name) for name in item)

    def _counted(self, word: str) -> str:
        """What unnamed members of a word are counted under."""
        classes = OPERATIONS.find(word)
        return base_word(classes[0], word) if classes else word

    def _entry(self, body: Any, path: Path, scope: Scope) -> Value:
        """The first input of a body's first step: what goes on where the body does not run."""
        call = first_call(body, path, self.declared.blocks)
        values = values_of(call, scope) if call is not None else ()
        return values[0] if values else scope.flow.prev

    def _skip(self, value: Value, name: str, scope: Scope, guard: Guard | None) -> Step:
        """Note a step that is left out; the value that goes on stands for it."""
        passed = Value(name or value.name, value.tensor, scope.level, parts=value.parts, alias=value.actual)
        at = guard.at if guard else At()
        step = Step(passed.name, scope.level, (value,), passed, at, guard=guard)
        passed.step = step
        scope.level.steps.append(step)
        scope.flow.prev = passed
        return step


def _call(level: Level, inputs: tuple[Value, ...], at: At, scope: Scope) -> Step:
    """The step that calls a level."""
    value = Value(level.name, None, scope.level)
    step = Step(level.name, scope.level, inputs, value, at, body=level)
    value.step = step
    scope.level.steps.append(step)
    return step


def is_source(value: Value) -> bool:
    """Whether a value was made from nothing: a parameter, a constant, a range."""
    return value.step is not None and value.step.op is not None and value.step.op.source


def naming_of(body: Any) -> Naming:
    return "list" if isinstance(body, list | str) else "names"
