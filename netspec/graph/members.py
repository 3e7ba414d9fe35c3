"""Members: what a level registers, under which name, in which order."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, Final

from netspec.errors import At, Path, Problem
from netspec.graph.draft import Level, Step, Value
from netspec.graph.report import Report
from netspec.graph.scope import Scope
from netspec.graph.uses import given, made_with
from netspec.layers.base import Layer, Op
from netspec.vocabulary import OPERATIONS
from netspec.weights.patterns import meets
from netspec.words import few, listed, offered

UNIQUE: Final = (
    "Names are unique in a body; in a repeat, write a counter, name$(i), or a level for each round, $i: {...}."
)


class Members:
    """Registers steps in their levels, and notes names that clash."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def own_name(self, name: str, steps: list[Step], path: Path, scope: Scope) -> None:
        """Register the piece of a named chain that owns something; the name is the value at its end."""
        owners = [step for step in steps if owning(step)]
        if len(owners) > 1:
            text = f"{name} names {len(owners)} pieces that own parameters: {few(described(s) for s in owners)}"
            self.report.add(
                Problem("two-owners", text, owners[1].at, "Write [ ] around the row, or give each its own name.")
            )
        idle = [s for s in steps if s not in owners and not (s.left_out or s.again)]
        modules = [*owners[:1], *(s for s in idle if s.body is not None or (module_only(s) and not owners))]
        for i, step in enumerate(modules):
            self.register(step, name if i == 0 else f"{name}_{i}", scope, At(path, on_key=True))
        if steps:
            end = steps[-1].value
            end.name = name
            self.bind(name, end, scope, At(path, on_key=True))

    def register(self, step: Step, name: str, scope: Scope, at: At | None = None) -> None:
        """Make a step a member of its level under a name. A name that is taken or is Python's own is a problem."""
        level = scope.level
        problem = clash(name, level, at or step.at)
        if problem is None and "." in name and step.op is not None and registers(step.op):
            text = f"{name} is a {type(step.op).__name__.lower()}, and a list holds modules only"
            problem = Problem("name", text, at or step.at, "Give it a name without a dot.")
        if problem is not None:
            self.report.add(problem)
            return
        step.member = name
        if step.body is not None:
            step.body.name = name
        level.members[name] = step
        if "." in name:
            level.lists.add(name.partition(".")[0])

    def bind(self, name: str, value: Value, scope: Scope, at: At) -> None:
        """Let a name stand for a value from here on. A name that stands for another already is a problem."""
        if name in scope.names and scope.flow.naming != "list":
            if name in scope.level.inputs:
                text, hint = f"{name} is an input already", "Call the step otherwise."
                self.report.add(Problem("duplicate-name", text, at, hint))
            else:
                self.report.add(Problem("duplicate-name", f"{name} is defined twice", at, UNIQUE))
        scope.names[name] = value

    def reorder(self, level: Level, order: Any, path: Path) -> None:
        """Register the members in the order of the patterns that they match; the others come last, as they are written.

        Those of one list stand together. A pattern is a problem that matches none, or none that those before it leave,
        unless it means what a `when` leaves out.
        """
        if order is not None:
            self._restate(level, order, path)
        _release(level)
        if level.lists:
            level.members = gathered(level.members)
        if level.lent:
            self._check_lent(level)

    def _check_lent(self, level: Level) -> None:
        """Note levels that are made with a member which is not there yet: made later, or in one list with them."""
        order = list(dict.fromkeys(name.partition(".")[0] for name in level.members))
        for name, step in level.members.items():
            lent = made_with(step.body) if step.body is not None and name not in level.aliases else ()
            for module in lent:
                path = next((path for path, value in level.lent.items() if value is module), None)
                if path is None or order.index(path.partition(".")[0]) < order.index(name.partition(".")[0]):
                    continue
                head, dot, _ = name.partition(".")
                before = f"the list {head} has its place" if dot else f"{head} is registered"
                text = f"{name} registers {path} as well, and {before} before it"
                hint = f"Let {path} stand before {f'all of {head}' if dot else head}."
                if dot and path.startswith(f"{head}."):
                    text = f"{name} registers {path} as well, and both are of the list {head}, which is made at once"
                    hint = f"Let what they share stand before {head}, under a name of its own."
                self.report.add(Problem("order", text, step.at, hint))

    def _restate(self, level: Level, order: Any, path: Path) -> None:
        """Register the members in the order of these patterns."""
        if not isinstance(order, list) or not all(isinstance(pattern, str) for pattern in order):
            self.report.add(
                Problem("order", "order is a list of names and patterns", At(path), "For example: [conv*, fc*]")
            )
            return
        known = [*level.members, *level.left]
        if not self.report.affords(len(order), len(known), At(path, on_key=True)):
            return
        taken: dict[str, str] = {}
        for i, pattern in enumerate(order if not self.report.problems else ()):
            meant = [name for name in known if meets(pattern, name)]
            if not meant:
                hint = offered(pattern, level.members)
                self.report.add(Problem("order", f"{pattern!r} matches no member", At((*path, i)), hint))
            elif taken.keys() >= set(meant):
                before = listed(repr(taken[name]) for name in meant)
                text = f"{pattern!r} has no effect: {before} before it stands for all that it matches"
                self.report.add(Problem("order", text, At((*path, i)), "Write the narrower pattern first, or drop it."))
            taken |= {name: pattern for name in known if name not in taken and fnmatchcase(name, pattern)}

        def rank(name: str) -> int:
            return next((i for i, pattern in enumerate(order) if fnmatchcase(name, pattern)), len(order))

        level.members = dict(sorted(level.members.items(), key=lambda item: rank(item[0])))


