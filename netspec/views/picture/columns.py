"""Columns of a level: nodes in ranks from top to bottom, each branch in a column of its own, in the spec's order."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import pairwise
from sys import maxsize

from netspec.views.picture.plan import Node, Pass, Plan

Key = tuple[int, ...]
"""The branches that lead to a node, each by the place of its first node: those of a fork begin alike."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one rank over the columns from `start` up to `stop`, which is no more among them."""

    start: int
    stop: int
    items: tuple[Node | Pass, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """The ranks of a level, each from left to right."""

    count: int
    ranks: tuple[tuple[Cell, ...], ...]


def columns(plan: Plan) -> Columns:
    """Set the nodes of a level into columns, and note in the plan which lines run straight down through ranks.

    What follows a fork has columns of its own, and where branches meet they end. So a value that waits for longer
    branches goes down in the column that its branch had, and crosses nothing.
    """
    place = _places(plan)
    keys = _keys(plan, place)
    ranks: list[dict[Key, list[Node | Pass]]] = [{} for _ in range(1 + max(place.values(), default=0))]
    for node in plan.all:
        ranks[place[node]].setdefault(keys[node], []).append(node)
    for edge in plan.edges:
        key = keys[edge.source]
        between = ranks[place[edge.source] + 1 : place[edge.target]]
        alone = len(edge.source.gives) == 1 and len(key) > len(keys[edge.target])
        if between and alone and not any(key in rank for rank in between):
            plan.passes[edge] = [Pass(edge) for _ in between]
            for rank, passing in zip(between, plan.passes[edge], strict=True):
                rank[key] = [passing]
    leaves = _leaves(ranks)
    cells = (sorted(((*_span(key, leaves), tuple(items)) for key, items in rank.items()), key=_start) for rank in ranks)
    return Columns(len(leaves), tuple(tuple(Cell(*cell) for cell in rank) for rank in cells))


def _start(cell: tuple[int, int, tuple[Node | Pass, ...]]) -> int:
    """Where a cell begins."""
    return cell[0]


def _places(plan: Plan) -> dict[Node, int]:
    """Nodes by how many others a value passes on its longest way to them; a source stands right above its reader."""
    place: dict[Node, int] = dict.fromkeys(plan.entries, 0)
    for node in plan.nodes:
        place[node] = max((1 + place[e.source] for e in node.takes), default=int(bool(plan.entries)))
    for node in reversed(plan.nodes):
        if node.starts:
            place[node] = max(min((place[e.target] for e in node.gives if e.target in place), default=1) - 1, 0)
    last = 1 + max(place.values(), default=0)
    return place | dict.fromkeys(plan.exits, last)


def _keys(plan: Plan, place: dict[Node, int]) -> dict[Node, Key]:
    """The branch of each node.

    It is that of what it takes, further in where others take the same. Where several meet it is what they have in
    common, but the first of them while yet another inner branch goes on beside.
    """
    found: dict[Node, Key] = {}
    under_way: list[tuple[Key, int]] = []
    """Of each line that has begun and not ended its branch, and the number of the node that it comes from."""
    numbers = {node: number for number, node in enumerate(plan.all)}
    for node in sorted(plan.all, key=place.__getitem__):
        number = numbers[node]
        sources = list(dict.fromkeys(edge.source for edge in node.takes))
        for edge in node.takes:
            del under_way[bisect_left(under_way, (found[edge.source], numbers[edge.source]))]
        if not sources:
            found[node] = (number,) if node.starts or len(plan.entries) > 1 else ()
        elif len(sources) == 1:
            forks = len({edge.target for edge in sources[0].gives}) > 1
            found[node] = (*found[sources[0]], number) if forks else found[sources[0]]
        else:
            own, inner = {numbers[source] for source in sources}, _common([found[source] for source in sources])
            beside = under_way[bisect_left(under_way, (inner,)) : bisect_left(under_way, (_behind(inner),))]
            meets = all(key == inner or number in own for key, number in beside)
            first = next((source for source in sources if not source.starts), sources[0])
            found[node] = inner if meets else found[first]
        for _ in node.gives:
            insort(under_way, (found[node], number))
    return found


def _behind(key: Key) -> Key:
    """The first branch that is neither this one nor inside it."""
    return (*key[:-1], key[-1] + 1) if key else (maxsize,)


def _common(keys: list[Key]) -> Key:
    """What several branches have in common."""
    low, high = min(keys), max(keys)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:length]


def _leaves(ranks: list[dict[Key, list[Node | Pass]]]) -> list[Key]:
    """The branches that have a column: those without inner ones, and those beside whose nodes inner ones run."""
    every = sorted({key for rank in ranks for key in rank})
    outer = {a for a, b in pairwise(every) if b[: len(a)] == a}
    beside = {a for rank in ranks for a, b in pairwise(sorted(rank)) if b[: len(a)] == a}
    return [key for key in every if key not in outer or key in beside]


def _span(key: Key, leaves: list[Key]) -> tuple[int, int]:
    """The columns of a branch: its own, or those of all inner ones."""
    start = bisect_left(leaves, key)
    if start < len(leaves) and leaves[start] == key:
        return start, start + 1
    return start, bisect_left(leaves, _behind(key))
