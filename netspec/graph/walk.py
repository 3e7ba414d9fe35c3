"""Walks the bodies of a network: lists, mappings, rows, groups, levels and blocks become steps.

One walk does it all, because a repeat count or a condition may ask for a size that only the
steps before it tell. A problem never stops the walk: what follows from it is unknown, and
unknown values give no further problems.
"""

from __future__ import annotations

from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph.blocks import Block, bind, bind_long, complete
from netspec.graph.declared import Declared, is_group
from netspec.graph.members import Members, base_word, module_only, registers
from netspec.graph.model import Guard, Level, Step, Unknown, Value
from netspec.graph.references import (
    MAX_ROUNDS,
    condition,
    decide,
    entry_of,
    member_name,
    op_word,
    references,
    rounds_of,
    values_of,
)
from netspec.graph.report import Report
from netspec.graph.results import Results
from netspec.graph.reuse import Reuse
from netspec.graph.rows import read_row, spread
from netspec.graph.scope import Flow, Naming, Scope
from netspec.graph.steps import Written, infer, make, owns
from netspec.language.calls import Refused, compute
from netspec.language.rows import Call
from netspec.layers.base import Layer
from netspec.vocabulary import OPERATIONS

MAX_DEPTH: Final = 32


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
            case list():
                for i, item in enumerate(body):
                    self._item(item, (*path, i), scope)
            case dict():
                for name, step in body.items():
                    self._named(name, step, (*path, name), scope)
            case _:
                self.report.add(Problem("empty", "layers are expected here", At(path), "A row, a list or a mapping."))

    def _item(self, item: Any, path: Path, scope: Scope) -> None:
        if isinstance(item, dict):
            if is_group(item):
                self._group(item, path, scope)
            elif long := self._long_call(item, path):
                with self.report.catching():
                    self._repeated_long(long, item, path, scope, "")
            else:
                self.body(item, path, scope)
        elif isinstance(item, list):
            self._level("list", "", item, path, scope, {})
        elif isinstance(item, str):
            self._chain(item, path, scope, "")
        else:
            self._null(item, path)

    def _named(self, template: str, step: Any, path: Path, scope: Scope) -> None:
        with self.report.catching():
            name = member_name(template, path, scope)
            if isinstance(step, str):
                self._chain(step, path, scope, name)
            elif isinstance(step, list):
                self._level("list", name, step, path, scope, {})
            elif not isinstance(step, dict):
                self._null(step, path)
            elif is_group(step):
                body = step["layers"]
                kind = "list" if isinstance(body, list | str) else "mapping"
                self._level(kind, name, body, (*path, "layers"), scope, step)
            elif long := self._long_call(step, path):
                self._repeated_long(long, step, path, scope, name)
            else:
                self._level("mapping", name, step, path, scope, {})

    def _null(self, item: Any, path: Path) -> None:
        hint = (
            "A row in [ ] or { } that contains a comma must be quoted." if item is None else "A row begins with a word."
        )
        self.report.add(
            Problem("empty-step", f"a step is expected here, not {'nothing' if item is None else item}", At(path), hint)
        )

    def _group(self, group: dict[str, Any], path: Path, scope: Scope) -> None:
        """A group is spliced: its members are members of what surrounds it."""
        body, inner = group["layers"], (*path, "layers")
        with self.report.catching():
            holds, guard = decide(group, path, scope)
            if holds is False:
                self._pass(body, inner, scope, "", guard)
                return
            self._check_group(group, holds, path)
            around = scope.guard
            scope.guard = guard or around
            if "repeat" in group:
                self._repeat(group, body, path, inner, scope)
            else:
                self.body(body, inner, scope)
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
        holds, guard = decide(options, where, scope)
        if holds is False:
            self._pass(body, path, scope, name, guard)
            return None
        training = None if holds is True else holds == "training"
        passed = entry_of(body, path, scope) if training is not None else None
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

    def _chain(self, text: str, path: Path, scope: Scope, name: str) -> None:
        """The calls of one row. A name goes to the one piece that owns parameters, and to the end."""
        row = object()
        try:
            calls = [piece for call in read_row(text, path) for piece in spread(call, path)]
        except Refused as refused:
            self._refuse(refused, scope, name)
            return
        if name and any(call.times is not None for call in calls):
            at = At(path, calls[0].span)
            self.report.add(
                Problem("two-owners", f"{name} is one step; a repetition makes several", at, "Write [ ] around it.")
            )
            return
        if not name:
            for call in calls:
                self._times(call, path, scope, row)
            return
        steps = []
        sound = True
        for call in calls:
            try:
                step = self._piece(call, path, scope, name, row)
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

    def _times(self, call: Call, path: Path, scope: Scope, row: object) -> None:
        try:
            if call.times is None:
                self._piece(call, path, scope, "", row)
                return
            count = compute(call.times, scope.lookup, At(path, call.span))
            if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= MAX_ROUNDS:
                text = f"a repetition of {count}; it can be 0 to {MAX_ROUNDS:,}"
                raise Refused(Problem("repeat", text, At(path, call.span)))
            for i in range(count):
                self.report.count(At(path, call.span))
                each = Scope(scope.level, scope.block_input, scope.flow, scope, params={"i": i})
                self._piece(call, path, each, "", row)
                scope.names.update(each.names)
        except Refused as refused:
            self._refuse(refused, scope, "")
        except Unknown:
            scope.flow.prev = Value("it", None, scope.level)

    def _piece(self, call: Call, path: Path, scope: Scope, name: str, row: object) -> Step | None:
        """One call of a row; None where its condition is false."""
        at = At(path, call.span)
        word = op_word(call, path, scope)
        training = None
        guard = scope.guard
        if call.when is not None:
            holds = condition(call.when, path, scope)
            guard = Guard(at, call.when.text)
            if holds is False:
                passed = values_of(call, path, scope)
                return self._skip(passed[0] if passed else scope.flow.prev, name, scope, guard)
            training = None if holds is True else holds == "training"
        if word == "use":
            return self._only(self.reuse.use(call, path, scope, name, at), training)
        if word == "alias":
            self.reuse.alias(call, path, scope, name, at)
            return None
        block = self.declared.blocks.get(word)
        if block is not None:
            given, expressions = bind(block, call, scope.lookup, path)
            step = self._block(block, given, self._block_inputs(block, call, path, scope), at, scope, name, row)
            step.guard = guard
            step.written = expressions
            return self._only(step, training)
        written = Written(word, at, At(path, call.op_span), call)
        classes = OPERATIONS.find(word)
        source = bool(classes) and classes[0].source
        inputs = () if source and call.inputs is None else tuple(values_of(call, path, scope))
        self.declared.check_word(word, written.word_at)
        step = self._operation(written, inputs, scope, name, row)
        step.guard = guard
        return self._only(step, training)

    def _operation(self, written: Written, inputs: tuple[Value, ...], scope: Scope, name: str, row: object) -> Step:
        self.report.count(written.at)
        op, given = make(written, inputs, scope.lookup, self.declared.defaults)
        label = name or scope.flow.next_name(base_word(type(op), written.word), scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, written.at, op, row=row)
        step.written = given.written
        step.wrap = written.wrap(type(op), scope.lookup)
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
        if not op.source:
            scope.flow.prev = step.value
        return step

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
        self, block: Block, given: dict[str, Any], inputs: list[Value], at: At, scope: Scope, name: str, row: object
    ) -> Step:
        """One use of a block: a level with inputs and parameters of its own, which sees nothing around it."""
        self.report.count(at)
        self._check_depth(block, at)
        self.declared.used.add(block.name)
        label = name or scope.flow.next_name(block.name, scope.level.members)
        inner = self._open(block, given, inputs, at, Level("block", label, scope.level, block.name, source=block.path))
        body, path, options = block.body, block.path, {}
        if is_group(body):
            options, body, path = body, body["layers"], (*path, "layers")
        inner.flow.naming = naming_of(body)
        self.report.used_at.append(at)
        ends = None
        with self.report.catching():
            ends = self._inside(options, body, block.path, path, inner)
        step = _call(inner.level, tuple(inputs), at, scope)
        step.row = row
        if not name:
            self.members.register(step, label, scope)
        self.results.finish_step(step, inner, options.get("outputs"), (*block.path, "outputs"), ends, scope)
        self.report.used_at.pop()
        self.members.reorder(inner.level, options.get("order"), (*block.path, "order"))
        if not name:
            self.members.bind(label, step.value, scope, at)

        def again(aside: Level, inputs: tuple[Value, ...]) -> Step:
            beside = Scope(aside, inputs[0], Flow(inputs[0], "names"), scope)
            return self._block(block, given, list(inputs), at, beside, step.name, None)

        self.reuse.recipes[step] = again
        return step

    def _check_depth(self, block: Block, at: At) -> None:
        """Raises Refused where blocks are used inside each other without end."""
        if len(self.report.used_at) >= MAX_DEPTH:
            inside = self.report.used_at.count(at)
            text = f"the block {block.name} is used inside itself" if inside else "blocks nested too deeply"
            raise Refused(Problem("recursion", text, at))

    def _open(self, block: Block, given: dict[str, Any], inputs: list[Value], at: At, level: Level) -> Scope:
        """What the body of a block sees: its inputs, its parameters, and the document's. Raises Refused."""
        level.inputs = {
            formal: Value(formal, actual.tensor, level) for formal, actual in zip(block.inputs, inputs, strict=True)
        }
        start = next(iter(level.inputs.values()))
        outer = Scope(level, start, Flow(start, "names"), params=self.declared.params)
        inner = Scope(level, start, Flow(start, "names"), outer, names=dict(level.inputs))
        inner.params = level.params = complete(block, given, inner.lookup, at)
        return inner

    def _block_inputs(self, block: Block, call: Call | None, path: Path, scope: Scope) -> list[Value]:
        values = values_of(call, path, scope) if call else [scope.flow.prev]
        self._check_inputs(block, values, At(path, call.span) if call else At(path))
        return values

    def _check_inputs(self, block: Block, values: list[Value], at: At) -> None:
        if len(values) != len(block.inputs):
            count = f"{len(block.inputs)} input{'s' if len(block.inputs) != 1 else ''}"
            text = f"the block {block.name} takes {count}, here it has {len(values)}"
            raise Refused(Problem("inputs", text, at, f"It is declared as: {block.usage}"))

    def _long_call(self, item: dict[str, Any], path: Path) -> str:
        """The word of a long call, `{Conv2d: {out_channels: 6}}`; empty if the mapping is something else."""
        words = [k for k in item if k not in ("when", "repeat", "as")]
        if len(words) != 1 or not isinstance(item[words[0]], dict):
            return ""
        word, options = words[0], item[words[0]]
        if word in self.declared.blocks:
            known = {*self.declared.blocks[word].params, "inputs"}
            return word if not options or known & options.keys() else ""
        classes = OPERATIONS.find(word)
        if not classes:
            return ""
        fields = {*classes[0].fields, "inputs"}
        return word if not options or fields & options.keys() or word == classes[0].__name__ else ""

    def _repeated_long(self, word: str, item: dict[str, Any], path: Path, scope: Scope, name: str) -> None:
        if "repeat" not in item:
            self._long(word, item, path, scope, name)
            return
        for params in rounds_of(item, path, scope):
            each = Scope(scope.level, scope.block_input, scope.flow, scope, params=params)
            self._long(word, item, path, each, name)
            scope.names.update(each.names)

    def _long(self, word: str, item: dict[str, Any], path: Path, scope: Scope, name: str) -> None:
        options = dict(item[word])
        where = (*path, word)
        at, word_at = At(where, on_key=True), At(where, on_key=True)
        named = options.pop("inputs", None)
        values = [scope.flow.prev]
        if named is not None:
            given = named if isinstance(named, list) else [named]
            values = [v for i, r in enumerate(given) for v in references(r, (*where, "inputs", i), scope)]
        holds, guard = decide(item, path, scope)
        if holds is False:
            step = self._skip(values[0] if values else scope.flow.prev, name, scope, guard)
            if name:
                scope.names[name] = step.value
            return
        row = object()
        if word in self.declared.blocks:
            block = self.declared.blocks[word]
            bound = bind_long(block, options, scope.lookup, where)
            self._check_inputs(block, values, at)
            step = self._block(block, bound, values, at, scope, name, row)
        else:
            written = Written(word, at, word_at, None, options, where)
            classes = OPERATIONS.find(word)
            inputs = () if named is None and classes and classes[0].source else tuple(values)
            step = self._operation(written, inputs, scope, name, row)
        step.guard = guard or scope.guard
        self._only(step, None if holds is True else holds == "training")
        if name:
            self.members.own_name(name, [step], path, scope)

    def _pass(self, body: Any, path: Path, scope: Scope, name: str, guard: Guard | None) -> None:
        """A body that is left out: the first step's first input goes on."""
        step = self._skip(entry_of(body, path, scope), name, scope, guard)
        if name:
            scope.names[name] = step.value

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


def naming_of(body: Any) -> Naming:
    return "list" if isinstance(body, list | str) else "names"
