"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from netspec.graph.model import Level, Step
from netspec.graph.names import MODULE_ATTRIBUTES
from netspec.graph.wrapping import WRAPS
from netspec.language import rows
from netspec.language.rows import Expr
from netspec.layers.base import literal
from netspec.ops.state import Buffer
from netspec.views.code.containers import containers, filled, made, named_sequence, reference
from netspec.views.code.defaults import header_defaults
from netspec.views.code.forward import Forward
from netspec.views.code.layout import INDENT, Expression, Line, Nested, lines, repeated
from netspec.views.code.naming import Namespace, identifier, is_identifier
from netspec.views.code.shapes import Shapes
from netspec.views.code.slots import ABSENT, Slots, equal
from netspec.views.code.structure import Pattern, Ref, is_inline

Serving = dict[Level, Pattern]


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(self, pattern: Pattern, serving: Serving, closing: Sequence[Line] = ()) -> None:
        """`closing` are statements that end the constructor."""
        self.pattern = pattern
        self.serving = serving
        self.closing = closing
        self.slots = Slots(pattern.levels, list(self._written()))
        members = {name.partition(".")[0] for level in pattern.levels for name in level.members}
        self.attributes = Namespace(members | MODULE_ATTRIBUTES)
        self.kept: dict[str, str] = {}
        """Constructor arguments that forward needs: attribute by the expression it holds."""

    def lines(self, results: Sequence[Ref], ending: Callable[[list[str]], str]) -> list[str]:
        """The whole class."""
        if self.pattern.sequential and self.pattern.levels[0].kind != "root":
            return self._sequential()
        base = self.pattern.base
        body = self._registrations() if base == "nn.Module" else []
        made = self._contents() if base != "nn.Module" else "super().__init__()"
        shapes = Shapes(self.pattern, self.slots.found)
        forward = Forward(self.pattern, results, self, shapes)
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
        defaults = {
            name: default
            for name, default in header_defaults(self.pattern.levels[0]).items()
            if any(equal(value, default) for value in params.get(name, ()))
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
        level = self.pattern.levels[0]
        order = list(level.params)
        params = self.slots.params
        extra = [n for n in params if n not in order]
        first = [n for n in extra if n.startswith("in_")]
        last = [n for n in extra if n not in first]
        names = [*first, *(n for n in order if n in params), *last]
        return {n: params[n] for n in names}

    def _written(self) -> Iterator[tuple[str, list[Any]]]:
        """Every expression that gives an argument here, with its value in each use."""
        for unit in range(len(self.pattern.units[0])):
            for s in range(len(self.pattern.shown(unit))):
                yield from _expressions(self.pattern.aligned(unit, s))

    # --- constructor ----------------------------------------------------------------------------

    def _registrations(self) -> list[str]:
        """The lines that register every member, in the order that the spec gives."""
        order = self._order()
        places = {name: place for place, name in enumerate(order)}
        found: list[tuple[int, list[str]]] = []
        for unit in range(len(self.pattern.units[0])):
            for first, registered in self._members(unit):
                found.append((places.get(first, len(order)), registered))
        found += [(places[first], lines) for first, lines in self._containers()]
        return self._with_aliases(order, sorted(found, key=lambda pair: pair[0]))

    def _order(self) -> list[str]:
        """The names of all members, in an order that suits every use."""
        order = max((list(level.members) for level in self.pattern.levels), key=len)
        if self.pattern.renamed:
            return order
        for level in self.pattern.levels:
            names, place = list(level.members), 0
            for name in names if names != order else ():
                if name not in order:
                    order.insert(place, name)
                place = order.index(name) + 1
        return order

    def _with_aliases(self, order: list[str], found: list[tuple[int, list[str]]]) -> list[str]:
        """The registrations, with members that are registered twice; what an earlier alias needs is made first."""
        level = self.pattern.levels[0]
        first: list[str] = []
        for name, target in level.aliases.items():
            holder, *rest = ".".join(_way(level, target)).split(".")
            inner = ".".join(rest)
            rank = next(i for i, member in enumerate(order) if member.partition(".")[0] == holder)
            if order.index(name) > rank:
                source = f"{reference(holder, {})}.get_submodule({literal(inner)})" if rest else reference(holder, {})
            else:
                local = identifier(holder)
                source = f"{local}.get_submodule({literal(inner)})" if rest else local
                if not any(line.startswith(f"{INDENT * 2}{local} = ") for line in first):
                    own = next(lines for at, lines in found if at == rank)
                    first += [own[0].replace(f"self.{holder} = ", f"{local} = ", 1), *own[1:]]
                    own[:] = [f"{INDENT * 2}self.{holder} = {local}"]
            found.append((order.index(name), [f"{INDENT * 2}{_assign(name, source)}"]))
        return [*first, *(line for _, made in sorted(found, key=lambda pair: pair[0]) for line in made)]

    def _contents(self) -> Expression:
        """The call that registers the members of a list or a dictionary."""
        found: dict[str, Expression] = {}
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if step.member and not step.again and not step.left_out:
                    found[step.member] = self._construct(self.pattern.aligned(unit, s))
        names = list(self.pattern.levels[0].members)
        return filled("super().__init__", names, [found[name] for name in names])

    def _members(self, unit: int) -> list[tuple[str, list[str]]]:
        """The lines that register the members of one unit, with the name of the first of them."""
        steps = self.pattern.shown(unit)
        registered = [
            (s, step)
            for s, step in enumerate(steps)
            if step.member and "." not in step.member and not step.again and not step.left_out
        ]
        if not registered:
            return []
        if not self.pattern.varies(unit):
            return [(step.member, self._register(unit, s, 2)) for s, step in registered]
        none = [line for _, step in registered for line in self._registered(step, "None", 2)]
        inside = [line for s, _ in registered for line in self._register(unit, s, 3)]
        test = lines("if ", self._condition(unit), 2, ":")
        return [(registered[0][1].member, [*none, *test, *inside])]

    def _containers(self) -> Iterator[tuple[str, list[str]]]:
        """The lines that register the containers of members with dotted names, with the first of these names."""
        held: dict[str, Expression] = {}
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if "." in step.member and not step.again and not step.left_out:
                    held[step.member] = self._construct(self.pattern.aligned(unit, s))
        for head, keys in containers(self.pattern.levels[0]).items():
            container = made(keys, [held[f"{head}.{key}"] for key in keys])
            if is_identifier(head):
                yield f"{head}.{keys[0]}", lines(f"self.{head} = ", container, 2)
            else:
                yield f"{head}.{keys[0]}", lines("", Nested("self.add_module(", (literal(head), container)), 2)

    def _register(self, unit: int, step: int, depth: int) -> list[str]:
        aligned = self.pattern.aligned(unit, step)
        made = self._construct(aligned)
        return self._registered(next(s for s in aligned if s is not None), made, depth)

    def _registered(self, step: Step, made: Expression, depth: int) -> list[str]:
        """The lines that register what `made` makes under the step's name, whatever characters it has."""
        if isinstance(step.op, Buffer):
            persistent = () if step.op.persistent else ("persistent=False",)
            return lines("", Nested("self.register_buffer(", (literal(step.member), made, *persistent)), depth)
        if step.template and self.pattern.renamed:
            return lines("", Nested("self.add_module(", (self._name(step.template), made)), depth)
        if is_identifier(step.member):
            return lines(f"self.{step.member} = ", made, depth)
        register = "register_parameter" if step.op is not None and step.op.source else "add_module"
        return lines("", Nested(f"self.{register}(", (literal(step.member), made)), depth)

    def _name(self, template: str) -> str:
        """A member's name over the constructor's arguments: `f"{name}conv1"`."""
        parts = [
            f"{{{self.slots.rendered(part.text)}}}" if isinstance(part, Expr) else part
            for part in rows.template(template)
        ]
        return f'f"{"".join(parts)}"'

    def _condition(self, unit: int) -> str:
        """The test of a `when`, over the constructor's arguments; an argument of its own if it asks for more."""
        series = [units[unit].present for units in self.pattern.units]
        guard = self.pattern.units[0][unit].guard
        text = self.slots.rendered(guard.text) if guard else ""
        if text:
            return text
        name = next((s.name for s in self.pattern.shown(unit) if not s.name.isdecimal()), "extra")
        return str(self.slots.code(series, f"with_{name}"))

    def _construct(self, aligned: Sequence[Step | None]) -> Expression:
        """The expression that makes a member, over the constructor's arguments."""
        shown = next(step for step in aligned if step is not None)
        if shown.body is None:
            return self._construct_op(aligned)
        inner = self.serving.get(shown.body)
        if inner is None:
            return self._construct_sequence(aligned)
        arguments: list[str] = []
        keyword = False
        for name, series in inner.params.items():
            values = [ABSENT if s is None else series[_index(inner.levels, s.body)] for s in aligned]
            code = self.slots.code(values, name, shown.written.get(name, ""))
            keyword = keyword or name in inner.defaults
            if name not in inner.defaults or not equal(code, inner.defaults[name]):
                arguments.append(f"{name}={literal(code)}" if keyword else literal(code))
        return f"{inner.name}({', '.join(arguments)})"

    def _construct_op(self, aligned: Sequence[Step | None]) -> str:
        shown = next(step for step in aligned if step is not None)
        op = shown.op
        assert op is not None
        values = {}
        for name in op.fields:
            series = [ABSENT if s is None else getattr(s.op, name) for s in aligned]
            values[name] = self.slots.code(series, name, shown.written.get(name, ""))
        made: str = op.replace(**values).construct()  # type: ignore[attr-defined]
        return f"{WRAPS[shown.wrap]}({made})" if shown.wrap else made

    def _construct_sequence(self, aligned: Sequence[Step | None]) -> Expression:
        shown = next(step.body for step in aligned if step is not None)
        assert shown is not None
        steps = _present(shown)
        bodies = [None if s is None else _present(s.body) for s in aligned]
        items = [self._construct([None if b is None else b[i] for b in bodies]) for i in range(len(steps))]
        names = [step.member for step in steps]
        if names != [str(i) for i in range(len(names))]:
            return named_sequence(names, items)
        return Nested("nn.Sequential(", tuple(repeated(items)))

    def _sequential(self) -> list[str]:
        """A class that is a sequence with arguments: `class ConvNorm(nn.Sequential)`."""
        items: list[tuple[int, Expression]] = []
        for unit in range(len(self.pattern.units[0])):
            for s, step in enumerate(self.pattern.shown(unit)):
                if not step.left_out:
                    items.append((unit, self._construct(self.pattern.aligned(unit, s))))
        varying = [unit for unit, _ in items if self.pattern.varies(unit)]
        if not varying:
            made = Nested("super().__init__(", tuple(repeated([item for _, item in items])))
            body = lines("", made, 2)
        else:
            body = [f"{INDENT * 2}layers = []"]
            for unit, item in items:
                if self.pattern.varies(unit):
                    body += lines("if ", self._condition(unit), 2, ":")
                depth = 3 if self.pattern.varies(unit) else 2
                body += lines("", Nested("layers.append(", (item,)), depth)
            body.append(f"{INDENT * 2}super().__init__(*layers)")
        return [
            f"class {self.pattern.name}(nn.Sequential):",
            *self._signature().lines(1),
            *body,
        ]

    # --- what forward keeps ---------------------------------------------------------------------

    def stored(self, series: list[Any], name: str, written: str) -> str:
        """How forward reads a value that differs between uses: an attribute that keeps it."""
        return self._keep(literal(self.slots.code(series, name, written)), name)

    def tested(self, unit: int, name: str) -> str:
        """How forward asks whether a unit without members is there."""
        return self._keep(self._condition(unit), f"use_{name}")

    def _keep(self, code: str, name: str) -> str:
        if code not in self.kept:
            self.kept[code] = self.attributes.fresh(code if code.isidentifier() else name)
        return f"self.{self.kept[code]}"


def _expressions(aligned: Sequence[Step | None]) -> Iterator[tuple[str, list[Any]]]:
    shown = next((step for step in aligned if step is not None), None)
    if shown is None:  # left out of every use
        return
    for name, text in shown.written.items():
        values = [ABSENT if s is None else s.body.params[name] if s.body else getattr(s.op, name) for s in aligned]
        if ABSENT not in values:
            yield text, values
    if shown.body is not None and is_inline(shown.body):
        bodies = [None if s is None else _present(s.body) for s in aligned]
        for i in range(len(_present(shown.body))):
            yield from _expressions([None if b is None else b[i] for b in bodies])


def _way(level: Level, target: Step) -> list[str]:
    """The names that lead from a level to one of the members below it."""
    for name, step in level.members.items():
        if name in level.aliases:
            continue
        if step is target:
            return [name]
        if step.body is not None and (rest := _way(step.body, target)):
            return [name, *rest]
    return []


def _present(level: Level | None) -> list[Step]:
    return [step for step in level.steps if not step.left_out] if level is not None else []


def _assign(member: str, text: str) -> str:
    return f"self.{member} = {text}" if is_identifier(member) else f"setattr(self, {literal(member)}, {text})"


def _index(levels: Sequence[Level], level: Level | None) -> int:
    return next(i for i, known in enumerate(levels) if known is level)
