"""Names: what a row can refer to from where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from netspec.dims import BATCH, named, names
from netspec.graph.draft import Level, Value
from netspec.graph.model import Guard
from netspec.language.calls import found
from netspec.language.refusals import Unknown
from netspec.sections.params import EXAMPLE
from netspec.words import did_you_mean

Naming = Literal["list", "root", "names"]
"""How a body's unnamed members are called: by number, by word and count, or not at all."""


@dataclass(slots=True)
class Flow:
    """The value that goes from step to step in one body, and how its members are named."""

    prev: Value
    naming: Naming
    index: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    ends: list[Value] | None = None
    """The value at the end of each round of the call that was repeated last."""
    lost: bool = False
    """Whether a step without a name could not be read, so that it has no count, and others perhaps a wrong one."""

    def next_name(self, word: str, taken: dict[str, Any]) -> str:
        """The name of an unnamed member: its number in a list, its word and count in the root list."""
        if self.naming == "list":
            self.index += 1
            return str(self.index - 1)
        while True:
            self.counts[word] = self.counts.get(word, 0) + 1
            if (name := f"{word}{self.counts[word]}") not in taken:
                return name


@dataclass(slots=True)
class Scope:
    """Values and parameters by name; an inner scope also sees the ones around it, nearest first."""

    level: Level
    block_input: Value
    flow: Flow
    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    rounds: dict[str, list[Value]] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    guard: Guard | None = None
    """The condition of the group that the steps here stand in."""
    blind: bool = False
    """Whether names may be missing here because what gives them could not be read."""

    def value(self, name: str) -> Value | None:
        """The value of an earlier step or an input, or None."""
        if name == "in":
            return self.block_input
        if name == "prev":
            return self.flow.prev
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None

    def all_rounds(self, name: str) -> list[Value] | None:
        """The value of each round of a repeated step, or of each member of a list, `convs.0` and those after it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.rounds:
                return scope.rounds[name]
            if listed := [value for known, value in scope.names.items() if known.startswith(f"{name}.")]:
                return listed
            scope = scope.parent
        return None

    def lost(self, name: str) -> bool:
        """Whether an unknown name may be that of something that could not be read."""
        counted = name[-1:].isdigit()
        scope: Scope | None = self
        while scope is not None:
            if scope.blind or (counted and scope.flow.lost):
                return True
            scope = scope.parent
        return False

    def lookup(self, name: str) -> Any:
        """A parameter, counter or value for an expression. Raises KeyError with a hint, and Unknown."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.params:
                return found(scope.params[name])
            scope = scope.parent
        value = self.value(name)
        if value is None and name in self.letters():
            return named(name)
        if value is None and self.lost(name):
            raise Unknown
        if value is None:
            known = (each for each in self.known() if each not in ("in", "prev"))
            raise KeyError(did_you_mean(name, known) or EXAMPLE)
        return value

    def letters(self) -> frozenset[str]:
        """The sizes of the network's inputs that only the run knows, by their letters."""
        level = self.level
        while level.parent is not None:
            level = level.parent
        tensors = [value.tensor for value in level.inputs.values() if value.tensor is not None]
        return frozenset().union(*(names(size) for tensor in tensors for size in tensor.shape)) - names(BATCH)

    def lose(self, name: str) -> None:
        """Let what follows find an unknown value: what stood here, under a name or without, could not be read."""
        unknown = Value(name or "it", None, self.level)
        self.flow.prev = unknown
        if name:
            self.names[name] = unknown
        else:
            self.flow.lost = True

    def steps(self) -> Iterator[str]:
        """The names of the values in sight, nearest first; one that hides another comes twice."""
        yield from ("in", "prev")
        scope: Scope | None = self
        while scope is not None:
            yield from scope.names
            scope = scope.parent

    def known(self) -> Iterator[str]:
        """Every name in sight, those of parameters too."""
        yield from self.steps()
        scope: Scope | None = self
        while scope is not None:
            yield from scope.params
            scope = scope.parent
