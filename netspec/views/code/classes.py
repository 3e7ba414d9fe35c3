"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from typing import Any

from netspec.graph.model import Step
from netspec.graph.names import HELD, MODULE_ATTRIBUTES
from netspec.graph.symbols import plain, root_symbol
from netspec.python.expressions import text
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import (
    Code,
    assign,
    assigned,
    attribute,
    call,
    defined,
    listed,
    method,
    named,
    stored,
    valued,
)
from netspec.views.code.constructors import Making, Serving
from netspec.views.code.containers import SELF, SUPER, repeated
from netspec.views.code.defaults import header_defaults
from netspec.views.code.forward_body import Bound, Forward
from netspec.views.code.init_body import Registering
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.shapes import Shapes
from netspec.views.code.slots import ABSENT, Argument, Slots


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(
        self,
        pattern: Pattern,
        serving: Serving,
        live: Collection[str],
        comments: dict[ast.stmt, str],
        closing: Callable[[Slots], Sequence[ast.stmt]],
        bound: Bound,
    ) -> None:
        """`live` are the network's parameters that stay arguments, `bound` the sizes that forward insists on.

        `comments` take what is said of its statements; `closing` gives those that end the constructor.
        """
        self.pattern = pattern
        self.comments = comments
        self.closing = closing
        self.bound = bound
        self.making = Making(pattern, serving, live)
        self.registering = Registering(self.making)
        self.slots = self.making.slots
        members = {name.partition(".")[0] for level in pattern.levels for name in level.members}
        self.attributes = Namespace(members | MODULE_ATTRIBUTES | HELD)
        self.kept: dict[str, tuple[str, ast.expr]] = {}
        """Constructor arguments that forward needs, by their text: the attribute that holds each, and what it holds."""

    def written(self, results: Sequence[Ref], ending: Callable[[list[ast.expr]], ast.expr]) -> ast.ClassDef:
        """The whole class."""
        if self.pattern.sequential and self.pattern.levels[0].kind != "root":
            return self._class("nn.Sequential", [self._head(self._sequence())])
        base = self.pattern.base
        body = self.registering.statements() if base == "nn.Module" else []
        made = self.registering.contents() if base != "nn.Module" else call(SUPER)
        shapes = Shapes(self.pattern, self.slots.told, self.slots.is_settled)
        forward = Forward(self.pattern, results, self, shapes, self.comments, self.bound)
        run = defined("forward", ["self", *forward.variables.arguments], forward.statements(ending))
        if said := shapes.of_input():
            self.comments[run] = said
        kept = [assigned(SELF, name, node) for name, node in self.kept.values()]
        closing = self.closing(self.slots)
        stores = bool(base != "nn.Module" or body or kept or self.slots.arguments)
        head = [self._head([ast.Expr(made), *kept, *body, *closing])] if stores else []
        return self._class(base, [*head, run])

    def _class(self, base: str, body: list[ast.stmt]) -> ast.ClassDef:
        return ast.ClassDef(self.pattern.name, [named(base)], [], body, [])

    def _head(self, body: list[ast.stmt]) -> ast.FunctionDef:
        """The constructor with its arguments; calls read them from the pattern.

        From the first with a default on, calls give them by keyword, so that one without may follow.
        """
        arguments = dict(sorted(self.slots.arguments.items(), key=self._place))
        defaults = self._defaults()
        self.pattern.arguments, self.pattern.defaults = arguments, defaults
        return defined(
            "__init__", ["self", *arguments], body, {name: valued(value) for name, value in defaults.items()}
        )

    def _place(self, item: tuple[str, Argument]) -> tuple[int, int]:
        """What the inputs give first, then the parameters in the order of their header, then the rest."""
        name, argument = item
        header = [self.slots.called.get(symbol) for symbol in self._header()]
        return argument.kind, header.index(name) if name in header else 0

    def _header(self) -> list[str]:
        """The symbols of the parameters that the class has by the spec, in order."""
        return [*self.slots.variables, *map(root_symbol, self.slots.root.params)]

    def _defaults(self) -> dict[str, Any]:
        """The defaults of the arguments that have one."""
        level = self.pattern.levels[0]
        root = {root_symbol(name): plain(value) for name, value in level.params.items()}
        given = root if level is self.slots.root else header_defaults(level)
        called = self.slots.called
        found = {called[n]: value for n, value in given.items() if called.get(n) in self.slots.arguments}
        return {
            name: known for name, value in found.items() if (known := self.slots.as_given(name, value)) is not ABSENT
        }

    def _sequence(self) -> list[ast.stmt]:
        """What the constructor of a sequence with arguments does: `class ConvNorm(nn.Sequential)`."""
        layers = self.slots.names.fresh("layers")
        items: list[tuple[int, ast.expr]] = []
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if not step.left_out:
                    items.append((unit, self.making.construct(self.pattern.aligned(unit, s))))
        if not any(self.pattern.varies(unit) for unit, _ in items):
            made = [item for _, item in items]
            return [ast.Expr(call(SUPER, *repeated(made, self.making.runs(self.pattern.levels, made))))]
        runs = [(key, [item for _, item in run]) for key, run in groupby(items, lambda pair: self._varied(pair[0]))]
        first = runs.pop(0)[1] if runs[0][0] is None else []
        body: list[ast.stmt] = [assign(stored(layers), listed(first))]
        for varied, run in runs:
            added: list[ast.stmt] = [ast.Expr(method(named(layers), "append", item)) for item in run]
            body += added if varied is None else [ast.If(self.making.condition(varied), added, [])]
        return [*body, ast.Expr(call(SUPER, ast.Starred(named(layers), ast.Load())))]

    def _varied(self, unit: int) -> int | None:
        """A unit that some uses leave out; None for those that all have."""
        return unit if self.pattern.varies(unit) else None

    def stored(self, series: list[Any], name: str, origins: Sequence[ast.expr | None]) -> Any:
        """What forward takes for an argument: a value, or an attribute where the constructor's arguments give it."""
        return self._readable(self.slots.code(series, name, origins), name)

    def _readable(self, code: Any, name: str) -> Any:
        if isinstance(code, tuple):
            return tuple(self._readable(part, name) for part in code)
        return Code(self._keep(code.node, name)) if isinstance(code, Code) else code

    def chosen(self, aligned: Sequence[Step | None], name: str) -> ast.expr:
        """How forward reads a module where an argument says which that is."""
        chosen = self.making.chosen(aligned)
        return self._keep(call(chosen), chosen.id if isinstance(chosen, ast.Name) else name)

    def tested(self, unit: int, name: str) -> ast.expr:
        """How forward asks whether a unit is there that no member of its own tells of."""
        return self._keep(self.making.condition(unit), identifier(f"use_{name}"))

    def _keep(self, code: ast.expr, name: str) -> ast.expr:
        key = text(code)
        if key not in self.kept:
            self.kept[key] = (self.attributes.fresh(key if isinstance(code, ast.Name) else name), code)
        return attribute(SELF, self.kept[key][0])
