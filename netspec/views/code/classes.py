"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from netspec.graph.names import HELD, MODULE_ATTRIBUTES
from netspec.python.layout import INDENT, Expression, Line, Nested, lines, repeated
from netspec.python.literals import literal
from netspec.python.names import Namespace, identifier
from netspec.views.code.constructors import Making, Serving
from netspec.views.code.defaults import header_defaults
from netspec.views.code.forward_body import Bound, Forward
from netspec.views.code.init_body import Registering
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.shapes import Shapes
from netspec.views.code.slots import equal


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(
        self, pattern: Pattern, serving: Serving, closing: Sequence[Line] = (), bound: Bound | None = None
    ) -> None:
        """`closing` are statements that end the constructor; `bound` are the sizes that forward insists on."""
        self.pattern = pattern
        self.closing = closing
        self.bound = bound
        self.making = Making(pattern, serving)
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
        shapes = Shapes(self.pattern, self.slots.found)
        forward = Forward(self.pattern, results, self, shapes, self.bound or {})
        statements = forward.lines(ending)
        kept = [line for code, name in self.kept.items() for line in lines(f"self.{name} = ", code, 2)]
        stores = bool(base != "nn.Module" or body or kept or self.slots.params)
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
        params = self._ordered_params()
        constant = header_defaults(self.pattern.levels[0])
        defaults = {
            known: constant[name]
            for name, known in self.slots.variables.items()
            if name in constant and any(equal(value, constant[name]) for value in params.get(known, ()))
        }
        self.pattern.params, self.pattern.defaults = params, defaults
        written = ["self"]
        for name in params:
            if name not in defaults and "=" in written[-1] and "*" not in written:
                written.append("*")
            written.append(f"{name}={literal(defaults[name])}" if name in defaults else name)
        return Line(f"def __init__({', '.join(written)}):")

    def _ordered_params(self) -> dict[str, list[Any]]:
        """Sizes of the input first, then the block's own parameters as its header has them, then the rest."""
        order = [self.slots.variables[n] for n in self.pattern.levels[0].params]
        params = self.slots.params
        extra = [n for n in params if n not in order]
        first = [n for n in extra if n.startswith("in_")]
        last = [n for n in extra if n not in first]
        names = [*first, *(n for n in order if n in params), *last]
        return {n: params[n] for n in names}

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

    def stored(self, series: list[Any], name: str, written: str) -> str:
        """How forward reads a value that differs between uses: an attribute that keeps it."""
        return self._keep(literal(self.slots.code(series, name, written)), name)

    def tested(self, unit: int, name: str) -> str:
        """How forward asks whether a unit is there that no member of its own tells of."""
        return self._keep(self.making.condition(unit), identifier(f"use_{name}"))

    def _keep(self, code: str, name: str) -> str:
        if code not in self.kept:
            self.kept[code] = self.attributes.fresh(code if code.isidentifier() else name)
        return f"self.{self.kept[code]}"
