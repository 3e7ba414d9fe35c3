"""Walks the bodies of a network: lists, mappings, rows, groups, levels and blocks become steps.

One walk does it all, because a repeat count or a condition may ask for a size that only the
steps before it tell. A problem never stops the walk: what follows from it is unknown, and
unknown values give no further problems.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from netspec.errors import At, Path, Problem
from netspec.graph.block_uses import BlockUses
from netspec.graph.bodies import is_row, naming_of
from netspec.graph.declared import Declared
from netspec.graph.draft import Level, Step, Value, called
from netspec.graph.members import Members
from netspec.graph.mistaken import no_step, not_steps
from netspec.graph.model import Guard
from netspec.graph.omitted import Omitted
from netspec.graph.references import decide, member_name, op_word, rounds_of, template
from netspec.graph.report import Report
from netspec.graph.results import Results
from netspec.graph.reuse import Reuse
from netspec.graph.rows import Short, calls_of_row, untorn
from netspec.graph.scope import Flow, Scope
from netspec.graph.steps import Operations
from netspec.graph.written import Written, calls_of
from netspec.language.calls import long_value
from netspec.language.levels import is_group
from netspec.language.refusals import Refused
from netspec.language.rows import Template

if TYPE_CHECKING:
    from netspec.graph.routes import Routing
    from netspec.graph.scans import Way


class Walk:
    """Turns bodies into the steps and members of levels."""

    operations_class: type[Operations] = Operations
    uses_class: type[BlockUses] = BlockUses

    def __init__(self, declared: Declared, report: Report) -> None:
        """What each part of the work needs of the others is given to it here."""
        self.declared = declared
        self.report = report
        self.members = Members(report)
        self.results = Results(report, self.members)
        self.reuse = Reuse(report, self.members)
        self.omitted = Omitted(declared, report)
        self.operations = self.operations_class(declared, report, self.members)
        self.uses = self.uses_class(declared, report, self.members, self.results, self.reuse, self._inside)

    def root(self, name: str) -> Level:
        """The level of the whole network, which has nothing in it yet."""
        return Level("root", name, params=self.declared.params.values)

    def body(self, body: Any, path: Path, scope: Scope) -> None:
        """Turn a body into steps: a row, a list of steps, a mapping of steps by name, or a group."""
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
        """One step of a list, which has no name."""
        if isinstance(item, str):
            self._chain(item, path, scope, "")
        elif is_group(item):
            self._group(item, path, scope)
        elif is_row(item, path, self.declared.seen(path)):
            self._chain(item, path, scope, "")
        elif isinstance(item, dict):
            self.body(item, path, scope)
        elif isinstance(item, list):
            self._level("list", "", item, path, scope, {})
        else:
            self._refuse(no_step(item, path), scope, "")

    def _named(self, key: str, step: Any, path: Path, scope: Scope) -> None:
        """One step of a mapping, under its name, which may be computed."""
        computed = "$" in key
        try:
            parts = template(key, path) if computed else (key,)
            name = member_name(parts, path, scope)
        except Refused as refused:
            self._refuse(refused, scope, key)
            scope.blind = scope.blind or computed
            return
        try:
            self._step(name, step, path, scope)
        except Refused as refused:
            self._refuse(refused, scope, name)
        if computed and name in scope.level.members:
            self.spelt(scope.level.members[name], parts, scope)

    def _step(self, name: str, step: Any, path: Path, scope: Scope) -> None:
        """What stands at a name. Raises Refused."""
        if isinstance(step, str) or is_row(step, path, self.declared.seen(path)):
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
                self.omitted.body(body, inner, scope, "", guard)
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
        for key in ("order", "outputs", "scan", "route"):
            if key in group:
                text = f"a group has no {key}; its members are those of what surrounds it"
                raise Refused(Problem("group", text, At((*path, key), on_key=True), hint))
        if isinstance(holds, str):
            raise Refused(Problem("when", f"a group cannot run only when {holds}", At((*path, "when")), hint))

    def _repeat(self, group: dict[str, Any], body: Any, path: Path, inner: Path, scope: Scope) -> list[Value]:
        """Unroll a repeat into `scope`; gives the value at the end of each round.

        Each takes what the one before gave, but for experts, which all take the same.
        """
        given = partial(long_value, group["repeat"], scope.lookup, At(path))
        rounds = self.counted(rounds_of(group, path, scope), given)
        ends: list[Value] = []
        first = scope.flow.prev if "route" in group else None
        if not rounds:
            self.omitted.names(self.omitted.of(body), path, scope)
        for params in rounds:
            self.report.count(At((*path, "repeat")))
            flow = scope.flow
            flow.prev = first or flow.prev
            each = Scope(scope.level, scope.block_input, flow, scope, params=params, guard=scope.guard)
            ends.append(self.round(body, inner, each))
            for name, value in each.names.items():
                scope.names[name] = value
                scope.rounds.setdefault(name, []).append(value)
        return ends

    def round(self, body: Any, path: Path, scope: Scope) -> Value:
        """Walk one round of a repeat; gives the value at its end."""
        self.body(body, path, scope)
        return scope.flow.prev

    def _level(
        self,
        kind: Any,
        name: str,
        body: Any,
        path: Path,
        scope: Scope,
        options: dict[str, Any],
        given: tuple[Value, ...] = (),
    ) -> Step | None:
        """A level of the module tree: a list, a mapping, or the long form of one.

        A scan is run again along what is `given`.
        """
        where = path[:-1] if options else path
        holds, guard = self.judged(decide(options, where, scope), scope)
        way: Way | Routing | None = None
        if "scan" in options:  # few networks have one, or experts
            from netspec.graph.scans import read_scan

            way = read_scan(options["scan"], (*where, "scan"), scope, given)
        elif "route" in options:
            from netspec.graph.routes import read_route

            way = read_route(options["route"], (*where, "route"), scope, options)
        if holds is False:
            self.omitted.body(body, path, scope, name, guard, way.entry if way else None)
            return None
        self.report.count(At(where))
        training = None if holds is True else holds == "training"
        passed = (way.entry if way else self.omitted.entry(body, path, scope)) if training is not None else None
        name = name or scope.flow.next_name("seq", scope.level.members)
        level = Level(kind, name, scope.level, source=path)
        outer = way.opened(level, scope) if way else scope
        inner = Scope(level, outer.block_input, Flow(outer.flow.prev, naming_of(body)), outer)
        ends = self._inside(options, body, where, path, inner)
        step = called(level, way.given if way else (), At(where, on_key=True), scope.level)
        step.guard = guard or scope.guard
        self.members.register(step, name, scope)
        self.results.finish_step(step, inner, options.get("outputs"), (*where, "outputs"), ends, scope)
        for problem in way.closed(step, inner) if way else ():
            self.report.add(problem)
        self.members.reorder(level, options.get("order"), (*where, "order"))

        def again(aside: Level, inputs: tuple[Value, ...]) -> Step:
            beside = Scope(aside, scope.block_input, Flow(inputs[0], "names"), scope)
            made = self._level(kind, step.name, body, path, beside, options, inputs)
            assert made is not None
            return made

        self.reuse.recipes[step] = again
        if training is not None:
            scope.rounds.pop(step.name, None)
        return self._only(step, training, passed)

    def _inside(self, options: dict[str, Any], body: Any, where: Path, path: Path, inner: Scope) -> list[Value] | None:
        """Walk what is inside a level; gives the value at the end of each round where it is one that repeats."""
        if "repeat" in options:
            return self._repeat(options, body, where, path, inner)
        self.body(body, path, inner)
        ends = inner.flow.ends
        return ends if ends is not None and len(ends) == len(inner.level.steps) else None

    def _chain(self, item: Any, path: Path, scope: Scope, name: str) -> None:
        """The calls of one row. A name goes to the one piece that owns parameters, and to the end."""
        row = object()
        try:
            calls: Sequence[Written] = (
                calls_of_row(item, path)
                if isinstance(item, str)
                else calls_of(item, path, self.declared.seen(path)) or ()
            )
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

    def _named_row(self, calls: Sequence[Written], path: Path, scope: Scope, name: str, row: object) -> None:
        """The calls of a row that has a name; each problem is reported at its own call."""
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
        self.report.take(refused)
        scope.lose(name)

    def _rounds(self, call: Written, scope: Scope, row: object) -> None:
        """One call, as often as its `xN` says."""
        try:
            if not call.repeats:
                self._piece(call, scope, "", row)
                return
            ends = []
            for params in self.counted(call.rounds(scope), partial(call.times, scope)):
                self.report.count(call.at)
                each = Scope(scope.level, scope.block_input, scope.flow, scope, params=params)
                self._piece(call, each, "", row)
                scope.names.update(each.names)
                ends.append(scope.flow.prev)
            scope.flow.ends = ends
        except Refused as refused:
            self._refuse(refused, scope, "")

    def _piece(self, call: Written, scope: Scope, name: str, row: object) -> Step | None:
        """One call; None where nothing is run."""
        word = op_word(call, scope)
        holds, guard = self.judged(call.decide(scope), scope)
        if holds is False:
            return self.omitted.call(call, word, name, scope, guard)
        training = None if holds is True else holds == "training"
        if word in ("use", "alias"):
            assert isinstance(call, Short)
            if word == "use":
                return self._only(self.reuse.use(call, scope, name), training)
            self.reuse.alias(call, scope, name)
            return None
        block = self.declared.seen(call.path).get(word)
        if block is not None:
            step = self.uses.step(call, block, scope, name, row)
        else:
            self.declared.check_word(word, call.op_at)
            step = self.operations.step(word, call, scope, name, row)
        step.guard = guard or scope.guard
        return self._only(step, training)

    def counted(self, rounds: list[dict[str, Any]], given: Callable[[], Any]) -> list[dict[str, Any]]:
        """The parameters of the rounds of a repeat that begins; `given` gives the count or the rows of it."""
        return rounds

    def judged(self, judged: tuple[bool | str, Guard | None], scope: Scope) -> tuple[bool | str, Guard | None]:
        """A condition as it was decided."""
        return judged

    def spelt(self, step: Step, parts: Template, scope: Scope) -> None:
        """Note how the name of a member is written, where it is computed."""
        step.template = parts

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


def is_source(value: Value) -> bool:
    """Whether a value was made from nothing: a parameter, a constant, a range."""
    return value.step is not None and value.step.op is not None and value.step.op.source