def _release(level: Level) -> None:
    """Let functions without a name be functions in a list that has members with names, which no nn.Sequential is."""
    unnamed = {name: step for name, step in level.members.items() if name.isdecimal() and step.name == name}
    if level.parent is None or len(unnamed) == len(level.members) or _is_row(level) or level.lent or level.aliases:
        return
    for name, step in unnamed.items():
        if step.op is not None and not owning(step) and not module_only(step):
            step.member = ""
            del level.members[name]


def _is_row(level: Level) -> bool:
    """Whether a level is one behind the other, which nn.Sequential says with names too; a block has a class."""
    steps = [step for step in level.steps if not step.left_out]
    chained = ([v.actual.step for v in given(step)] == [before] for before, step in pairwise(steps))
    return level.kind != "block" and all(chained)


def clash(name: str, level: Level, at: At) -> Problem | None:
    """The problem of a name that is taken, or is that of a list of members."""
    if name in level.members:
        return Problem("duplicate-name", f"{name} is defined twice", at, UNIQUE)
    head, dot, _ = name.partition(".")
    if (dot and head in level.members) or name in level.lists:
        return Problem("duplicate-name", f"{head} is a member and a list of members", at, UNIQUE)
    return None


def gathered(members: Mapping[str, Step]) -> dict[str, Step]:
    """The members in order, those of one list together where its first one stands."""
    lists: dict[str, dict[str, Step]] = {}
    for name, step in members.items():
        lists.setdefault(name.partition(".")[0], {})[name] = step
    return {name: step for held in lists.values() for name, step in held.items()}


def base_word(cls: type[Op], word: str) -> str:
    """The word that unnamed members of a class are counted under: conv, bn, fc."""
    return next(iter((*cls.general, *cls.words)), word.lower())


def owns(op: Op) -> bool:
    """Whether an operation has parameters or buffers of its own."""
    return isinstance(op, Layer) and bool(type(op).parameters is not Layer.parameters or op.buffers())


def counted_word(word: str) -> str:
    """What unnamed members of a word are counted under."""
    classes = OPERATIONS.find(word)
    return base_word(classes[0], word) if classes else word.rpartition(".")[2]


def owning(step: Step) -> bool:
    """Whether a step makes parameters or buffers, itself or in what it runs."""
    if step.left_out or step.again:
        return False
    if step.body is not None:
        return bool(step.body.aliases) or any(owning(inner) for inner in step.body.steps)
    return step.op is not None and (owns(step.op) or registers(step.op))


def registers(op: Op) -> bool:
    """Whether a source is a parameter or a buffer of its level."""
    return op.owned


def module_only(step: Step) -> bool:
    """Whether a step can only be run as a module, for which it has to be registered."""
    return step.op is not None and step.op.needs_module()


def described(step: Step) -> str:
    """What a step is, in a word: that of its operation, its block, or a level."""
    return (
        base_word(type(step.op), type(step.op).__name__)
        if step.op is not None
        else step.body.block or "a level"
        if step.body
        else ""
    )
