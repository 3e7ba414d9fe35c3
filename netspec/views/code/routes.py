"""The loop over experts that the forward of a route runs, each for the tokens that are routed to it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Final

from netspec.python.nodes import assign, call, infix, item, method, named, stored, tupled, valued
from netspec.views.code.calls import Calls
from netspec.views.code.containers import SELF
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.variables import Variables

ROUTING: Final = frozenset({"torch.where", "torch.zeros_like", ".index_add_"})
"""What of torch is written in it."""


def routed(
    pattern: Pattern, variables: Variables, calls: Calls, body: Callable[[], list[ast.stmt]], results: Sequence[Ref]
) -> list[ast.stmt]:
    """The statements of a route's forward; `body` gives those of one expert, `results` end with what experts give."""
    level = pattern.levels[0]
    route = level.route
    assert route is not None
    names = variables.arguments[: len(level.inputs)]
    index = named(names[-2] if route.weighted else names[-1])
    tokens = named(names[0])
    fresh = variables.names.fresh
    total, number, token, place = fresh("out"), fresh("i"), fresh("token"), fresh("place")
    own = item(tokens, named(token))
    if route.apart:
        expert = fresh("expert")
        members = SELF if pattern.base == "nn.ModuleList" else method(SELF, "children")
        target: ast.expr = stored(expert)
        of = members
        statements: list[ast.stmt] = []
        given: ast.expr = call(named(expert), own)
    else:
        places = names[1 : len(names) - 1 - route.weighted]
        each = [fresh(f"{name}_i") for name in places]
        target = ast.Tuple(list(map(stored, each)), ast.Store()) if len(each) > 1 else stored(each[0])
        of = call("zip", *map(named, places)) if len(each) > 1 else named(places[0])
        for i, name in enumerate(each):
            variables.hold(("in", 1 + i), name)
        part = fresh(f"{names[0]}_i")
        variables.hold(("in", 0), part)
        statements = [assign(stored(part), own), *body()]
        given = variables.read(results[-1])
    if route.weighted:
        wide = len(level.inputs[next(iter(level.inputs))].tensor.shape) - 1  # type: ignore[union-attr]
        weight = item(named(names[-1]), tupled([named(token), named(place), *[valued(None)] * wide]))
        given = infix(ast.Mult(), given, weight)
    found = call("torch.where", ast.Compare(index, [ast.Eq()], [named(number)]))
    loop: list[ast.stmt] = [
        assign(ast.Tuple([stored(token), stored(place if route.weighted else "_")], ast.Store()), found),
        *statements,
        ast.Expr(method(named(total), "index_add_", valued(0), named(token), given)),
    ]
    over = ast.Tuple([stored(number), target], ast.Store())
    return [
        assign(stored(total), call("torch.zeros_like", tokens)),
        ast.For(over, call("enumerate", of), loop, []),
        ast.Return(named(total)),
    ]
