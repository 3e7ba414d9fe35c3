"""Loops over the places of an axis as torch's own `scan`, which a graph holds whole however many places there are.

torch.export would write out the `for` of a scan, a round for each place of its example. While a network is traced,
the functions with such a loop are replaced: what stands in the loop becomes a function of states and of one place.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import nn

from netspec.python.allowlist import parsed
from netspec.python.nodes import assign, call, named, stored, tupled, valued, walk
from netspec.runtime.network.printed import PACKAGE

RUN: Final = "__scanned"
"""What the replaced functions call `scanned`; nothing that is printed is called so."""
STEP: Final = "__step"


@contextmanager
def as_scans(network: nn.Module) -> Iterator[None]:
    """Within it the loops over places in the printed classes of a network are scans."""
    forwards = [type(m).forward for m in network.modules() if type(m).__module__.startswith(PACKAGE)]
    printed = {id(forward.__globals__): forward for forward in forwards if "__file__" in forward.__globals__}
    undo: list[tuple[Any, str, Any]] = []
    try:
        for forward in printed.values():
            scope = forward.__globals__
            for owner, function, loop in _loops(parsed("".join(linecache.getlines(scope["__file__"])))):
                holder = scope[owner] if owner else _Scope(scope)
                undo.append((holder, function.name, getattr(holder, function.name)))
                setattr(holder, function.name, _replaced(function, loop, scope))
        yield
    finally:
        for holder, name, old in undo:
            setattr(holder, name, old)


class _Scope:
    """The names of a module, as attributes."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__ = names


def _loops(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef, ast.For]]:
    """The functions that loop over places before they return, each with its loop and the class that it stands in."""
    for node in tree.body:
        for function in node.body if isinstance(node, ast.ClassDef) else [node]:
            match function:
                case ast.FunctionDef(body=[*_, ast.For() as loop, ast.Return()]) if _whole(loop):
                    yield (node.name if isinstance(node, ast.ClassDef) else ""), function, loop


def _whole(loop: ast.For) -> list[ast.Call]:
    """The calls `x.unbind(1)` that a loop goes over; none where it goes over anything else."""
    found = [node for node in walk(loop.iter) if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name)]
    places = all(isinstance(node.func, ast.Attribute) and node.func.attr == "unbind" for node in found)
    return sorted(found, key=lambda node: node.col_offset) if places else []


def _replaced(function: ast.FunctionDef, loop: ast.For, scope: dict[str, Any]) -> Callable[..., Any]:
    """The function with a scan in place of its loop."""
    *before, _, end = function.body
    whole = [node.func.value for node in _whole(loop) if isinstance(node.func, ast.Attribute)]
    given = {node.id for node in whole if isinstance(node, ast.Name)}
    stores = (node for node in walk(ast.Module(loop.body, [])) if isinstance(node, ast.Name))
    changed = {node.id for node in stores if isinstance(node.ctx, ast.Store)}
    states = [arg.arg for arg in function.args.args if arg.arg in changed and arg.arg not in given]
    collected = [name for node in before if (name := _begun(node))]
    several = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
    targets = [node.id for node in several if isinstance(node, ast.Name)]
    body = [
        _unpacked(states, "states"),
        _unpacked(targets, "places"),
        *(_kept(node) or node for node in loop.body),
        ast.Return(tupled([tupled(map(named, states)), tupled(map(named, collected))])),
    ]
    taken = ast.arguments([], [ast.arg("states"), ast.arg("places")], None, [], [], None, [])
    step = ast.FunctionDef(STEP, taken, body, [])
    reverse = any(isinstance(node, ast.Name) and node.id == "reversed" for node in walk(loop.iter))
    axis = _whole(loop)[0].args[0]
    run = call(RUN, named(STEP), tupled(map(named, states)), tupled(whole), axis, valued(reverse))
    results = ast.Tuple([_names(states), _names(collected)], ast.Store())
    kept = [node for node in before if not _begun(node)]
    last = _Stacked(collected).visit(end)
    made = ast.FunctionDef(function.name, function.args, [*kept, step, assign(results, run), last], [])
    scope[RUN] = scanned
    local: dict[str, Any] = {}
    tree = ast.fix_missing_locations(ast.Module([made], []))
    exec(compile(tree, "<scan>", "exec"), scope, local)  # noqa: S102
    replaced: Callable[..., Any] = local[function.name]
    return replaced


def _begun(node: ast.stmt) -> str:
    """The list that a statement `hs = []` begins; empty for any other."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=[])):
            return name
    return ""


def _kept(node: ast.stmt) -> ast.stmt | None:
    """`hs.append(h)` as `hs = h`; None for any other statement."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value])):
            return assign(stored(name), value)
    return None


def _names(names: list[str]) -> ast.Tuple:
    """Names as the target of an assignment."""
    return ast.Tuple([stored(name) for name in names], ast.Store())


def _unpacked(names: list[str], of: str) -> ast.stmt:
    """`h, c, = states`."""
    return assign(_names(names), named(of))


class _Stacked(ast.NodeTransformer):
    """`torch.stack(hs, 1)` as `hs`, which is stacked already."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """What a call that stacks a list is replaced by."""
        held = node.args[0] if node.args else None
        held = held.value if isinstance(held, ast.Subscript) else held
        return held if isinstance(held, ast.Name) and held.id in self.names else node


Tensors = tuple[torch.Tensor, ...]


def scanned(
    step: Callable[[Tensors, Tensors], tuple[Tensors, Tensors]],
    states: Tensors,
    whole: Tensors,
    axis: int,
    reverse: bool,
) -> tuple[Tensors, Tensors]:
    """The states behind the last place, and what `step` gives at every place, stacked along the axis."""
    from torch._higher_order_ops.scan import scan  # only a network with such a loop pays for it

    count = len(states)

    def copied(states: Tensors, places: Tensors) -> tuple[Tensors, Tensors]:
        after, given = step(states[:count], places)  # torch's scan takes no tensor for two
        return tuple(x.clone() for x in (*after, *states[count:])), tuple(x.clone() for x in given)

    begin = tuple(x.clone() for x in states) if count > 0 else (whole[0].new_zeros(1),)  # it wants a state
    places = tuple(x.movedim(axis, 0) for x in whole)
    last, given = scan(copied, begin, tuple(x.flip(0) for x in places) if reverse else places)
    in_order = tuple(x.flip(0) for x in given) if reverse else tuple(given)
    return tuple(last[:count]), tuple(x.movedim(0, axis) for x in in_order)
