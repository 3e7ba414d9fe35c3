"""The architecture as a picture: levels as boxes, operations as rows in them, values as lines."""

from __future__ import annotations

from netspec.graph.model import Graph
from netspec.views.picture.layout import arrange
from netspec.views.picture.plan import draft
from netspec.views.picture.svg import document


def picture(graph: Graph, depth: int | None = None) -> str:
    """An SVG of the network; levels nested deeper than `depth` stay closed."""
    plan = draft(graph, depth)
    arrange(plan)
    return document(plan, graph.name)
