"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from typing import Any

from netspec.graph.names import HELD, MODULE_ATTRIBUTES
from netspec.graph.symbols import plain, root_symbol
from netspec.python.layout import INDENT, Expression, Line, Nested, lines, repeated
from netspec.python.literals import Code, literal
from netspec.python.names import Namespace, identifier
from netspec.views.code.constructors import Making, Serving
from netspec.views.code.defaults import header_defaults
from netspec.views.code.forward_body import Forward
from netspec.views.code.init_body import Registering
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.shapes import Shapes
from netspec.views.code.slots import Argument


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(self, pattern: Pattern, serving: Serving, live: Collection[str], closing: Sequence[Line] = ()) -> None:
        """`live` are the network's parameters that stay arguments, `closing` statements that end the constructor."""
        self.pattern = pattern
        self.closing = closing
        self.making = Making(pattern, serving, live)
        self.registering = Registering(self.making)
        self.slots = self.making.slots
        members = {name.partition(".")[0] for level in pattern.levels for name in level.members}
        self.attributes = Namespace(members | MODULE_ATTRIBUTES | HELD)
        self.kept: dict[str, str] = {}
        """Constructor arguments that forward needs: attribute by the expression it holds."""

    def lines(self, results: Sequence[Ref], ending: Callable[[list[str]], str]) -> list[str]:
        """The whole class."""
        if self.pattern.sequential and self.pattern.levels[0].kind != "root":
            return self._sequential()
        base = self.pattern.base
        body = self.registering.statements() if base == "nn.Module" else []
        made = self.registering.contents() if base != "nn.Module" else "super().__init__()"
        shapes = Shapes(self.pattern, self.slots.told)
        forward = Forward(self.pattern, results, self, shapes)
        statements = forward.lines(ending)
        kept = [line for code, name in self.kept.items() for line in lines(f"self.{name} = ", code, 2)]
        stores = bool(base != "nn.Module" or body or kept or self.slots.arguments)
        head = Line(f"def forward({', '.join(['self', *forward.variables.arguments])}):", shapes.of_input())
        return [
            f"class {self.pattern.name}({base}):",
            *(self._head(made) if stores else []),
            *kept,
            *body,
            *(line for statement in self.closing for line in statement.lines(2)),
            *([""] if stores else []),
            *head.lines(1),
            *(line for statement in statements for line in statement.lines(2)),
        ]

    def _head(self, made: Expression) -> list[str]:
        """The constructor's first lines; `made` calls that of the class above."""
        return [*self._signature().lines(1), *lines("", made, 2)]

    def _signature(self) -> Line:
        """The head of the constructor with its arguments; calls read them from the pattern.

        From the first with a default on, calls give them by keyword, so that one without may follow.
        """
        arguments = dict(sorted(self.slots.arguments.items(), key=self._place))
        defaults = self._defaults()
        self.pattern.arguments = arguments
        self.pattern.defaults = {name: defaults[name] for name in arguments if name in defaults}
        written = ["self"]
        for name in arguments:
            if name not in defaults and "=" in written[-1] and "*" not in written:
                written.append("*")
            written.append(f"{name}={literal(defaults[name])}" if name in defaults else name)
        return Line(f"def __init__({', '.join(written)}):")

    def _place(self, item: tuple[str, Argument]) -> tuple[int, int]:
        """What the inputs give first, then the parameters in the order of their header, then the rest."""
        name, argument = item
        header = [self.slots.called.get(symbol) for symbol in self._header()]
        return argument.kind, header.index(name) if name in header else 0

    def _header(self) -> list[str]:
        """The symbols of the parameters that the class has by the spec, in order."""
        root = self.pattern.levels[0] is self.slots.root
        return [root_symbol(name) for name in self.slots.root.params] if root else list(self.slots.variables)

    def _defaults(self) -> dict[str, Any]:
        """The defaults of the arguments that have one."""
        level = self.pattern.levels[0]
        root = {root_symbol(name): plain(value) for name, value in level.params.items()}
        given = root if level is self.slots.root else header_defaults(level)
        return {self.slots.called[symbol]: value for symbol, value in given.items() if symbol in self.slots.called}

    def _sequential(self) -> list[str]:
        """A class that is a sequence with arguments: `class ConvNorm(nn.Sequential)`."""
        layers = self.slots.names.fresh("layers")
        items: list[tuple[int, Expression]] = []
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if not step.left_out:
                    items.append((unit, self.making.construct(self.pattern.aligned(unit, s))))
        varying = [unit for unit, _ in items if self.pattern.varies(unit)]
        if not varying:
            made = Nested("super().__init__(", tuple(repeated([item for _, item in items])))
            body = lines("", made, 2)
        else:
            body = [f"{INDENT * 2}{layers} = []"]
            for unit, item in items:
                if self.pattern.varies(unit):
                    body += lines("if ", self.making.condition(unit), 2, ":")
                depth = 3 if self.pattern.varies(unit) else 2
                body += lines("", Nested(f"{layers}.append(", (item,)), depth)
            body.append(f"{INDENT * 2}super().__init__(*{layers})")
        return [
            f"class {self.pattern.name}(nn.Sequential):",
            *self._signature().lines(1),
            *body,
        ]

    def stored(self, series: list[Any], name: str, origins: Sequence[ast.expr | None]) -> Any:
        """How forward reads a value: as it is, or where the constructor's arguments give it from an attribute."""
        return self._readable(self.slots.code(series, name, origins), name)

    def _readable(self, code: Any, name: str) -> Any:
        """What is over the constructor's arguments as forward reads it."""
        if isinstance(code, tuple):
            return tuple(self._readable(part, name) for part in code)
        return Code(self._keep(code.text, name)) if isinstance(code, Code) else code

    def tested(self, unit: int, name: str) -> str:
        """How forward asks whether a unit is there that no member of its own tells of."""
        return self._keep(self.making.condition(unit), identifier(f"use_{name}"))

    def _keep(self, code: str, name: str) -> str:
        if code not in self.kept:
            self.kept[code] = self.attributes.fresh(code if code.isidentifier() else name)
        return f"self.{self.kept[code]}"
