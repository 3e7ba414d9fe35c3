"""The page: the facts of a network, and where its nodes stand, put into the template beside this file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from netspec.spec import Spec
from netspec.views.difference import difference, totals
from netspec.views.graph_page.facts import HEADS, Told, together, told
from netspec.views.pages import template
from netspec.views.picture.columns import columns
from netspec.views.picture.overlay import overlaid
from netspec.views.picture.plan import Edge, Node, Pass, Plan, draft
from netspec.views.table import summary
from netspec.views.table import totals as lines

STILL: Final = 150_000
"""Bytes of the picture that stands in for the graph without a script; a larger one has its levels closed."""
SCRIPT: Final = Path(__file__).with_name("graph.js")


def page(spec: Spec) -> str:
    """A network as a page of HTML, which needs no network and says the same without its script."""
    from netspec.views.picture import picture

    found = told(spec)
    still = next((p for d in (None, 2, 1) if len(p := picture(spec.graph, d)) <= STILL), "")
    return _page(spec.name, [*lines(summary(spec.graph))], found, draft(spec.graph, folds=False), still)


def compared(before: Spec, after: Spec) -> str:
    """Two networks laid over each other as a page: added, removed and changed, each matched by its name."""
    from netspec.views.picture import comparison

    found = together(told(before, "a"), told(after, "b"))
    plan = overlaid(*(draft(each.graph, apart=True) for each in (before, after)))
    about = [*totals(difference(before.graph, after.graph))]
    still = next((p for d in (None, 2, 1) if len(p := comparison(before.graph, after.graph, d)) <= STILL), "")
    title = f"{before.name} → {after.name}" if before.name != after.name else f"Two versions of {after.name}"
    return _page(title, about, found, plan, still, compares=True)


def _page(title: str, about: Sequence[str], found: Told, plan: Plan, still: str, *, compares: bool = False) -> str:
    """The text of a page."""
    script = SCRIPT.read_text("utf-8")
    places = {name: place for place, name in enumerate(found.facts)}
    return str(
        template("graph_page/graph.html").render(
            title=title,
            about=about,
            heads=HEADS,
            facts=[*found.facts.values()],
            marks=Counter(fact.mark for fact in found.facts.values()),
            compares=compares,
            texts=found.texts,
            names={text.key: text.name for text in found.texts},
            plan=_level(plan, places),
            still=base64.b64encode(still.encode()).decode(),
            script=Markup(script),  # noqa: S704  our own file
            digest=base64.b64encode(sha256(script.encode()).digest()).decode(),
        )
    )


def _level(plan: Plan, places: dict[str, int]) -> dict[str, Any]:
    """A level for the script: what stands where in its grid, and the lines between."""
    found = columns(plan)
    items: dict[Node | Pass, int] = {}
    cells = []
    for rank, row in enumerate(found.ranks):
        for cell in row:
            for item in cell.items:
                items[item] = len(items)
            cells.append([rank, cell.start, cell.stop, [items[item] for item in cell.items]])
    ranks = {item: rank for rank, row in enumerate(found.ranks) for cell in row for item in cell.items}
    lanes = _lanes(plan, ranks)
    ports = [[items[node] for node in some] for some in (plan.entries, plan.exits)]
    edges = [
        [items[e.source], e.out, items[e.target], e.into, lanes.get(e.source, -1) if _long(e, plan, ranks) else -1,
         [items[each] for each in plan.passes.get(e, ())], e.mark]
        for e in plan.edges
    ]  # fmt: skip
    nodes = [_node(item, places) for item in items]
    return {"columns": found.count, "lanes": 1 + max(lanes.values(), default=-1), "cells": cells, "nodes": nodes,
            "edges": edges, "ports": ports}  # fmt: skip


def _node(item: Node | Pass, places: dict[str, int]) -> dict[str, Any]:
    """A node for the script; what its rows say stands in the outline."""
    if isinstance(item, Pass):
        return {"kind": "pass"}
    about = {"shape": item.shape, "mark": item.mark}
    if item.inside is not None:
        return {"kind": "level", "row": places[item.path], **about, "inner": _level(item.inside, places)}
    if item.rows:
        rows = [[places[row.path], row.family] for row in item.rows]
        return {"kind": "rows", "rows": rows, **about}
    if item.path:
        return {"kind": "rows", "rows": [[places[item.path], ""]], **about}
    return {"kind": "end", "title": item.title, **about} if item.title else {"kind": "port"}


def _long(edge: Edge, plan: Plan, ranks: dict[Node | Pass, int]) -> bool:
    """Whether an edge passes by other ranks at the side."""
    return edge not in plan.passes and ranks[edge.target] - ranks[edge.source] > 1


def _lanes(plan: Plan, ranks: dict[Node | Pass, int]) -> dict[Node, int]:
    """A lane at the side for what each node gives to those further down; shorter ones are further inside."""
    reach = {e.source: 0 for e in plan.edges if _long(e, plan, ranks)}
    for edge in plan.edges:
        if edge.source in reach:
            reach[edge.source] = max(reach[edge.source], ranks[edge.target])
    lanes: dict[Node, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for node in sorted(reach, key=lambda each: (reach[each] - ranks[each], ranks[each])):
        first, last = ranks[node], reach[node]
        free = (i for i, held in enumerate(taken) if all(last < a or first > b for a, b in held))
        lanes[node] = lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((first, last))
    return lanes
