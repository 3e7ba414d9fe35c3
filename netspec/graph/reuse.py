"""Members used again: `use` runs one for other inputs, `alias` registers one under another name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import zip_longest

from netspec.dims import Dim
from netspec.errors import At, Problem
from netspec.graph import model
from netspec.graph.combining import LOST
from netspec.graph.draft import Level, Step, Value
from netspec.graph.members import UNIQUE, Members, clash
from netspec.graph.model import flat
from netspec.graph.references import values_of
from netspec.graph.report import Report
from netspec.graph.rows import Short
from netspec.graph.scope import Scope
from netspec.graph.steps import infer
from netspec.graph.symbols import Traced, traced
from netspec.graph.uses import around, readings, run_outside
from netspec.language.calls import Arguments
from netspec.language.refusals import Refused, Unknown
from netspec.language.rows import Word
from netspec.layers.base import Layer
from netspec.words import offered

Recipe = Callable[[Level, tuple[Value, ...]], Step]
"""Makes a level once more, inside another level and for other inputs."""


class Reuse:
    """Runs and registers members again."""

    def __init__(self, report: Report, members: Members) -> None:
        """`recipes` will hold, for each step of a level, how it is made a second time."""
        self.report = report
        self.members = members
        self.recipes: dict[Step, Recipe] = {}
        self.first: dict[Level, Level] = {}
        """For each level that is made beside the tree, the one in which what it repeats ran first."""
        self.making: set[Step] = set()
        """What is being made a second time."""

    def use(self, call: Short, scope: Scope, name: str) -> Step:
        """The step that runs an earlier member again, on other inputs: `use encoder`. Raises Refused."""
        at = call.at
        target, member, home = self.target_of(call, scope, "use")
        inputs = values_of(call, scope)
        check_uses(target, inputs, at)
        label = name or scope.flow.next_name("use", scope.level.members)
        value = Value(label, None, scope.level)
        step = Step(label, scope.level, inputs, value, at, target.op, target.body, member, again=True)
        value.step = step
        if home is not scope.level:
            step.module = lent(target, member, home)
        if target.body is not None:
            self._again(step, target, scope)
        else:
            for problem in infer(step, Arguments(), call):
                if problem.code == "shape-mismatch" and target.inputs:
                    hint = f"{member} was made for {target.inputs[0].tensor}; a further run takes the same sizes."
                    problem = replace(problem, hint=hint)
                self.report.add(problem)
        _forget_symbols(step, home)
        known = step.value.tensor is not None and target.value.tensor is not None
        if known and shapes_of(step) != shapes_of(target):
            text = f"{target.name} would need other parameters for this input than for its first"
            hint = "Give both the same sizes, or write a step of its own instead of `use`"
            self.report.add(Problem("shape-mismatch", text, at, hint))
        elif known and target.body and step.body and (other := unlike(target.body, step.body)):
            text = f"{target.name} would run {other} otherwise for this input than for its first"
            hint = "A module does the same each time: write the block a second time, or let both inputs have one shape."
            self.report.add(Problem("use", text, at, hint))
        scope.level.steps.append(step)
        scope.flow.prev = step.value
        if not name:
            self.members.bind(label, step.value, scope, at)
        return step

    def _again(self, step: Step, target: Step, scope: Scope) -> None:
        """Run the target's level for other inputs, beside the tree: only its shapes count."""
        flow = step.inputs[0]
        aside = Level("mapping", target.name, scope.level)
        self.first[aside] = target.level
        if target in self.making:
            text, hint = f"{target.name} is used inside itself", "Use a member that does not hold this step."
            raise Refused(Problem("recursion", text, step.at, hint))
        self.making.add(target)
        try:
            made = self.recipes[target](aside, step.inputs)
        finally:
            self.making.remove(target)
        assert made.body is not None
        assert target.body is not None
        other = next(iter(around(made.body)), None) if made.body.scan else None
        if not made.body.inputs:
            other = foreign(made.body, flow.actual)
        needed = run_outside(target.body)
        if needed != run_outside(made.body) or not all(is_around(value.level, step.level) for value in needed):
            other = needed[0] if needed else run_outside(made.body)[0]
        if other is not None:
            text = f"{target.name} also reads {other.name}, which another use cannot give it"
            hint = "Make it a block that has this as an input."
            if other.module:
                hint = f"Run it inside {other.level.name}, where {other.name} is." if other.level.parent else ""
            raise Refused(Problem("use", text, step.at, hint or f"Give {target.name} a {other.name} of its own."))
        step.body, step.results = made.body, made.results
        for value in made.body.exports:
            assert isinstance(value, Value)
            value.name = value.name.replace(target.name, step.name, 1)
            value.level, value.step = step.level, step

    def alias(self, call: Short, scope: Scope, name: str) -> None:
        """Register an earlier member a second time under the name of the row. Raises Refused."""
        target, member, home = self.target_of(call, scope, "alias")
        if not name:
            raise Refused(Problem("alias", "an alias needs a name", call.at, "Write name: alias other.member"))
        if "." in name:
            raise Refused(
                Problem("alias", f"the alias {name} stands in a list", call.at, "Give it a name without a dot.")
            )
        taken = clash(name, scope.level, call.at)
        if taken is None and (name in scope.names or name in scope.level.inputs):
            taken = Problem("duplicate-name", f"{name} is defined twice", call.at, UNIQUE)
        if taken is not None:
            raise Refused(taken)
        scope.level.members[name] = target
        scope.level.aliases[name] = target
        if home is not scope.level:
            scope.level.borrowed[name] = lent(target, member, home)

    def target_of(self, call: Short, scope: Scope, what: str) -> tuple[Step, str, Level]:
        """The member that `use` and `alias` name, its path, and the level that this begins at: the nearest that has it.

        Raises Refused.
        """
        word = next((a.value for a in call.call.args if isinstance(a.value, Word)), None)
        at = call.at
        if word is None:
            raise Refused(Problem(what, f"{what} names a member", at, f"Write {what} name."))
        parts = word.text.split(".")
        known: list[str] = []
        level: Level | None = scope.level
        while level is not None:
            if isinstance(step := level.member_at(parts), Step):
                return step, word.text, level
            known += level.members
            level = self.first.get(level, level.parent)
        value = scope.value(parts[0])
        unseen = block_around(scope.level) is not None and self.report.problems  # of what a block does not see
        if value.lost if value is not None else (scope.lost(parts[0]) or unseen):
            raise Unknown
        text = f"there is no member {word.text!r} before this"
        raise Refused(Problem("unknown-name", text, at, offered(parts[0], known)))


