"""Where everything stands: nodes in ranks and columns, and values that pass others in lanes beside."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Final

from netspec.views.picture.columns import Cell, Columns, columns
from netspec.views.picture.plan import Node, Pass, Plan, Row

CHARACTER: Final = 7.0
"""The width of a character of the text."""
LETTER: Final = 6.4
"""The width of a character of a shape."""
ROW: Final = 20.0
TITLE: Final = 24.0
PAD: Final = 14.0
GAP: Final = 34.0
"""Between ranks, with room for a shape."""
SIDE: Final = 30.0
"""Between nodes of one rank."""
LANE: Final = 14.0
TURN: Final = 13.0
"""How far below or above a node a line turns."""
MAX_COMPARED: Final = 2_000_000
"""How many lanes others are compared with, so that they run beside each other."""


def arrange(plan: Plan) -> None:
    """Give every node of a level, and of the levels within, its place and size; and the level its own."""
    for node in plan.nodes:
        if node.inside is not None:
            arrange(node.inside)
    for node in plan.all:
        _measure(node)
    found = columns(plan)
    ranks = [[item for cell in rank for item in cell.items if isinstance(item, Node)] for rank in found.ranks]
    _down(ranks, plan)
    _through(found)
    _across(found)
    _enter_aside(plan)
    _run_lanes(plan, ranks)
    _gather_ins(plan)
    _frame(plan)


def _measure(node: Node) -> None:
    """The size of one node, and where values enter and leave it."""
    inner = node.inside
    if inner is not None:
        heading = (len(f"{node.title}  {node.use}") + 6 * (node.count > 1) + 2 * bool(node.mark)) * CHARACTER
        node.width = max(inner.width, heading + PAD)
        node.height = TITLE + inner.height
        node.ins = [entry.x + entry.spine for entry in inner.entries]
        node.outs = [leaving.x + leaving.spine for leaving in inner.exits]
        node.spine = node.ins[0] if len(node.ins) == 1 else sum(node.ins, 0.0) / len(node.ins) if node.ins else 0
        node.spine = node.spine or node.width / 2
        return
    if node.rows:
        node.width = max(_length(row) for row in node.rows) * CHARACTER
        node.width, node.height = node.width + 2 * PAD, ROW * len(node.rows) + 8
    elif node.title:
        node.width = (len(f"{node.title}  {node.use or node.shape}") + 2 * bool(node.mark)) * CHARACTER + 2 * PAD
        node.height = ROW + 8
    node.spine = node.width / 2
    node.outs = [node.spine]


def _length(row: Row) -> int:
    """The characters of a line in a box."""
    return len(f"{row.name}  {row.text}" if row.name or row.mark else row.text) + 2 * bool(row.mark)


def _down(ranks: list[list[Node]], plan: Plan) -> None:
    """Ranks below each other; where a value only enters or leaves a level, they need less room between."""
    y = 0.0
    for rank, after in zip(ranks, [*ranks[1:], []], strict=True):
        height = max((node.height for node in rank), default=0)
        for node in rank:
            node.y = y
        gap = GAP
        if not height:
            gap = GAP - 10 if len(after) > 1 or any(len(n.gives) > 1 for n in rank) else LANE
        elif after and not any(node.height for node in after):
            gap = LANE
        y += height + gap


def _through(found: Columns) -> None:
    """How far down the lines run that pass through a rank."""
    for rank in found.ranks:
        nodes = [item for cell in rank for item in cell.items if isinstance(item, Node)]
        for item in (item for cell in rank for item in cell.items if isinstance(item, Pass)):
            item.y = max((node.y for node in nodes), default=0.0)
            item.height = max((node.height for node in nodes), default=0.0)


def _across(found: Columns) -> None:
    """What stands in each rank, around the middle of its columns, which are as wide as that takes."""
    middles = [0.0] * found.count
    for rank in found.ranks:
        for a, b in pairwise(rank):
            apart = _reach(a)[1] + SIDE + _reach(b)[0]
            missing = apart - (_middle(b, middles) - _middle(a, middles))
            if missing > 0:  # moving all behind it brings no others closer together
                middles[b.start :] = [middle + missing for middle in middles[b.start :]]
    for rank in found.ranks:
        for cell in rank:
            left, _ = _reach(cell)
            x = _middle(cell, middles) - left
            for item in cell.items:
                if isinstance(item, Pass):
                    item.x = x + LANE / 2
                    x += LANE + SIDE
                else:
                    item.x = x
                    x += item.width + SIDE


def _reach(cell: Cell) -> tuple[float, float]:
    """How far a cell reaches to the left and to the right of the line through it."""
    item = cell.items[0]
    if len(cell.items) == 1:
        return (LANE / 2, LANE / 2) if isinstance(item, Pass) else (item.spine, item.width - item.spine)
    width = sum(LANE if isinstance(each, Pass) else each.width for each in cell.items) + SIDE * (len(cell.items) - 1)
    return width / 2, width / 2


def _middle(cell: Cell, middles: list[float]) -> float:
    """The middle of the columns of a cell."""
    return (middles[cell.start] + middles[cell.stop - 1]) / 2


def _gather_ins(plan: Plan) -> None:
    """Where values enter nodes that are no levels: beside each other, in the order of where they come from."""
    for node in plan.all:
        if node.inside is None:
            above = (e for e in node.takes if not (e in plan.lanes and e in plan.aside))
            coming = sorted(above, key=lambda e: e.source.x + e.source.outs[e.out])
            step = min(24.0, node.width / (len(coming) + 1))
            node.ins = [node.spine] * (1 + max((e.into for e in node.takes), default=0))
            for place, edge in enumerate(coming):
                node.ins[edge.into] = node.spine + (place - (len(coming) - 1) / 2) * step


def _enter_aside(plan: Plan) -> None:
    """Note which edges may enter their node from the right, and how far down the nodes of each height reach."""
    right: dict[float, float] = {}
    for node in plan.all:
        right[node.y] = max(right.get(node.y, node.x), node.x)
        plan.bottoms[node.y] = max(plan.bottoms.get(node.y, 0.0), node.y + node.height)
    plan.aside = {e for e in plan.edges if e.target.inside is None and right[e.target.y] <= e.target.x}


def _run_lanes(plan: Plan, ranks: list[list[Node]]) -> None:
    """A lane at the right for each edge that passes by a rank; shorter ones run further inside.

    Of very many edges the last ones run over others: MAX_COMPARED bounds the search for lanes that are free.
    """
    place = {id(node): i for i, rank in enumerate(ranks) for node in rank}
    reach = [max((n.x + n.width + LANE for n in rank), default=-inf) for rank in ranks]
    for edge, passes in plan.passes.items():
        for i, each in enumerate(passes, place[id(edge.source)] + 1):
            reach[i] = max(reach[i], each.x + LANE)
    widest = _Widest(reach)
    long = [e for e in plan.edges if e not in plan.passes and place[id(e.target)] - place[id(e.source)] > 1]
    taken: list[tuple[float, float, float]] = []
    compared = 0
    for edge in sorted(long, key=lambda e: (place[id(e.target)] - place[id(e.source)], e.source.y)):
        first, last = place[id(edge.source)] + 1, place[id(edge.target)]
        top, bottom = edge.source.y + edge.source.height, edge.target.y + edge.target.height
        x = max(widest.between(first, last + (edge in plan.aside)), edge.source.x + edge.source.outs[edge.out])
        while compared < MAX_COMPARED:
            compared += len(taken)
            if not any(abs(x - other) < LANE and top < low and bottom > high for other, high, low in taken):
                break
            x += LANE
        taken.append((x, top, bottom))
        plan.lanes[edge] = x


class _Widest:
    """The largest of any stretch of numbers, from the largest of every 1, 2, 4, ... of them."""

    def __init__(self, numbers: list[float]) -> None:
        """Prepare the largest of every stretch whose length is a power of two."""
        self.rows = [numbers]
        while len(row := self.rows[-1]) > (step := 2 ** (len(self.rows) - 1)):
            self.rows.append([max(a, b) for a, b in zip(row, row[step:], strict=False)])

    def between(self, first: int, last: int) -> float:
        """The largest from `first` up to `last`, which is no more among them."""
        row = (last - first).bit_length() - 1
        return max(self.rows[row][first], self.rows[row][last - (1 << row)])


def _frame(plan: Plan) -> None:
    """Move everything to positive places, and measure the whole."""
    shapes = [n.x + n.outs[0] - LETTER * len(n.shape) for n in plan.nodes]
    left = min([n.x for n in plan.all] + shapes, default=0) - PAD
    right = max(0.0, *(n.x + n.width for n in plan.all), *plan.lanes.values()) + PAD
    for node in plan.all:
        node.x -= left
    for passing in (each for passes in plan.passes.values() for each in passes):
        passing.x -= left
    plan.lanes = {edge: x - left for edge, x in plan.lanes.items()}
    plan.width = right - left
    plan.height = max((n.y + n.height for n in plan.all), default=0)
