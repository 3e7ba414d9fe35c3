"""A network as a program: what the passes of the printer hand on. Each gives a new value, and none writes to another's.

A graph's levels are sorted into patterns, one for each class; a plan says what each class is called; the classes are
written, those that others need first; what is said twice is told once; and only then is there text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from netspec.graph.combining import Node
from netspec.graph.model import Level
from netspec.views.code.containers import Run
from netspec.views.code.patterns import Pattern
from netspec.views.code.slots import Argument

Saying = Callable[[], str]
"""Gives what a comment says, once that is asked for."""
Serving = Mapping[Level, Pattern]
"""The class of each level that has one."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the same network with other numbers tells of its classes."""

    rounds: Mapping[str, Run] = field(default_factory=dict)
    """What rounds of repeats have in common where there are more of them, by the level and the repeat."""
    fixed: Collection[tuple[str, str]] = ()
    """The parameters of blocks, each behind the name of its block, that are numbers in a class and no arguments."""
    formulas: Mapping[str, Node] = field(default_factory=dict)
    """What the network's parameters are that it can be given, and computes from others where it is not."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The classes of a network before they are written."""

    serving: Serving
    names: Mapping[Pattern, str]
    """What each class is called, each behind those that it needs."""
    stems: Mapping[str, str]
    """Each of these names without the number that sets it apart from others."""
    places: Mapping[str, str]
    """Those that could say where in the network the class stands, with what they would be then."""
    live: Collection[str]
    """The network's parameters that stay arguments."""
    rules: Rules


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call of a class must know of its constructor."""

    name: str
    arguments: Mapping[str, Argument]
    """The arguments in their order."""
    defaults: Mapping[str, Any]
    """Those that a call may leave out, with what they then are."""
    modules: tuple[str, ...] = ()
    """The modules of classes around it that it is made with, which come first."""


@dataclass(frozen=True, slots=True)
class Class:
    """A class as it was written."""

    definition: ast.ClassDef
    signature: Signature
    sayings: Mapping[ast.stmt, Saying]
    """What comments say of its statements."""
    rules: Mapping[str, Run]
    """What the rounds of the repeats in it have in common."""


@dataclass(frozen=True, slots=True)
class Program:
    """The classes of a network, each behind those that it needs, the network's own last."""

    classes: tuple[ast.ClassDef, ...]
    comments: Mapping[ast.stmt, str]
    """What is said of their statements; nothing where a program is only held against another."""
    functions: tuple[ast.FunctionDef, ...] = ()
    """What they call that is no class, each behind those that it calls."""
    rules: Mapping[str, Run] = field(default_factory=dict)
    """What the rounds of its repeats have in common."""

    @property
    def parts(self) -> list[ast.ClassDef | ast.FunctionDef]:
        """All of it in the order of the file."""
        return [*self.functions, *self.classes]
