"""What the rounds of a repeat have in common: one expression over its counter that says what each of them is.

Where rounds differ in whole numbers, these grow by the same from round to round: `64 + i * growth` for 64,
`64 + growth`, `64 + 2 * growth`. Nothing else is taken for a rule: text and structure are the same in all.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import le, lt
from typing import Final

from netspec.graph.combining import Node, combined, number
from netspec.graph.symbols import counted
from netspec.graph.symbols import name as name_node
from netspec.python.expressions import f_string
from netspec.python.nodes import either, same

Proof = Callable[[Node, Mapping[int, Node]], bool]
"""Whether an expression over the counter comes to what each round's does, in every use."""
Sum = dict[str, tuple[int, Node | None]]
"""A sum by its parts: how often each is in it. What is known as a number is under no name."""
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(?![0-9])")

_LATE: Final[Mapping[type[ast.cmpop], tuple[Callable[[int, int], bool], bool]]] = {
    ast.Eq: (lt, False),
    ast.NotEq: (lt, True),
    ast.Gt: (lt, True),
    ast.GtE: (le, True),
    ast.Lt: (le, False),
    ast.LtE: (lt, False),
}
"""How a counter is compared with a number: which numbers decide it from the round on where it begins, and as what."""


class _Unlike(Exception):
    """Rounds that no rule gives."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a rule for the rounds is looked for."""

    counter: str
    proof: Proof
    begin: int
    """The round that the first of the trees is."""
    apart: bool
    """Whether the first round may differ: `3 if i == 0 else c`."""


def over_counter(
    nodes: Sequence[Node],
    repeats: Collection[int],
    counter: str,
    proof: Proof,
    *,
    begin: int = 0,
    apart: bool = False,
) -> Node | None:
    """What nodes are, one a round from `begin` on, over the counter of that name; None where no rule gives them all.

    The counters of the repeats of these numbers, which stand in them as symbols, are that counter. `apart` allows
    what differs in the first round alone.
    """
    given = [_counting(node, repeats, turn, counter) for turn, node in enumerate(nodes, begin)]
    try:
        found = _common(given, _Rule(counter, proof, begin, apart))
    except _Unlike:
        return None
    assert isinstance(found, ast.expr)
    return _decided(found, counter, begin) if begin else found


def name_over_counter(names: Sequence[str], counter: str, begin: int = 0) -> ast.expr | None:
    """Names of which the numbers count on, over the counter: `f"layer{i + 1}"`; None for any others."""
    columns = list(zip(*(_NUMBER.split(name) for name in names), strict=False))
    if len({len(_NUMBER.split(name)) for name in names}) > 1:
        return None
    parts: list[str | ast.expr] = []
    try:
        for column in columns:
            same_ = len(set(column)) == 1
            parts.append(column[0] if same_ else _steps([int(part) for part in column], counter, begin))
    except (_Unlike, ValueError):
        return None
    return f_string(parts) if any(isinstance(part, ast.expr) for part in parts) else None


def _counting(node: ast.AST, repeats: Collection[int], turn: int, counter: str) -> ast.AST:
    """A tree with the counter in place of its symbols in one round; those of rounds before are so much less."""
    if isinstance(node, ast.Name):
        known = counted(node.id)
        if known is None or known[0] not in repeats or known[1] > turn:
            return node
        return combined(ast.Sub(), name_node(counter), ast.Constant(turn - known[1]))

    def inside(value: object) -> object:
        if isinstance(value, ast.AST):
            return _counting(value, repeats, turn, counter)
        return [inside(each) for each in value] if isinstance(value, list) else value

    return type(node)(**{field: inside(getattr(node, field, None)) for field in node._fields})


def _decided(node: Node, counter: str, begin: int) -> Node:
    """A tree without the choices that a counter which begins late has made: `1` for `2 if i == 0 else 1`."""

    def inside(value: object) -> object:
        if isinstance(value, list):
            return [inside(each) for each in value]
        if not isinstance(value, ast.AST):
            return value
        match value:
            case ast.IfExp(test=ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[bound]), body=body) if (
                name == counter and (number_ := number(bound)) is not None and type(op) in _LATE
            ):
                rule, chosen = _LATE[type(op)]
                if rule(number_, begin):
                    return inside(body if chosen else value.orelse)
        return type(value)(**{field: inside(getattr(value, field, None)) for field in value._fields})

    found = inside(node)
    assert isinstance(found, ast.expr)
    return found