def check_uses(target: Step, inputs: tuple[Value, ...], at: At) -> None:
    """Raises Refused where a member takes another number of inputs than it is used with."""
    low, high = target.op.inputs if target.op is not None else (1, 1)
    if target.body is not None and target.body.inputs:
        low = high = len(target.body.inputs)
    if not low <= len(inputs) <= high:
        text = f"{target.name} takes {low} input{'s' if low != 1 else ''}, here it has {len(inputs)}"
        raise Refused(Problem("inputs", text, at, f"Name them in brackets: use(a b) {target.name}"))


def lent(target: Step, path: str, home: Level) -> Value:
    """What stands for a member of a level where a level inside it runs or registers it."""
    if path not in home.lent:
        home.lent[path] = Value(path.rpartition(".")[2], None, home, target, module=True)
    return home.lent[path]


def block_around(level: Level | None) -> Level | None:
    """The use of a block that a level stands in, itself included."""
    while level is not None and level.kind != "block":
        level = level.parent
    return level


def _forget_symbols(step: Step, home: Level) -> None:
    """Let sizes be numbers that come from another block, whose symbols mean other things where the step stands."""
    block = block_around(home)
    if block is None or block is block_around(step.level):
        return
    for value in flat(step.results):
        if value is not None and value.tensor is not None:
            shape = tuple(traced(size, LOST, 1) if isinstance(size, Traced) else size for size in value.tensor.shape)
            value.tensor = replace(value.tensor, shape=shape)


def is_around(outer: model.Level, level: model.Level | None) -> bool:
    """Whether a level is another one, or stands around it."""
    while level is not None and level is not outer:
        level = level.parent
    return level is not None


def foreign(level: model.Level, flow: model.Value) -> model.Value | None:
    """A value from outside that a level reads besides the one that flows into it."""
    own = {flow}
    for step in level.walk():
        own.update(flat(step.results))
        if step.body is not None:
            own.update(step.body.exports, step.body.inputs.values())
    steps = level.walk()
    reads = (v.actual for s in steps for v in (*s.inputs, *([s.passed] if s.passed else []), *readings(s)))
    return next((v for v in reads if v not in own and not v.lost), None)


def unlike(first: model.Level, again: model.Level) -> str:
    """The name of a step that one run of a level has and another has not, or has with other arguments."""
    for one, other in zip_longest(first.walk(), again.walk()):
        if one is None or other is None or not alike(arguments_of(one), arguments_of(other)):
            return str((one or other).name)
    return ""


def arguments_of(step: model.Step) -> tuple[object, ...]:
    """What a step does."""
    return (type(step.op), step.left_out, *(getattr(step.op, name) for name in (step.op.fields if step.op else ())))


def alike(first: object, again: object) -> bool:
    """Whether an argument is the same in a further run; a size that only the run knows is read anew each time."""
    if isinstance(first, tuple | list) and isinstance(again, tuple | list):
        return len(first) == len(again) and all(map(alike, first, again))
    return isinstance(first, Dim) or first == again


def shapes_of(step: Step) -> list[tuple[int, ...]]:
    """The shapes of all parameters of a step, in torch's order."""
    if step.body is not None:
        return [shape for _, shape in step.body.parameters()]
    return list(step.op.parameters().values()) if isinstance(step.op, Layer) else []
