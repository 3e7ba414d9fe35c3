"""Expands a document into a graph: bodies walked, blocks opened, repeats unrolled, names given.

One walk does it all, because a repeat count or a condition may ask for a size that only the
steps before it tell. A problem never stops the walk: what follows from it is unknown, and
unknown values give no further problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from netspec.errors import At, Path, Problem, did_you_mean
from netspec.graph.blocks import Block, bind, bind_long, complete, read_block
from netspec.graph.inputs import read_input
from netspec.graph.model import Graph, Guard, Level, Step, Unknown, Value, first, flat
from netspec.graph.names import check_input_name, check_member_name
from netspec.graph.prune import prune
from netspec.graph.scope import Flow, Naming, Scope
from netspec.graph.steps import Defaults, Written, infer, make, owns
from netspec.graph.weights import read_weights
from netspec.language import rows
from netspec.language.calls import Arguments, Refused, arguments, compute, evaluate, long_arguments, long_value
from netspec.language.document import Document
from netspec.language.rows import Arg, Call, Expr, Input, RowError, Word
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS

if TYPE_CHECKING:
    from netspec.graph.init import Owner, Rule

GROUP: Final = {"layers", "repeat", "as", "when", "order", "outputs"}
UNIQUE: Final = "Names are unique in a body; in a repeat, write a counter: name$(i)."
MAX_STEPS: Final = 100_000
MAX_ROUNDS: Final = 10_000
MAX_DEPTH: Final = 32


def expand(document: Document) -> tuple[Graph, list[Problem]]:
    """The graph of a document, and every problem in it."""
    return _Expander(document).expand()


class _Expander:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: dict[tuple[Any, ...], Problem] = {}
        self.used_at: list[At] = []
        self.blocks: dict[str, Block] = {}
        self.defaults: Defaults = {}
        self.params: dict[str, Any] = {}
        self.used: set[str] = set()
        self.steps = 0
        self.bodies: dict[Step, tuple[Any, ...]] = {}

    # --- the whole document ---------------------------------------------------------------------

    def expand(self) -> tuple[Graph, list[Problem]]:
        root = Level("root", self.document.name)
        self._read_params()
        self._read_blocks()
        self._read_defaults()
        root.inputs = self._read_inputs(root)
        start = next(iter(root.inputs.values()), Value("input", None, root))
        naming: Naming = "names" if isinstance(self.document.layers, dict) else "root"
        scope = Scope(root, start, Flow(start, naming), names=dict(root.inputs), params=self.params)
        if self.document.layers is not None:
            try:
                self._body(self.document.layers, ("layers",), scope)
            except _TooLarge as too_large:
                self._add(too_large.problem)
            if not root.steps and not self.problems:
                self._add(Problem("empty", "the network has no layers", At(("layers",))))
        self._check_unused()
        self._finish(root, scope, self.document.sections.get("outputs"), ("outputs",))
        self._reorder(root, self.document.sections.get("order"), ("order",))
        prune(root)
        rules: list[Rule] = []
        owners: tuple[Owner, ...] = ()
        if "init" in self.document.sections:
            from netspec.graph.init import assign, read_rules

            rules = read_rules(self.document.sections["init"], self._lookup_param, self._add)
            owners = assign(root, rules, self._add) if not self.problems else ()
        ties = self._ties(root)
        names = list(dict(root.parameters())) if not self.problems else []
        weights = read_weights(self.document.sections.get("weights", {}), names, self._add)
        graph = Graph(self.document.name, root, ties, tuple(rules), owners, weights)
        return graph, list(self.problems.values())

    def _lookup_param(self, name: str) -> Any:
        if name not in self.params:
            raise KeyError(did_you_mean(name, self.params))
        return self.params[name]

    def _read_params(self) -> None:
        for name, value in self.document.params.items():
            with self._catching():
                self.params[name] = long_value(value, self._lookup_param, At(("params", name)), textual=True)

    def _read_blocks(self) -> None:
        for header, body in self.document.blocks.items():
            path = ("blocks", header)
            with self._catching():
                block = read_block(header, body, path)
                if OPERATIONS.find(block.name):
                    text = f"{block.name} is an operation already; a block needs a name of its own"
                    raise Refused(Problem("block-name", text, At(path, on_key=True)))
                if block.name in self.blocks:
                    raise Refused(Problem("block-name", f"there are two blocks {block.name}", At(path, on_key=True)))
                self.blocks[block.name] = block

    def _check_unused(self) -> None:
        """Read the rows of blocks that nothing uses: their words can be checked, their shapes cannot."""
        for block in self.blocks.values():
            if block.name not in self.used:
                for text, path in _texts(block.body, block.path):
                    with self._catching():
                        for call in self._rows(text, path):
                            if isinstance(call.op, str):
                                self._check_word(call.op, At(path, call.op_span))

    def _check_word(self, word: str, at: At) -> None:
        """Raises Refused for a word that is no operation and no block."""
        if word in ("use", "alias") or word in self.blocks or OPERATIONS.find(word):
            return
        hint = did_you_mean(word, [*OPERATIONS.words(), *self.blocks]) or "`netspec schema` lists every operation."
        raise Refused(Problem("unknown-op", f"there is no operation or block {word!r}", at, hint))

    def _read_defaults(self) -> None:
        for word, value in self.document.defaults.items():
            path = ("defaults", word)
            classes = OPERATIONS.find(word)
            if not classes:
                hint = OPERATIONS.suggest(word)
                self._add(Problem("unknown-op", f"there is no operation {word!r}", At(path, on_key=True), hint))
                continue
            with self._catching():
                if isinstance(value, dict):
                    given = long_arguments(value, classes[0], self._lookup_param, path)
                else:
                    calls = self._rows(f"{word} {value}", path)
                    if len(calls) > 1:
                        text = "defaults are the arguments of one operation, without a comma"
                        raise Refused(Problem("row", text, At(path)))
                    given = arguments(_shifted(calls[0], -len(word) - 1), classes[0], self._lookup_param, path)
                self.defaults[word.lower()] = given.values

    def _read_inputs(self, root: Level) -> dict[str, Value]:
        sections = self.document.sections
        given = sections.get("inputs", {})
        if "input" in sections:
            given = {"input": sections["input"]}
        found = {}
        for name, value in given.items():
            path: Path = ("input",) if "input" in sections else ("inputs", name)
            found[name] = Value(name, None, root)
            with self._catching():
                check_input_name(name, At(path, on_key=True))
                found[name].tensor = read_input(value, path, self._lookup_param)
        return found

    # --- bodies ---------------------------------------------------------------------------------

    def _body(self, body: Any, path: Path, scope: Scope) -> None:
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
                self._add(Problem("empty", "layers are expected here", At(path), "A row, a list or a mapping."))

    def _item(self, item: Any, path: Path, scope: Scope) -> None:
        if isinstance(item, dict):
            if "layers" in item and item.keys() <= GROUP:
                self._group(item, path, scope)
            elif long := self._long_call(item, path):
                with self._catching():
                    self._repeated_long(long, item, path, scope, "")
            else:
                self._body(item, path, scope)
        elif isinstance(item, list):
            self._level("list", "", item, path, scope, {})
        elif isinstance(item, str):
            self._chain(item, path, scope, "")
        else:
            self._null(item, path)

    def _named(self, template: str, step: Any, path: Path, scope: Scope) -> None:
        with self._catching():
            name = self._name(template, path, scope)
            if isinstance(step, str):
                self._chain(step, path, scope, name)
            elif isinstance(step, list):
                self._level("list", name, step, path, scope, {})
            elif not isinstance(step, dict):
                self._null(step, path)
            elif "layers" in step and step.keys() <= GROUP:
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
        self._add(
            Problem("empty-step", f"a step is expected here, not {'nothing' if item is None else item}", At(path), hint)
        )

    def _group(self, group: dict[str, Any], path: Path, scope: Scope) -> None:
        """A group is spliced: its members are members of what surrounds it."""
        body, inner = group["layers"], (*path, "layers")
        with self._catching():
            holds, guard = self._when(group, path, scope)
            if holds is False:
                self._pass(body, inner, scope, "", guard)
                return
            self._check_group(group, holds, path)
            around = scope.guard
            scope.guard = guard or around
            if "repeat" in group:
                self._repeat(group, body, path, inner, scope)
            else:
                self._body(body, inner, scope)
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
        rounds = self._rounds(group, path, scope)
        ends: list[Value] = []
        for params in rounds:
            self._count(At((*path, "repeat")))
            flow = scope.flow
            each = Scope(scope.level, scope.block_input, flow, scope, params=params, guard=scope.guard)
            self._body(body, inner, each)
            ends.append(flow.prev)
            for name, value in each.names.items():
                scope.names[name] = value
                scope.rounds.setdefault(name, []).append(value)
        return ends

    def _rounds(self, group: dict[str, Any], path: Path, scope: Scope) -> list[dict[str, Any]]:
        at = At((*path, "repeat"))
        given = group["repeat"]
        table = long_value(given, scope.lookup, at)
        if isinstance(table, bool) or not isinstance(table, int | list):
            raise Refused(Problem("repeat", f"repeat takes a count or a table of rows, not {table!r}", at))
        count = table if isinstance(table, int) else len(table)
        if not 0 <= count <= MAX_ROUNDS:
            raise Refused(Problem("repeat", f"a repeat of {count:,}; it can be 0 to {MAX_ROUNDS:,}", at))
        names = group.get("as", [])
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise Refused(Problem("repeat", "`as` takes a name, or a list of names", At((*path, "as"))))
        if isinstance(table, int):
            return [{**dict.fromkeys(names, i), "i": i} for i in range(count)]
        return [{**_columns(names, row, At((*at.path, i))), "i": i} for i, row in enumerate(table)]

    # --- levels ---------------------------------------------------------------------------------

    def _level(self, kind: Any, name: str, body: Any, path: Path, scope: Scope, options: dict[str, Any]) -> Step | None:
        """A level of the module tree: a list, a mapping, or the long form of one."""
        where = path[:-1] if options else path
        holds, guard = self._when(options, where, scope)
        if holds is False:
            self._pass(body, path, scope, name, guard)
            return None
        training = None if holds is True else holds == "training"
        passed = self._entry(body, path, scope) if training is not None else None
        name = name or scope.flow.next_name("seq", scope.level.members)
        level = Level(kind, name, scope.level, source=path)
        naming = _naming(body)
        inner = Scope(level, scope.block_input, Flow(scope.flow.prev, naming), scope)
        ends: list[Value] | None = None
        if "repeat" in options:
            ends = self._repeat(options, body, where, path, inner)
        else:
            self._body(body, path, inner)
        step = self._call_level(level, name, (), At(where, on_key=True), scope)
        step.guard = guard or scope.guard
        self._finish_step(step, inner, options.get("outputs"), (*where, "outputs"), ends, scope)
        self._reorder(level, options.get("order"), (*where, "order"))
        self.bodies[step] = (kind, body, path, scope, options)
        if training is not None:
            scope.rounds.pop(step.name, None)
        return self._only(step, training, passed)

    def _call_level(self, level: Level, name: str, inputs: tuple[Value, ...], at: At, scope: Scope) -> Step:
        value = Value(name, None, scope.level)
        step = Step(name, scope.level, inputs, value, at, body=level)
        value.step = step
        self._place(step, name, scope)
        return step

    def _finish_step(
        self, step: Step, inner: Scope, outputs: Any, path: Path, ends: list[Value] | None, scope: Scope
    ) -> None:
        """Give a level's step its value and the parts that its `outputs` name."""
        level = step.body
        assert level is not None
        self._finish(level, inner, outputs, path)
        results = level.outputs
        main = step.value
        named = results if isinstance(results, dict) else {}
        source = next(iter(named.values()), None)
        if results is not None and not isinstance(results, dict):
            source = first(results)
        if source is not None:
            main.tensor = source.tensor
            level.exports[main] = source
            main.parts.update({n: main if v is source else self._mirror(step, n, v) for n, v in named.items()})
            main.parts.update({n: self._mirror(step, n, v) for n, v in source.parts.items() if n not in main.parts})
        if ends is not None:
            mirrored = [self._mirror(step, str(i), end) for i, end in enumerate(ends)]
            scope.rounds[step.name] = mirrored
        self._advance(step, scope)

    def _mirror(self, step: Step, name: str, inner: Value) -> Value:
        """The value outside a level that stands for one inside."""
        assert step.body is not None
        outer = Value(f"{step.name}.{name}", inner.tensor, step.level, step)
        step.body.exports[outer] = inner
        outer.parts = {n: self._mirror(step, f"{name}.{n}", v) for n, v in inner.parts.items() if v is not inner}
        return outer

    def _finish(self, level: Level, scope: Scope, outputs: Any, path: Path) -> None:
        """What a level gives: its last value, or what `outputs` names."""
        level.outputs = scope.flow.prev
        if outputs is None:
            return
        with self._catching():
            if not outputs:
                raise Refused(Problem("outputs", "outputs names nothing", At(path), "Leave it out for the last value."))
            if isinstance(outputs, dict):
                named = {n: self._reference(r, (*path, n), scope) for n, r in outputs.items()}
                level.outputs = named
            else:
                given = outputs if isinstance(outputs, list) else [outputs]
                values = [v for i, r in enumerate(given) for v in self._references(r, (*path, i), scope)]
                twice = next((v for i, v in enumerate(values) if v in values[:i]), None)
                if twice is not None:
                    raise Refused(Problem("twice", f"{twice.name} is given twice", At(path), "Keep one of them."))
                level.outputs = tuple(values) if isinstance(outputs, list) else values[0]

    def _reference(self, text: Any, path: Path, scope: Scope) -> Value:
        found = self._references(text, path, scope)
        if len(found) != 1:
            raise Refused(Problem("outputs", f"{text} is {len(found)} values, one is expected here", At(path)))
        return found[0]

    def _references(self, text: Any, path: Path, scope: Scope) -> list[Value]:
        """The value that a text names, or with .* those of all rounds. Raises Refused."""
        if not isinstance(text, str):
            raise Refused(Problem("outputs", "the name of a step is expected here", At(path)))
        return self._input(Input(tuple(text.split(".")), None, (0, len(text))), path, scope)

    def _reorder(self, level: Level, order: Any, path: Path) -> None:
        """Register the members in the order of the patterns that they match; the others come last."""
        if order is None:
            return
        if not isinstance(order, list) or not all(isinstance(pattern, str) for pattern in order):
            self._add(Problem("order", "order is a list of names and patterns", At(path), "For example: [conv*, fc*]"))
            return
        for i, pattern in enumerate(order):
            if not any(fnmatchcase(name, pattern) for name in level.members):
                hint = did_you_mean(pattern, level.members)
                self._add(Problem("order", f"{pattern!r} matches no member", At((*path, i)), hint))

        def rank(name: str) -> int:
            return next((i for i, pattern in enumerate(order) if fnmatchcase(name, pattern)), len(order))

        level.members = dict(sorted(level.members.items(), key=lambda item: rank(item[0])))

    # --- chains and calls -----------------------------------------------------------------------

    def _chain(self, text: str, path: Path, scope: Scope, name: str) -> None:
        """The calls of one row. A name goes to the one piece that owns parameters, and to the end."""
        row = object()
        try:
            calls = [piece for call in self._rows(text, path) for piece in _arrows(call, path)]
        except Refused as refused:
            self._refuse(refused, scope, name)
            return
        if name and any(call.times is not None for call in calls):
            at = At(path, calls[0].span)
            self._add(
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
            self._own_name(name, steps, path, scope)

    def _refuse(self, refused: Refused, scope: Scope, name: str) -> None:
        """Report, and let what follows find an unknown value."""
        for problem in refused.problems:
            self._add(problem)
        unknown = Value(name or "it", None, scope.level)
        scope.flow.prev = unknown
        if name:
            scope.names[name] = unknown

    def _own_name(self, name: str, steps: list[Step], path: Path, scope: Scope) -> None:
        """Register the piece of a named chain that owns something; the name is the value at its end."""
        owners = [
            s
            for s in steps
            if not (s.left_out or s.again)
            and (s.body is not None or (s.op is not None and (owns(s.op) or _registered(s.op))))
        ]
        if len(owners) > 1:
            text = f"{name} names {len(owners)} pieces that own parameters: {', '.join(_word(s) for s in owners)}"
            self._add(Problem("two-owners", text, owners[1].at, "Write [ ] around the row, or give each its own name."))
        modules = owners[:1] or [s for s in steps if _module_only(s) and not s.again]
        for i, step in enumerate(modules):
            self._register(step, name if i == 0 else f"{name}_{i}", scope, At(path, on_key=True))
        if steps:
            end = steps[-1].value
            end.name = name
            self._bind(name, end, scope, At(path, on_key=True))

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
                self._count(At(path, call.span))
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
        word = self._op_word(call, path, scope)
        training = None
        guard = scope.guard
        if call.when is not None:
            holds = self._condition(call.when, path, scope)
            guard = Guard(at, call.when.text)
            if holds is False:
                passed = self._inputs(call, path, scope)
                return self._skip(passed[0] if passed else scope.flow.prev, name, scope, guard)
            training = None if holds is True else holds == "training"
        if word == "use":
            return self._only(self._use(call, path, scope, name, at), training)
        if word == "alias":
            self._alias(call, path, scope, name, at)
            return None
        block = self.blocks.get(word)
        if block is not None:
            given, expressions = bind(block, call, scope.lookup, path)
            step = self._block(block, given, self._block_inputs(block, call, path, scope), at, scope, name, row)
            step.guard = guard
            step.written = expressions
            return self._only(step, training)
        written = Written(word, at, At(path, call.op_span), call)
        classes = OPERATIONS.find(word)
        source = bool(classes) and classes[0].source
        inputs = () if source and call.inputs is None else tuple(self._inputs(call, path, scope))
        self._check_word(word, written.word_at)
        step = self._operation(written, inputs, scope, name, row)
        step.guard = guard
        return self._only(step, training)

    def _operation(self, written: Written, inputs: tuple[Value, ...], scope: Scope, name: str, row: object) -> Step:
        self._count(written.at)
        op, given = make(written, inputs, scope.lookup, self.defaults)
        label = name or scope.flow.next_name(_base(type(op), written.word), scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, written.at, op, row=row)
        step.written = given.written
        step.wrap = written.wrap(type(op), scope.lookup)
        value.step = step
        for problem in infer(step, given, written):
            self._add(problem)
        scope.level.steps.append(step)
        if not name:
            op = step.op or op
            listed = scope.flow.naming == "list" and isinstance(op, Layer)
            if listed or owns(op) or _registered(op) or _module_only(step):
                self._register(step, label, scope)
            self._bind(label, step.value, scope, written.at)
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
            self._add(Problem("shape-mismatch", text, step.at, "A step that runs only in training keeps the shape."))
        return step

    def _block(
        self, block: Block, given: dict[str, Any], inputs: list[Value], at: At, scope: Scope, name: str, row: object
    ) -> Step:
        self._count(at)
        if len(self.used_at) >= MAX_DEPTH:
            text = (
                f"the block {block.name} is used inside itself"
                if self.used_at.count(at)
                else "blocks nested too deeply"
            )
            raise Refused(Problem("recursion", text, at))
        self.used.add(block.name)
        label = name or scope.flow.next_name(block.name, scope.level.members)
        level = Level("block", label, scope.level, block.name, source=block.path)
        for formal, actual in zip(block.inputs, inputs, strict=True):
            level.inputs[formal] = Value(formal, actual.tensor, level, parts={})
        start = next(iter(level.inputs.values()))
        naming = _naming(block.body)
        outer = Scope(level, start, Flow(start, "names"), params=self.params)
        inner = Scope(level, start, Flow(start, naming), outer, names=dict(level.inputs))
        level.params = complete(block, given, inner.lookup, at)
        inner.params = level.params
        body, path, options = block.body, block.path, {}
        if isinstance(body, dict) and "layers" in body and body.keys() <= GROUP:
            options, body, path = body, body["layers"], (*path, "layers")
            inner.flow.naming = _naming(body)
        self.used_at.append(at)
        ends = None
        if "repeat" in options:
            with self._catching():
                ends = self._repeat(options, body, block.path, path, inner)
        else:
            self._body(body, path, inner)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, tuple(inputs), value, at, body=level, row=row)
        value.step = step
        scope.level.steps.append(step)
        if not name:
            self._register(step, label, scope)
        self._finish_step(step, inner, options.get("outputs"), (*block.path, "outputs"), ends, scope)
        self.used_at.pop()
        self._reorder(level, options.get("order"), (*block.path, "order"))
        if not name:
            self._bind(label, step.value, scope, at)
        self.bodies[step] = (block, given)
        return step

    def _block_inputs(self, block: Block, call: Call | None, path: Path, scope: Scope) -> list[Value]:
        values = self._inputs(call, path, scope) if call else [scope.flow.prev]
        self._check_inputs(block, values, At(path, call.span) if call else At(path))
        return values

    def _check_inputs(self, block: Block, values: list[Value], at: At) -> None:
        if len(values) != len(block.inputs):
            count = f"{len(block.inputs)} input{'s' if len(block.inputs) != 1 else ''}"
            text = f"the block {block.name} takes {count}, here it has {len(values)}"
            raise Refused(Problem("inputs", text, at, f"It is declared as: {block.usage}"))

    # --- the long form --------------------------------------------------------------------------

    def _long_call(self, item: dict[str, Any], path: Path) -> str:
        """The word of a long call, `{Conv2d: {out_channels: 6}}`; empty if the mapping is something else."""
        words = [k for k in item if k not in ("when", "repeat", "as")]
        if len(words) != 1 or not isinstance(item[words[0]], dict):
            return ""
        word, options = words[0], item[words[0]]
        if word in self.blocks:
            known = {*self.blocks[word].params, "inputs"}
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
        for params in self._rounds(item, path, scope):
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
            values = [v for i, r in enumerate(given) for v in self._references(r, (*where, "inputs", i), scope)]
        holds, guard = self._when(item, path, scope)
        if holds is False:
            step = self._skip(values[0] if values else scope.flow.prev, name, scope, guard)
            if name:
                scope.names[name] = step.value
            return
        row = object()
        if word in self.blocks:
            block = self.blocks[word]
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
            self._own_name(name, [step], path, scope)

    # --- using a member again -------------------------------------------------------------------

    def _use(self, call: Call, path: Path, scope: Scope, name: str, at: At) -> Step:
        target, member = self._target(call, path, scope, "use")
        inputs = tuple(self._inputs(call, path, scope))
        self._check_uses(target, inputs, at)
        label = name or scope.flow.next_name("use", scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, at, target.op, target.body, member, again=True)
        value.step = step
        if target.body is not None:
            self._again(step, target, scope)
        else:
            for problem in infer(step, Arguments(), Written("use", at, at, call)):
                self._add(problem)
        known = step.value.tensor is not None and target.value.tensor is not None
        if known and _shapes(step) != _shapes(target):
            text = f"{target.name} would need other parameters for this input than for its first"
            self._add(Problem("shape-mismatch", text, at))
        scope.level.steps.append(step)
        scope.flow.prev = step.value
        if not name:
            self._bind(label, step.value, scope, at)
        return step

    def _check_uses(self, target: Step, inputs: tuple[Value, ...], at: At) -> None:
        """Raises Refused where a member takes another number of inputs than it is used with."""
        low, high = target.op.inputs if target.op is not None else (1, 1)
        if target.body is not None and target.body.inputs:
            low = high = len(target.body.inputs)
        if not low <= len(inputs) <= high:
            text = f"{target.name} takes {low} input{'s' if low != 1 else ''}, here it has {len(inputs)}"
            raise Refused(Problem("inputs", text, at, f"Name them in brackets: use(a b) {target.name}"))

    def _again(self, step: Step, target: Step, scope: Scope) -> None:
        """Run the target's level for other inputs, beside the tree: only its shapes count."""
        aside = Level("mapping", target.name, scope.level)
        recipe = self.bodies[target]
        inputs = step.inputs
        flow = Flow(inputs[0], "names")
        if isinstance(recipe[0], Block):
            beside = Scope(aside, inputs[0], flow, scope)
            made: Step | None = self._block(recipe[0], recipe[1], list(inputs), target.at, beside, target.name, None)
        else:
            kind, body, path, outer, options = recipe
            beside = Scope(aside, outer.block_input, flow, outer)
            made = self._level(kind, target.name, body, path, beside, options)
        assert made is not None
        assert made.body is not None
        if not made.body.inputs and (other := _foreign(made.body, inputs[0].actual)) is not None:
            text = f"{target.name} also reads {other.name}, which another use cannot give it"
            raise Refused(Problem("use", text, step.at, "Make it a block that has this as an input."))
        step.body, step.results = made.body, made.results
        for value in made.body.exports:
            value.name = value.name.replace(target.name, step.name, 1)
            value.level, value.step = step.level, step

    def _alias(self, call: Call, path: Path, scope: Scope, name: str, at: At) -> None:
        target, _ = self._target(call, path, scope, "alias")
        if not name:
            raise Refused(Problem("alias", "an alias needs a name", at, "Write name: alias other.member"))
        scope.level.members[name] = target
        scope.level.aliases[name] = target

    def _target(self, call: Call, path: Path, scope: Scope, what: str) -> tuple[Step, str]:
        """The member that `use` and `alias` name, and its path from this body inward."""
        word = next((a.value for a in call.args if isinstance(a.value, Word)), None)
        at = At(path, call.span)
        if word is None:
            raise Refused(Problem(what, f"{what} names a member", at, f"Write {what} name."))
        parts = word.text.split(".")
        step = _descend(scope.level, parts)
        if step is not None:
            return step, word.text
        hint = did_you_mean(parts[0], scope.level.members)
        level = scope.level.parent
        while level is not None:
            if _descend(level, parts) is not None:
                hint = f"{word.text} stands outside; a body reaches only members of its own. Write the {what} there."
            level = level.parent
        raise Refused(Problem("unknown-name", f"there is no member {word.text!r} before this", at, hint))

    # --- names, inputs, conditions --------------------------------------------------------------

    def _inputs(self, call: Call, path: Path, scope: Scope) -> list[Value]:
        if call.inputs is None:
            return [scope.flow.prev]
        return [value for given in call.inputs for value in self._input(given, path, scope)]

    def _input(self, given: Input, path: Path, scope: Scope) -> list[Value]:
        """The value or values that a reference names. Raises Refused."""
        at = At(path, given.span)
        head, *rest = given.path
        if "$" in head:
            head = self._template(head, path, scope)
        if rest and rest[0] == "*":
            values = scope.all_rounds(head)
            if values is None:
                raise Refused(Problem("unknown-name", f"{head} is not repeated, so it has no .*", at))
            rest = rest[1:]
        else:
            value = scope.value(head)
            if value is None:
                known = [n for n in scope.known() if not n.startswith("_")]
                hint = did_you_mean(head, known) or f"In sight are: {', '.join(dict.fromkeys(known))}."
                raise Refused(Problem("unknown-name", f"there is no value {head!r} before this", at, hint))
            values = [value]
        return [self._part(value, rest, at) for value in values]

    def _part(self, value: Value, rest: list[str], at: At) -> Value:
        for name in rest:
            if value.tensor is None and name not in value.parts:
                return Value(name, None, value.level)
            if name not in value.parts:
                hint = f"It has: {', '.join(value.parts)}." if value.parts else "It is a single tensor."
                raise Refused(Problem("unknown-name", f"{value.name} has no part {name!r}", at, hint))
            value = value.parts[name]
        return value

    def _when(self, options: Mapping[str, Any], path: Path, scope: Scope) -> tuple[bool | str, Guard | None]:
        """Whether a condition holds, and the guard that it makes of its steps."""
        if "as" in options and "repeat" not in options:
            text = "`as` names the columns of a repeat, and there is none"
            raise Refused(Problem("repeat", text, At((*path, "as"), on_key=True)))
        if "when" not in options:
            return True, None
        text = str(options["when"]).lower() if isinstance(options["when"], bool) else str(options["when"])
        at = At((*path, "when"))
        if not isinstance(options["when"], bool | int | str):
            raise Refused(Problem("when", "a condition is expected here", at, "For example: s != 1 or in.c != c"))
        if text in ("true", "false"):
            return text == "true", Guard(at, text.capitalize())
        return self._condition(Expr(text, (0, len(text))), (*path, "when"), scope), Guard(at, text)

    def _condition(self, expr: Expr, path: Path, scope: Scope) -> bool | str:
        """True or False, or `training` or `not training`, which only the run decides."""
        text = " ".join(expr.text.split())
        if text in ("training", "not training"):
            return text
        try:
            return bool(evaluate(expr, scope.lookup, At(path)))
        except Unknown:
            return True

    def _pass(self, body: Any, path: Path, scope: Scope, name: str, guard: Guard | None) -> None:
        """A body that is left out: the first step's first input goes on."""
        step = self._skip(self._entry(body, path, scope), name, scope, guard)
        if name:
            scope.names[name] = step.value

    def _entry(self, body: Any, path: Path, scope: Scope) -> Value:
        """The first input of a body's first step: what goes on where the body does not run."""
        call, where = _first_call(body, path)
        values = self._inputs(call, where, scope) if call is not None else []
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

    def _op_word(self, call: Call, path: Path, scope: Scope) -> str:
        if isinstance(call.op, str):
            return call.op
        word = evaluate(call.op, scope.lookup, At(path))
        if not isinstance(word, str):
            raise Refused(Problem("unknown-op", f"{word!r} is no operation", At(path, call.op_span)))
        return word

    def _name(self, template: str, path: Path, scope: Scope) -> str:
        name = self._template(template, path, scope) if "$" in template else template
        problem = check_member_name(name, At(path, on_key=True))
        if problem is not None:
            raise Refused(problem)
        return name

    def _template(self, text: str, path: Path, scope: Scope) -> str:
        try:
            parts = rows.template(text)
        except RowError as error:
            raise Refused(Problem("row", error.message, At(path, on_key=True), error.hint)) from None
        at = At(path, on_key=True)
        return "".join(str(evaluate(p, scope.lookup, at)) if isinstance(p, Expr) else p for p in parts)

    def _rows(self, text: str, path: Path) -> tuple[Call, ...]:
        try:
            return rows.parse(text)
        except RowError as error:
            raise Refused(Problem("row", error.message, At(path, error.span), error.hint)) from None

    # --- registering ----------------------------------------------------------------------------

    def _place(self, step: Step, name: str, scope: Scope) -> None:
        scope.level.steps.append(step)
        self._register(step, name, scope)

    def _register(self, step: Step, name: str, scope: Scope, at: At | None = None) -> None:
        if name in scope.level.members:
            self._add(Problem("duplicate-name", f"{name} is there twice", at or step.at, UNIQUE))
            return
        step.member = name
        if step.body is not None:
            step.body.name = name
        scope.level.members[name] = step

    def _advance(self, step: Step, scope: Scope) -> None:
        scope.flow.prev = step.value
        if step.body is not None and step.body.kind != "block":
            self._bind(step.name, step.value, scope, step.at)

    def _bind(self, name: str, value: Value, scope: Scope, at: At) -> None:
        if name in scope.names and scope.flow.naming != "list":
            self._add(Problem("duplicate-name", f"{name} is there twice", at, UNIQUE))
        scope.names[name] = value

    def _ties(self, root: Level) -> dict[str, str]:
        given = self.document.sections.get("tie", {}) if not self.problems else {}
        known = dict(root.parameters()) if given else {}
        ties = {}
        for name, target in given.items():
            at = At(("tie", name), on_key=True)
            missing = next((n for n in (name, target) if n not in known), None)
            if missing is not None:
                text = f"there is no parameter {missing!r}"
                self._add(Problem("unknown-name", text, at, did_you_mean(str(missing), known)))
            elif known[name] != known[target]:
                text = f"{name} is {known[name]}, {target} is {known[target]}; only equal shapes can be tied"
                self._add(Problem("shape-mismatch", text, at))
            else:
                ties[name] = target
        return {name: self._tied(name, ties) for name in ties}

    def _tied(self, name: str, ties: dict[str, str]) -> str:
        """The parameter at the end of a chain of ties."""
        seen = [name]
        while (target := ties.get(seen[-1])) is not None:
            if target in seen:
                self._add(Problem("tie", f"{name} is tied to itself in a circle", At(("tie", name), on_key=True)))
                break
            seen.append(target)
        return seen[-1]

    # --- problems -------------------------------------------------------------------------------

    def _add(self, problem: Problem) -> None:
        """Note a problem once, with the lines that used the block it stands in."""
        key = (problem.code, problem.at, problem.message)
        self.problems.setdefault(key, replace(problem, used_at=tuple(reversed(self.used_at))))

    @contextmanager
    def _catching(self) -> Iterator[None]:
        depth = len(self.used_at)
        try:
            yield
        except Refused as refused:
            for problem in refused.problems:
                self._add(problem)
        except Unknown:
            pass
        finally:
            del self.used_at[depth:]

    def _count(self, at: At) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise _TooLarge(at)