def _common(trees: Sequence[object], rule: _Rule) -> object:
    """One tree for those of all rounds, or one part of a tree. Raises _Unlike."""
    first = trees[0]
    if all(same(first, tree) for tree in trees[1:]):
        return first
    nodes = [tree for tree in trees if isinstance(tree, ast.expr)]
    if len(nodes) < len(trees):
        return _fieldwise(trees, rule)
    numbers = [value for node in nodes if (value := number(node)) is not None]
    attempts: list[Callable[[], object]]
    if len(numbers) == len(nodes):
        attempts = [partial(_steps, numbers, rule.counter, rule.begin), partial(_apart, nodes, rule)]
    else:
        attempts = [partial(_fieldwise, nodes, rule), partial(_grown, nodes, rule), partial(_apart, nodes, rule)]
    for attempt in attempts:
        try:
            return attempt()
        except _Unlike:
            continue
    raise _Unlike


def _fieldwise(trees: Sequence[object], rule: _Rule) -> object:
    """The same of trees that are of one kind, from what they are made of. Raises _Unlike."""
    first = trees[0]
    if len({type(tree) for tree in trees}) > 1 or isinstance(first, ast.Constant):
        raise _Unlike
    if isinstance(first, list):
        rows = [tree for tree in trees if isinstance(tree, list)]
        if len(set(map(len, rows))) > 1:
            raise _Unlike
        return [_common(column, rule) for column in zip(*rows, strict=True)]
    if not isinstance(first, ast.AST):
        raise _Unlike
    fields = {field: [getattr(tree, field, None) for tree in trees] for field in first._fields}
    return type(first)(**{field: _common(values, rule) for field, values in fields.items()})


def _apart(nodes: Sequence[Node], rule: _Rule) -> Node:
    """A number or a sum that differs in the first round. Raises _Unlike."""
    if not rule.apart or rule.begin or len(nodes) < 3 or any(isinstance(node, ast.Call) for node in nodes):
        raise _Unlike
    rest = _common(nodes[1:], replace(rule, begin=1, apart=False))
    assert isinstance(rest, ast.expr)
    return either(ast.Compare(name_node(rule.counter), [ast.Eq()], [ast.Constant(0)]), nodes[0], rest)


def _steps(numbers: Sequence[int], counter: str, begin: int) -> Node:
    """Whole numbers that grow by the same from round to round. Raises _Unlike."""
    first, step = _grows(numbers, begin)
    turns = combined(ast.Mult(), ast.Constant(abs(step)), name_node(counter))
    if step == 1:
        return combined(ast.Sub() if first < 0 else ast.Add(), turns, ast.Constant(abs(first)))
    return combined(ast.Sub() if step < 0 else ast.Add(), ast.Constant(first), turns)


def _grows(numbers: Sequence[int], begin: int) -> tuple[int, int]:
    """What some numbers are in round 0, and by how much each is more than the one before. Raises _Unlike."""
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 0
    if any(value != numbers[0] + turn * step for turn, value in enumerate(numbers)):
        raise _Unlike
    return numbers[0] - begin * step, step


def _grown(nodes: Sequence[Node], rule: _Rule) -> Node:
    """Sums of which a part grows by the same from round to round. Raises _Unlike."""
    if not any(isinstance(node, ast.BinOp) for node in nodes):
        raise _Unlike
    sums = [_sum(node) for node in nodes]
    parts = {key: part for each in (sums[-1], *sums) for key, (_, part) in each.items()}
    growing = {key: _grows([each.get(key, (0, None))[0] for each in sums], rule.begin) for key in parts}
    if len(nodes) < 3 and sum(bool(step) for _, step in growing.values()) > 1:  # any two sums are so alike
        raise _Unlike
    found: Node = ast.Constant(0)
    for key, (first, step) in growing.items():
        for times, what in ((first, parts[key]), (step, _product(name_node(rule.counter), parts[key]))):
            if times:
                more = combined(ast.Mult(), ast.Constant(abs(times)), what or ast.Constant(1))
                found = combined(ast.Add() if times > 0 else ast.Sub(), found, more)
    if not rule.proof(found, dict(enumerate(nodes, rule.begin))):
        raise _Unlike
    return found


def _product(one: Node, other: Node | None) -> Node:
    """Two factors, where there are two."""
    return one if other is None else ast.BinOp(one, ast.Mult(), other)


def _sum(node: Node, times: int = 1) -> Sum:
    """The parts of a sum of whole numbers, so many times."""
    if (known := number(node)) is not None:
        return {"": (times * known, None)}
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _sum(inner, -times)
        case ast.BinOp(op=ast.Mult(), left=left, right=right) if (count := number(left)) is not None:
            return _sum(right, times * count)
        case ast.BinOp(op=ast.Mult(), left=left, right=right) if (count := number(right)) is not None:
            return _sum(left, times * count)
        case ast.BinOp(op=ast.Add() | ast.Sub() as op, left=left, right=right):
            found = _sum(left, times)
            for key, (count, part) in _sum(right, -times if isinstance(op, ast.Sub) else times).items():
                found[key] = found.get(key, (0, None))[0] + count, part
            return found
    return {ast.dump(node): (times, node)}
