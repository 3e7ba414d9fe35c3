"""The architecture as a picture: levels as boxes, operations as rows in them, values as lines."""

from __future__ import annotations

from netspec.graph.model import Graph
from netspec.views.picture.layout import arrange
from netspec.views.picture.overlay import overlaid
from netspec.views.picture.plan import draft, fold, levels
from netspec.views.picture.svg import document


def picture(graph: Graph, depth: int | None = None) -> str:
    """An SVG of the network; levels nested deeper than `depth` stay closed."""
    plan = draft(graph, depth)
    arrange(plan)
    return document(plan, graph.name)


def comparison(before: Graph, after: Graph, depth: int | None = None) -> str:
    """An SVG of two networks laid over each other, what only one of them has or what differs marked."""
    plan = overlaid(draft(before, depth, apart=True), draft(after, depth, apart=True))
    for level in levels(plan):
        fold(level)
    arrange(plan)
    return document(plan, f"{before.name} and {after.name}")