class _TooLarge(Exception):
    """A network with too many steps, at which the walk ends."""

    def __init__(self, at: At) -> None:
        super().__init__(at)
        self.problem = Problem("too-large", f"the network has more than {MAX_STEPS:,} steps", at)


def _naming(body: Any) -> Naming:
    return "list" if isinstance(body, list | str) else "names"


def _arrows(call: Call, path: Path) -> Iterator[Call]:
    """`fc 400->120->84 between=relu` as fc 400->120, relu, fc 120->84. Raises Refused."""
    arrow = next((a for a in call.args if a.kind == "arrow"), None)
    between = next((a for a in call.args if a.kind == "keyword" and a.name == "between"), None)
    if arrow is None or not isinstance(arrow.value, tuple):
        yield call
        return
    others = tuple(a for a in call.args if a not in (arrow, between))
    sizes = arrow.value
    if between is not None and (len(sizes) < 3 or not isinstance(between.value, Word)):
        text = "nothing lies between the two sizes" if len(sizes) < 3 else "between names one operation"
        raise Refused(Problem("between", text, At(path, between.span), "For example: fc 400->120->84 between=relu"))
    for i in range(len(sizes) - 1):
        if i and between is not None and isinstance(between.value, Word):
            span = (between.span[0] + len("between="), between.span[1])
            yield Call(between.value.text, span, None, (), op_span=span)
        pair = Arg("arrow", sizes[i : i + 2] if i == 0 else (None, sizes[i + 1]), arrow.span)
        yield replace(call, args=(pair, *others), inputs=call.inputs if i == 0 else None)


