"""The architecture as a picture: levels as boxes, operations as rows in them, values as lines."""

from __future__ import annotations

from collections.abc import Callable

from netspec.graph.model import Graph
from netspec.views.picture.layout import arrange
from netspec.views.picture.overlay import overlaid
from netspec.views.picture.plan import Plan, draft, fold, levels
from netspec.views.picture.svg import document


def picture(graph: Graph, depth: int | None = None) -> str:
    """An SVG of the network; levels nested deeper than `depth` stay closed."""
    plan = draft(graph, depth)
    arrange(plan)
    return document(plan, graph.name)


def written(graph: Graph, other: Graph | None, depth: int | None, write: Callable[[Plan, str], str]) -> str:
    """The network, or two laid over each other, as `write` makes a text of a plan and a title: Mermaid, DOT."""
    if other is None:
        return write(draft(graph, depth), graph.name)
    return write(_laid(graph, other, depth), f"{graph.name} and {other.name}")


def comparison(before: Graph, after: Graph, depth: int | None = None) -> str:
    """An SVG of two networks laid over each other, what only one of them has or what differs marked."""
    plan = _laid(before, after, depth)
    arrange(plan)
    return document(plan, f"{before.name} and {after.name}")


def _laid(before: Graph, after: Graph, depth: int | None) -> Plan:
    """The plan of both, in which equal levels in a row are one."""
    plan = overlaid(draft(before, depth, apart=True), draft(after, depth, apart=True))
    for level in levels(plan):
        fold(level)
    return plan
