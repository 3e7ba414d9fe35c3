"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from netspec.graph.names import HELD, MODULE_ATTRIBUTES
from netspec.python.expressions import text
from netspec.python.names import Namespace, identifier
from netspec.python.nodes import (
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
from netspec.views.code.slots import equal


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(
        self,
        pattern: Pattern,
        serving: Serving,
        comments: dict[ast.stmt, str],
        closing: Sequence[ast.stmt] = (),
        bound: Bound | None = None,
    ) -> None:
        """`comments` take what is said of its statements; `closing` are statements that end the constructor.

        `bound` are the sizes that forward insists on.
        """
        self.pattern = pattern
        self.comments = comments
        self.closing = closing
        self.bound = bound
        self.making = Making(pattern, serving)
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
        shapes = Shapes(self.pattern, self.slots.found)
        forward = Forward(self.pattern, results, self, shapes, self.comments, self.bound or {})
        run = defined("forward", ["self", *forward.variables.arguments], forward.statements(ending))
        if said := shapes.of_input():
            self.comments[run] = said
        kept = [assigned(SELF, name, node) for name, node in self.kept.values()]
        stores = bool(base != "nn.Module" or body or kept or self.slots.params)
        head = [self._head([ast.Expr(made), *kept, *body, *self.closing])] if stores else []
        return self._class(base, [*head, run])

    def _class(self, base: str, body: list[ast.stmt]) -> ast.ClassDef:
        return ast.ClassDef(self.pattern.name, [named(base)], [], body, [])

    def _head(self, body: list[ast.stmt]) -> ast.FunctionDef:
        """The constructor with its arguments; calls read them from the pattern.

        From the first with a default on, calls give them by keyword, so that one without may follow.
        """
        params = self._ordered_params()
        constant = header_defaults(self.pattern.levels[0])
        defaults = {
            known: constant[name]
            for name, known in self.slots.variables.items()
            if name in constant and any(equal(value, constant[name]) for value in params.get(known, ()))
        }
        self.pattern.params, self.pattern.defaults = params, defaults
        return defined("__init__", ["self", *params], body, {name: valued(value) for name, value in defaults.items()})

    def _ordered_params(self) -> dict[str, list[Any]]:
        """Sizes of the input first, then the block's own parameters as its header has them, then the rest."""
        order = [self.slots.variables[n] for n in self.pattern.levels[0].params]
        params = self.slots.params
        extra = [n for n in params if n not in order]
        first = [n for n in extra if n.startswith("in_")]
        last = [n for n in extra if n not in first]
        names = [*first, *(n for n in order if n in params), *last]
        return {n: params[n] for n in names}

    def _sequence(self) -> list[ast.stmt]:
        """What the constructor of a sequence with arguments does: `class ConvNorm(nn.Sequential)`."""
        layers = self.slots.names.fresh("layers")
        items: list[tuple[int, ast.expr]] = []
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if not step.left_out:
                    items.append((unit, self.making.construct(self.pattern.aligned(unit, s))))
        if not any(self.pattern.varies(unit) for unit, _ in items):
            return [ast.Expr(call(SUPER, *repeated([item for _, item in items])))]
        body: list[ast.stmt] = [assign(stored(layers), listed([]))]
        for unit, item in items:
            added = ast.Expr(method(named(layers), "append", item))
            body.append(ast.If(self.making.condition(unit), [added], []) if self.pattern.varies(unit) else added)
        return [*body, ast.Expr(call(SUPER, ast.Starred(named(layers), ast.Load())))]

    def stored(self, series: list[Any], name: str, written: str) -> ast.expr:
        """How forward reads a value that differs between uses: an attribute that keeps it."""
        return self._keep(valued(self.slots.code(series, name, written)), name)

    def tested(self, unit: int, name: str) -> ast.expr:
        """How forward asks whether a unit is there that no member of its own tells of."""
        return self._keep(self.making.condition(unit), identifier(f"use_{name}"))

    def _keep(self, code: ast.expr, name: str) -> ast.expr:
        key = text(code)
        if key not in self.kept:
            self.kept[key] = (self.attributes.fresh(key if isinstance(code, ast.Name) else name), code)
        return attribute(SELF, self.kept[key][0])
