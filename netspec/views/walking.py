"""Goes through a network as it runs in use, and knows what each value has become in what is written of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from netspec.graph.by_parts import Route, Scan
from netspec.graph.model import Level, Step, Value, flat
from netspec.graph.uses import handed, readings
from netspec.layers.base import Layer

H = TypeVar("H")


class Walk(Generic[H]):
    """Walks levels in the order of running, without what only training does or reads.

    `held` says for each value what stands for it: a name, an array. A block that is used several times is walked each
    time, and what is used again has the weights of its first use, by their names. Values that a level gives on are
    those inside. What a step becomes, a subclass says.
    """

    def __init__(self) -> None:
        self.held: dict[Value, H] = {}
        self.paths: dict[Level, str] = {}
        """Under which path the members of each level lie that has been begun."""
        self.unread: set[Step] = set()
        """Functions whose results nothing reads in use."""

    def level(self, level: Level, path: str) -> None:
        """Go through the steps of a level whose members lie under a path."""
        self.paths[level] = path
        if level.kind == "root":
            given = level.outputs.values() if isinstance(level.outputs, Mapping) else flat(level.outputs or ())
            self.unread = _unread(level, [value for value in given if value and value not in level.training], set())
        for step in level.steps:
            if not step.left_out and not step.idle and step not in self.unread:
                self.run(step, path)

    def run(self, step: Step, path: str) -> None:
        """Go through one step."""
        path = path if step.module is None else self.paths[step.module.level]
        inner = f"{path}{step.member}." if step.member else path
        if step.training is True:
            self._passed(step)
        elif step.body is None:
            self.operation(step, f"{path}{step.member or step.name}")
        elif step.body.route is not None:
            self.route(step, step.body, step.body.route, inner)
        elif step.body.scan is not None:
            self.scan(step, step.body, step.body.scan, inner)
        else:
            self._body(step, step.body, inner)

    def operation(self, step: Step, path: str) -> None:
        """Write an operation whose weights lie at a path, and hold what it makes."""
        raise NotImplementedError(type(self).__name__)

    def scan(self, step: Step, body: Level, scan: Scan, path: str) -> None:
        """Write a level that runs once for each place of an axis."""
        raise NotImplementedError(type(self).__name__)

    def route(self, step: Step, body: Level, route: Route, path: str) -> None:
        """Write experts, each for what is routed to it."""
        raise NotImplementedError(type(self).__name__)

    def _passed(self, step: Step) -> None:
        """Let what goes on in place of a step of training stand for it."""
        if step.passed is not None:
            for value in flat(step.results):
                self.held[value] = self.held[step.passed.actual]

    def _body(self, step: Step, body: Level, path: str) -> None:
        """Go through the level that a step calls."""
        for inner, outer in zip(body.inputs.values(), step.inputs, strict=False):
            self.held[inner] = self.held[outer.actual]
        self.level(body, path)
        for outer, inner in body.exports.items():
            if inner.actual in self.held:  # what only training has, nothing else reads
                self.held[outer] = self.held[inner.actual]


def _unread(level: Level, given: Iterable[Value], wanted: set[Value]) -> set[Step]:
    """The functions of a level, and of those in it, whose results nothing reads when it gives these values in use."""
    wanted.update(value.actual for value in (*given, *handed(level)))
    found: set[Step] = set()
    for step in reversed(level.steps):
        if step.training is True:
            wanted.update([step.passed.actual] if step.passed else [])
        elif step.op is not None and not isinstance(step.op, Layer) and wanted.isdisjoint(flat(step.results)):
            found.add(step)
        else:
            wanted.update(value.actual for value in (*step.inputs, *readings(step)))
            if step.body is not None:
                found |= _unread(step.body, step.body.exports.values(), wanted)
    return found
