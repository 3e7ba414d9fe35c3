"""The variables of forward, named for what they hold."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from netspec.graph.uses import made, taken
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import named, stored
from netspec.python.reserved import BUILTINS, RESERVED
from netspec.views.code.flow import Flow, Item
from netspec.views.code.patterns import Ref


class Variables:
    """Which variable holds which value, from statement to statement."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.names = Namespace(RESERVED | BUILTINS)
        self.held: dict[Ref, ast.expr] = {}
        self.until: dict[str, int] = {}
        """The item that is the last to read each variable, among those that read it for a known value."""
        self.lists: dict[tuple[Ref, ...], str] = {}
        """Values that stand in a list together, with its name."""
        self.in_loop = False
        """Whether steps stand for those of every round, so that their numbers say nothing."""
        self.arguments = self._name_inputs()

    def read(self, ref: Ref) -> ast.expr:
        """How a value is read."""
        return self.held[self.flow.actual(ref)]

    def each(self, refs: Sequence[Ref]) -> list[ast.expr]:
        """How several values are read; those that are in a list together, as what it holds: `*skips`."""
        found: list[ast.expr] = []
        actual = [self.flow.actual(ref) for ref in refs]
        at = 0
        while at < len(refs):
            name, held = next(
                ((name, held) for held, name in self.lists.items() if held == tuple(actual[at : at + len(held)])),
                ("", (refs[at],)),
            )
            found.append(ast.Starred(named(name), ast.Load()) if name else self.read(refs[at]))
            at += len(held)
        return found

    def _name_inputs(self) -> list[str]:
        """The names of forward's arguments: `x` for the only one, and for what flows in without a name of its own."""
        level = self.flow.pattern.levels[0]
        inputs = [value.name for value in taken(level)]
        arguments = []
        for i, name in enumerate(inputs):
            nameless = len(inputs) == 1 or (i == 0 and not level.inputs) or name in ("in", "input")
            arguments.append(self.names.fresh("x" if nameless else identifier(name)))
            self.hold(("in", i), arguments[-1])
        return arguments

    def target(self, item: Item, at: int) -> ast.expr:
        """The variables that a statement assigns, unpacked as torch nests its results."""
        if item.step.body is not None or not isinstance(item.step.results, tuple):
            names = [self._assigned(ref, item, at) for ref in item.results]
            return names[0] if len(names) == 1 else _together(names)
        return self._unpacked(item.step.results, iter(item.results), item, at)

    def _unpacked(self, shape: Any, refs: Any, item: Item, at: int) -> ast.expr:
        """The target for a nested result; `_` for each part that nothing reads."""
        if isinstance(shape, tuple):
            inner = [self._unpacked(part, refs, item, at) for part in shape]
            return stored("_") if all(map(is_unread, inner)) else _together(inner)
        return self._assigned(next(refs), item, at)

    def _assigned(self, ref: Ref, item: Item, at: int) -> ast.expr:
        """The variable for a value; `_` where nothing reads it."""
        return stored(self._assign(ref, item, at)) if ref in self.flow.last else stored("_")

    def _assign(self, ref: Ref, item: Item, at: int) -> str:
        """The variable for a new value: the flowing `x` for what the next step takes, else a name of its own."""
        if isinstance(held := self.held.get(ref), ast.Name):
            return held.id
        passing = self.flow.last.get(ref, at) <= at + 1 and len(item.results) == 1
        passing = passing and not self._stands_out(item, ref, at)
        name = self.fresh(item, ref, at) if passing else self.own(item, ref, at)
        self.hold(ref, name)
        return name

    def _stands_out(self, item: Item, ref: Ref, at: int) -> bool:
        """Whether a value that flows on has its own name: a source's, or one taken beside others with theirs."""
        after = self.flow.items[at + 1] if at + 1 < len(self.flow.items) else None
        if self.in_loop or item.step.name.isdecimal() or self.flow.pattern.varies(item.unit) or after is None:
            return False
        if item.step.row is not None and after.step.row is item.step.row:
            return False
        if item.step.op is not None and item.step.op.source:
            return True
        if after.step.member and [self.flow.actual(first) for first in after.inputs[:1]] == [ref]:
            return False
        others = [self.held.get(actual) for other in after.inputs if (actual := self.flow.actual(other)) != ref]
        flowing = {"x", "out", *self.arguments}
        return any(isinstance(held, ast.Name) and held.id not in flowing for held in others)

    def fresh(self, item: Item, ref: Ref, at: int) -> str:
        """The variable for a value that flows on: `x` where nothing else is read from it any more, else its own."""
        name = next((n for n in ("x", "out") if self._is_free(n, at)), "") or self.own(item, ref, at)
        self.names.taken.add(name)
        return name

    def _is_free(self, name: str, at: int) -> bool:
        """Whether nothing behind an item reads what a variable holds."""
        return self.until.get(name, at) <= at

    def hold(self, ref: Ref, name: str) -> None:
        """Let the variable `name` stand for a value."""
        self.held[ref] = named(name)
        self.until[name] = max(self.until.get(name, -1), self.flow.last.get(ref, -1))

    def of_module(self, name: str) -> str:
        """A variable for a module, which no value takes."""
        found = self.names.fresh(identifier(name))
        self.until[found] = len(self.flow.items)
        return found

    def own(self, item: Item, ref: Ref, at: int) -> str:
        """A name for a value that is read later: the step's own, or that of the part."""
        step = item.step
        value = next((v for v in made(step) if self.flow.ref(v) == ref), step.value)
        part = value.name.removeprefix(f"{step.name}.") if value is not step.value else ""
        if value is step.value and len(item.results) > 1:  # the first of several, which the level's own name stands for
            part = next((name for name, given in value.parts.items() if given is value), part)
        name = part.rpartition(".")[2] or step.name
        if name.isdecimal():  # what the class gives is called as what is around it calls that
            outside = next((outer for outer, inner in item.step.level.exports.items() if inner is value), None)
            called = (
                next((n for n, given in outside.parts.items() if given is outside), outside.name) if outside else name
            )
            name = called.rpartition(".")[2]
        if self.in_loop and (step.name.isdecimal() or "." in step.name) and not part:
            return self.names.fresh("y")
        if name.isdecimal():
            stem = step.name if not step.name.isdecimal() else "x"
            name = f"{stem}{name}" if stem == "x" or part else stem
        if name in ("x", "out", *self.arguments) and self._is_free(name, at):
            self.names.taken.add(name)
            return name
        return self.names.fresh(identifier(name))


def _together(names: list[ast.expr]) -> ast.Tuple:
    """`a, b` as the target of an assignment."""
    return ast.Tuple(names, ast.Store())


def is_unread(target: ast.expr) -> bool:
    """Whether nothing of what is assigned is read."""
    if isinstance(target, ast.Tuple):
        return all(map(is_unread, target.elts))
    return isinstance(target, ast.Name) and target.id == "_"