def _texts(body: Any, path: Path) -> Iterator[tuple[str, Path]]:
    """The rows of a body, as far as they can be told from other texts."""
    if isinstance(body, str):
        yield body, path
    elif isinstance(body, list):
        for i, item in enumerate(body):
            yield from _texts(item, (*path, i))
    elif isinstance(body, dict):
        inner = {"layers": body["layers"]} if "layers" in body and body.keys() <= GROUP else body
        for key, item in inner.items():
            if not isinstance(item, dict) or not OPERATIONS.find(str(key)):
                yield from _texts(item, (*path, key))


def _columns(names: list[str], row: Any, at: At) -> dict[str, Any]:
    if len(names) <= 1 and not (isinstance(row, list) and len(names) == 1 and len(row) == 1):
        return dict.fromkeys(names, row)
    if not isinstance(row, list) or len(row) != len(names):
        found = len(row) if isinstance(row, list) else 1
        raise Refused(Problem("repeat", f"this row has {found} values, `as` names {len(names)}", at))
    return dict(zip(names, row, strict=True))


def _first_call(body: Any, path: Path) -> tuple[Call | None, Path]:
    while not isinstance(body, str):
        if isinstance(body, list) and body:
            body, path = body[0], (*path, 0)
        elif isinstance(body, dict) and "layers" in body:
            body, path = body["layers"], (*path, "layers")
        elif isinstance(body, dict) and body:
            key = next(iter(body))
            body, path = body[key], (*path, key)
        else:
            return None, path
    try:
        return rows.parse(body)[0], path
    except RowError:
        return None, path


