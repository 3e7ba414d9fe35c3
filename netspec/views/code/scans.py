"""The loop over the places of an axis that a scan's forward runs, with what it collects on the way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Final

from netspec.graph.by_parts import Scan
from netspec.python.names import identifier
from netspec.python.nodes import assign, call, item, listed, method, named, stored, tupled, valued
from netspec.views.code.flow import Flow
from netspec.views.code.patterns import Pattern, Ref
from netspec.views.code.variables import Variables

SCANNING: Final = frozenset({"torch.stack", ".unbind"})
"""What of torch is written in it."""


def scanned(
    pattern: Pattern,
    flow: Flow,
    variables: Variables,
    body: Callable[[], list[ast.stmt]],
    results: Sequence[Ref],
    ending: Callable[[list[ast.expr]], ast.expr],
) -> list[ast.stmt]:
    """The statements of a scan's forward.

    `body` gives those of one place, `results` what the level gives and then what the next place is given for each
    state, and `ending` makes the return expression.
    """
    level = pattern.levels[0]
    scan = level.scan
    assert scan is not None
    arguments = variables.arguments
    states = range(scan.over, len(level.inputs))
    given, nexts = results[: len(level.exports)], results[len(level.exports) :]
    whole = [named(name) for name in arguments[: scan.over]]
    for i, name in enumerate(arguments[: scan.over]):
        variables.until[name] = -1
        variables.hold(("in", i), variables.names.fresh(f"{name}_t"))
    for i, after in zip(states, nexts, strict=True):
        if _replaces(flow, ("in", i), flow.actual(after)):
            variables.hold(flow.actual(after), arguments[i])
    targets = [_assignable(variables.read(("in", i))) for i in range(scan.over)]
    statements = body()
    kept: dict[Ref, str] = {}
    last = dict(zip(nexts, (arguments[i] for i in states), strict=True))
    returned: list[ast.expr] = []
    for outer, ref in zip(level.exports, given, strict=True):
        if outer in scan.last:
            returned.append(named(last[ref]))
            continue
        if ref not in kept:
            held = variables.read(ref)
            own = held.id if isinstance(held, ast.Name) and held.id not in ("x", "out") else "output"
            kept[ref] = variables.names.fresh(identifier(f"{own}s"))
            statements.append(ast.Expr(method(named(kept[ref]), "append", held)))
        gathered: ast.expr = named(kept[ref])
        if scan.reverse:
            gathered = item(gathered, ast.Slice(None, None, valued(-1)))
        returned.append(call("torch.stack", gathered, valued(scan.axis)))
    statements += _handed(variables, nexts, [arguments[i] for i in states])
    begun: list[ast.stmt] = [assign(stored(name), listed([])) for name in kept.values()]
    loop = ast.For(_several(targets), _places(whole, scan), statements, [])
    return [*begun, loop, ast.Return(ending(returned))]


def _replaces(flow: Flow, before: Ref, after: Ref) -> bool:
    """Whether a state can be set where its next is made: nothing reads the one before any more."""
    at = next((i for i, made in enumerate(flow.items) if after in made.results), None)
    if at is None or flow.last.get(before, -1) > at:
        return False
    maker = flow.items[at]
    op = maker.step.op
    simple = not (flow.pattern.varies(maker.unit) or maker.step.left_out or flow.gated(maker))
    return simple and not (op is not None and op.source and maker.step.member)


def _handed(variables: Variables, nexts: Sequence[Ref], names: Sequence[str]) -> list[ast.stmt]:
    """The statement that hands the states on to the next place, but for those that are there already."""
    found = [(name, variables.read(ref)) for name, ref in zip(names, nexts, strict=True)]
    found = [(name, held) for name, held in found if not (isinstance(held, ast.Name) and held.id == name)]
    if not found:
        return []
    held = [value for _, value in found]
    return [assign(_several([stored(name) for name, _ in found]), held[0] if len(held) == 1 else tupled(held))]


def _places(whole: Sequence[ast.expr], scan: Scan) -> ast.expr:
    """What the loop goes over: the places of a value, or of several beside each other."""
    each = [method(of, "unbind", axis) for of, axis in zip(whole, repeat(valued(scan.axis)), strict=False)]
    each = [call("reversed", of) for of in each] if scan.reverse else each
    return each[0] if len(each) == 1 else call("zip", *each)


def _several(targets: list[ast.expr] | list[ast.Name]) -> ast.expr:
    """One target as it is, several as a tuple."""
    return targets[0] if len(targets) == 1 else ast.Tuple(list(targets), ast.Store())


def _assignable(held: ast.expr) -> ast.expr:
    """A name as the target of an assignment."""
    assert isinstance(held, ast.Name)
    return stored(held.id)
