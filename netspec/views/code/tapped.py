"""A list of modules that run one after the other, some of whose values are given: one loop, and an `if` for each."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from netspec.python.nodes import assign, call, named, stored, valued
from netspec.views.code.containers import SELF
from netspec.views.code.flow import Flow
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.variables import Variables

MANY = 4
"""From how many modules on they are gone over."""


def tapped(pattern: Pattern, flow: Flow, variables: Variables, results: Sequence[Ref]) -> list[ast.stmt] | None:
    """The statements that run all modules of a list and keep what is given; None where it is no such list."""
    steps = [item.step for item in flow.items]
    members = list(pattern.levels[0].members)
    if pattern.base != "nn.ModuleList" or len(steps) < MANY or [step.member for step in steps] != members:
        return None
    before: Ref = ("in", 0)
    for item in flow.items:
        plain = not item.step.again and not item.step.left_out and item.step.training is None and item.module is None
        if not plain or item.reads != [before] or len(item.results) != 1:
            return None
        before = item.results[0]
    kept = [ref for ref in dict.fromkeys(map(flow.actual, results)) if ref != before]
    places = {item.results[0]: i for i, item in enumerate(flow.items)}
    if not kept or len(kept) > MANY or not all(ref in places for ref in (*kept, *map(flow.actual, results))):
        return None
    value = variables.arguments[0]
    tests: list[ast.stmt] = []
    counter, layer = variables.names.fresh("i"), variables.of_module("layer")
    for ref in sorted(kept, key=lambda ref: -places[ref]):
        variables.hold(ref, variables.own(flow.items[places[ref]], ref, places[ref]))
        here = ast.Compare(named(counter), [ast.Eq()], [valued(places[ref])])
        tests = [ast.If(here, [assign(stored(text_of(variables.held[ref])), named(value))], tests)]
    variables.hold(before, value)
    run = assign(stored(value), call(named(layer), named(value)))
    target = ast.Tuple([stored(counter), stored(layer)], ast.Store())
    return [ast.For(target, call("enumerate", SELF), [run, *tests], [])]


def text_of(held: ast.expr) -> str:
    """The name of the variable that holds a value."""
    assert isinstance(held, ast.Name)
    return held.id