def _shifted(call: Call, by: int) -> Call:
    """A call whose places are moved along its text."""
    args = tuple(replace(a, span=(max(0, a.span[0] + by), max(1, a.span[1] + by))) for a in call.args)
    return replace(call, args=args)


def _descend(level: Level, parts: list[str]) -> Step | None:
    step: Step | None = None
    for part in parts:
        step = level.members.get(part)
        if step is None:
            return None
        if step.body is not None:
            level = step.body
    return step


def _base(cls: type[Op], word: str) -> str:
    """The word that unnamed members of a class are counted under: conv, bn, fc."""
    return next(iter((*cls.general, *cls.words)), word.lower())


def _foreign(level: Level, flow: Value) -> Value | None:
    """A value from outside that a level reads besides the one that flows into it."""
    own = {flow}
    for step in level.walk():
        own.update(flat(step.results))
        if step.body is not None:
            own.update(step.body.exports, step.body.inputs.values())
    reads = (v.actual for step in level.walk() for v in (*step.inputs, *([step.passed] if step.passed else [])))
    return next((v for v in reads if v not in own), None)


def _word(step: Step) -> str:
    return type(step.op).__name__ if step.op is not None else step.body.block or "a level" if step.body else ""


def _registered(op: Op) -> bool:
    """Whether a source is a parameter or a buffer of its level."""
    return op.source and hasattr(op, "construct")


def _module_only(step: Step) -> bool:
    return isinstance(step.op, Layer) and step.op.call([f"x{i}" for i in range(len(step.inputs) or 1)]) is None


def _shapes(step: Step) -> list[tuple[int, ...]]:
    if step.body is not None:
        return [shape for _, shape in step.body.parameters()]
    return list(step.op.parameters().values()) if isinstance(step.op, Layer) else []
