"""One class of the printed module: its constructor and its forward."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from netspec.graph.combining import symbols
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
    named,
    stored,
    valued,
)
from netspec.views.code.constructors import Making
from netspec.views.code.containers import SELF, SUPER, repeated
from netspec.views.code.forward_body import Bound, Ending, Forward
from netspec.views.code.init_body import Registering
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.program import Class, Plan, Saying, Signature
from netspec.views.code.rows import Rows
from netspec.views.code.sequences import repeats_at
from netspec.views.code.shapes import Shapes
from netspec.views.code.slots import ABSENT, INPUT, Argument, Slots


class ClassWriter:
    """Writes the class of one pattern."""

    def __init__(
        self,
        pattern: Pattern,
        plan: Plan,
        known: Mapping[Pattern, Signature],
        closing: Callable[[Slots], Sequence[ast.stmt]],
        bound: Bound,
        lengths: Mapping[str, int | str],
    ) -> None:
        """`known` are the constructors of classes that are written already, `bound` the sizes that forward insists on.

        `closing` gives the statements that end the constructor, which insists on the `lengths` of arguments.
        """
        self.pattern = pattern
        self.name = plan.names[pattern]
        self.sayings: dict[ast.stmt, Saying] = {}
        """What comments say of its statements."""
        self.closing = closing
        self.bound = bound
        self.lengths = lengths
        self.making = Making(pattern, plan, known)
        self.registering = Registering(self.making)
        self.slots = self.making.slots
        members = {name.partition(".")[0] for level in pattern.levels for name in level.members}
        self.attributes = Namespace(members | MODULE_ATTRIBUTES | HELD)
        self.formulas = plan.rules.formulas
        self.computed: set[str] = set()
        """The arguments that the constructor computes where a call leaves them out."""
        self.kept: dict[str, tuple[str, ast.expr]] = {}
        """Constructor arguments that forward needs, by their text: the attribute that holds each, and what it holds."""

    def written(self, results: Sequence[Ref], ending: Ending, lean: tuple[list[Ref], Ending] | None = None) -> Class:
        """The whole class; `lean` is what its forward returns outside training, where that is less."""
        if self.pattern.sequential and self.pattern.levels[0].kind != "root":
            return self._class("nn.Sequential", self._sequence(), [])
        base = self.pattern.base
        body = self.registering.statements() if base == "nn.Module" else []
        made = self.registering.contents() if base != "nn.Module" else call(SUPER)
        shapes = Shapes(self.pattern, self.slots)
        forward = Forward(self.pattern, results, self, shapes, self.sayings, self.bound)
        run = defined("forward", ["self", *forward.variables.arguments], forward.statements(ending, lean))
        self.sayings[run] = shapes.of_input
        kept = [assigned(SELF, name, node) for name, node in self.kept.values()]
        closing = self.closing(self.slots)
        settings = self._settings() if self.pattern.levels[0] is self.slots.root else []
        stores = bool(base != "nn.Module" or body or kept or self.slots.arguments)
        called = {name: self.slots.called.get(root_symbol(name), name) for name in self.slots.root.params}
        known = {called[name]: called.get(str(count), count) for name, count in self.lengths.items()}
        checks = [_insisted(name, known[name]) for name in self.slots.arguments if name in known]
        return self._class(base, [ast.Expr(made), *settings, *checks, *kept, *body, *closing] if stores else [], [run])

    def _class(self, base: str, stores: list[ast.stmt], runs: list[ast.stmt]) -> Class:
        """The class whose constructor and forward do this."""
        defaults = self._defaults()
        arguments = dict(
            sorted(self.slots.arguments.items(), key=lambda item: (item[0] in defaults, *self._place(item)))
        )
        signature = Signature(self.name, arguments, defaults, tuple(self.making.modules))
        given = {name: valued(value) for name, value in defaults.items()}
        head = [defined("__init__", ["self", *signature.modules, *arguments], stores, given)] if stores else []
        return Class(
            ast.ClassDef(self.name, [named(base)], [], [*head, *runs], []), signature, self.sayings, self.making.found
        )

    def _place(self, item: tuple[str, Argument]) -> tuple[int, int]:
        """What the inputs give first, in their order, then the parameters in that of their header, then the rest.

        Among those without a default, behind which all stand that have one.
        """
        name, argument = item
        if argument.kind == INPUT:
            symbol = next(symbol for symbol, known in self.slots.called.items() if known == name)
            return INPUT, int(symbol.partition(".")[0])
        header = [self.slots.called.get(symbol) for symbol in self._header()]
        return argument.kind, header.index(name) if name in header else 0

    def _header(self) -> list[str]:
        """The symbols of the parameters that the class has by the spec, in order."""
        return [*self.slots.variables, *map(root_symbol, self.slots.root.params)]

    def _defaults(self) -> dict[str, Any]:
        """The defaults of the arguments that have one."""
        level = self.pattern.levels[0]
        root = {root_symbol(name): plain(value) for name, value in level.params.items()}
        constants = level.header.constants if level.header is not None else {}
        given = root if level is self.slots.root else constants
        called = self.slots.called
        found = {called[n]: value for n, value in given.items() if called.get(n) in self.slots.arguments}
        known = {name: self.slots.as_given(name, value) for name, value in found.items()}
        fixed = {name: _fixed(value) for name, value in known.items()}
        fixed |= dict.fromkeys(self.computed)
        return {name: value for name, value in fixed.items() if value is not ABSENT}

    def _settings(self) -> list[ast.stmt]:
        """What arguments are that a call leaves out and others give: `ff = 4 * d if ff is None else ff`."""
        found: list[ast.stmt] = []
        for name, formula in reversed([*self.formulas.items()]):  # each of those above it
            argument = self.slots.called.get(root_symbol(name), "")
            tree = self.slots._over(formula, "") if argument in self.slots.arguments else None
            if tree is not None and symbols(tree):
                self.computed.add(argument)
                left_out = ast.Compare(named(argument), [ast.Is()], [valued(None)])
                found.append(assign(stored(argument), ast.IfExp(left_out, tree, named(argument))))
        return found[::-1]

    def _sequence(self) -> list[ast.stmt]:
        """What the constructor of a sequence with arguments does: `class ConvNorm(nn.Sequential)`."""
        columns = self.pattern.columns(self.pattern.levels)
        rows, levels = Rows(self.making), self.pattern.levels
        varies = any(column.varies for column in columns)
        if found := rows.row(levels, columns) if varies else rows.looped(levels, columns):
            return [*found[0], ast.Expr(call(SUPER, *found[1]))]
        places = [(column, s) for column in columns for s, step in enumerate(column.shown) if not step.left_out]

        def member(name: str) -> ast.expr:
            column, s = places[int(name)]
            return self.making.construct(column.aligned(s))

        made, repeats = self.making.members(self.pattern.levels, [str(i) for i in range(len(places))], member)
        return [ast.Expr(call(SUPER, *repeated(made, repeats)))]

    def stored(self, series: list[Any], name: str, origins: Sequence[ast.expr | None]) -> Any:
        """What forward takes for an argument: a value, or an attribute where the constructor's arguments give it."""
        return self._readable(self.slots.code(series, name, origins), name)

    def _readable(self, code: Any, name: str) -> Any:
        """A value whose expressions are kept by the constructor, so that forward can read them."""
        if isinstance(code, tuple):
            return tuple(self._readable(part, name) for part in code)
        if isinstance(code, Code) and not symbols(code.node):
            return code
        return Code(self._keep(code.node, name)) if isinstance(code, Code) else code

    def is_argument(self, aligned: Sequence[Step | None]) -> bool:
        """Whether an argument says which operation a step is."""
        return self.making.is_argument(aligned)

    def chosen(self, aligned: Sequence[Step | None], name: str) -> ast.expr:
        """How forward reads a module where an argument says which that is."""
        chosen = self.making.chosen(aligned)
        return self._keep(call(chosen), chosen.id if isinstance(chosen, ast.Name) else name)

    def tested(self, unit: int, name: str) -> ast.expr:
        """How forward asks whether a unit is there that no member of its own tells of."""
        return self._keep(self.making.condition(unit), identifier(f"use_{name}"))

    def counts(self, repeat: int) -> bool:
        """Whether a repeat has as many rounds as the arguments say, and the constructor registers its members so."""
        levels = self.pattern.levels
        steps = levels[0].repeats[repeat].steps
        made = [step.member for step in steps if step.member and not step.again]
        looped = not made or any(member in self.registering.rounds for member in made)
        return looped and self.making.times(repeats_at(levels, repeat)) is not None

    def times(self, repeat: int) -> ast.expr:
        """How forward reads how many rounds a repeat has."""
        times = self.making.times(repeats_at(self.pattern.levels, repeat))
        assert times is not None
        return self._keep(times, "rounds" if "depth" in self.slots.in_use else "depth")

    def _keep(self, code: ast.expr, name: str) -> ast.expr:
        """The attribute that keeps the value of an expression; one for all places that need the same."""
        key = text(code)
        if key not in self.kept:
            known = key if isinstance(code, ast.Name) else self.slots.parameter(code) or _along(code) or name
            self.kept[key] = (self.attributes.fresh(identifier(known)), code)
        return attribute(SELF, self.kept[key][0])


def _fixed(value: Any) -> Any:
    """A list, and those in it, as tuples, which no call can change."""
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


def _insisted(name: str, count: int | str) -> ast.stmt:
    """The refusal of a list of another length than this, or than that of another argument."""
    length: ast.expr
    if isinstance(count, str):
        length, said = call("len", named(count)), f"{name} takes as many values as {count}"
    else:
        length, said = valued(count), f"{name} takes {count} value{'s' if count > 1 else ''}"
    test = ast.Compare(call("len", named(name)), [ast.NotEq()], [length])
    error = call("ValueError", valued(said))
    return ast.If(test, [ast.Raise(error, None)], [])


def _along(node: ast.expr) -> str:
    """What a number is counted along, where it is computed from one size of an input: "height" for `in_height // 7`."""
    sizes = {match[1] for name in symbols(node) if (match := _SIZE.fullmatch(name))}
    return sizes.pop() if len(sizes) == 1 and isinstance(node, ast.BinOp) else ""


_SIZE: Final = re.compile(r"in_(height|width|depth|length)")
