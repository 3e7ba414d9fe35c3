"""Two networks laid over each other: what is in both once, the rest beside it, each matched by its name."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from netspec.views.picture.plan import Edge, Mark, Node, Plan, Row

K = TypeVar("K", bound=Hashable)


def overlaid(before: Plan, after: Plan) -> Plan:
    """The plan of both, drawn with each operation apart: what only one has is marked, as is what differs.

    It is ordered as `after` is, what is removed behind what it stood behind. A line that would lead back up there,
    because the order of two steps was exchanged, is left out.
    """
    found = Plan()
    parts = (
        (found.entries, before.entries, after.entries),
        (found.nodes, before.nodes, after.nodes),
        (found.exits, before.exits, after.exits),
    )
    held: dict[Hashable, Node] = {}
    for place, (into, old, new) in enumerate(parts):
        olds, news = _named(old, place), _named(new, place)
        for name in woven([*olds], [*news]):
            held[name] = _node(olds.get(name), news.get(name))
            into.append(held[name])
    order = {id(node): i for i, node in enumerate(found.all)}
    edges: dict[Hashable, Edge] = {}
    for plan, mark in ((after, _ADDED), (before, _REMOVED)):
        names = {
            id(node): name
            for p, (_, *both) in enumerate(parts)
            for name, node in _named(both[plan is after], p).items()
        }
        for edge in plan.edges:
            ends = names[id(edge.source)], edge.out, names[id(edge.target)], edge.into
            source, target = held[ends[0]], held[ends[2]]
            if ends in edges:
                edges[ends].mark = ""
            elif order[id(source)] < order[id(target)]:
                edges[ends] = Edge(source, edge.out, target, edge.into, mark)
    for edge in edges.values():
        found.edges.append(edge)
        edge.source.gives.append(edge)
        edge.target.takes.append(edge)
    return found


_ADDED: Mark = "added"
_REMOVED: Mark = "removed"


def woven(before: Sequence[K], after: Sequence[K]) -> list[K]:
    """All of both in the order of `after`, each that only `before` has behind the one that it stands behind there."""
    known, last = set(after), None
    behind: dict[K | None, list[K]] = {}
    for each in before:
        if each in known:
            last = each
        else:
            behind.setdefault(last, []).append(each)
    return [*behind.get(None, ()), *(one for each in after for one in (each, *behind.get(each, ())))]


def _named(nodes: Sequence[Node], place: int) -> dict[Hashable, Node]:
    """The nodes of a level by what they are known by: the path of a step, and how many entries or exits are before."""
    if place != 1:
        return {(place, node.title or i): node for i, node in enumerate(nodes)}
    return {(node.inside is not None, node.path or node.rows[0].path): node for node in nodes}


def _node(old: Node | None, new: Node | None) -> Node:
    """The node of both."""
    first = new or old
    assert first is not None
    mark: Mark = "added" if old is None else "removed" if new is None else ""
    both = [each for each in (old, new) if each is not None]
    shape, use = (" → ".join(dict.fromkeys(getattr(each, name) for each in both)) for name in ("shape", "use"))
    rows = [_row([each.rows[0] for each in both if each.rows], mark or _differs(both))] if first.rows else []
    inside = None
    if first.inside is not None:
        plans = [each.inside for each in (old, new) if each is not None and each.inside is not None]
        inside = overlaid(plans[0], plans[-1]) if len(plans) == 2 else _alone(plans[0], mark)
    return Node(*(first.title, use, rows, inside, shape), role=first.role, path=first.path, mark=mark or _differs(both))


def _alone(plan: Plan, mark: Mark) -> Plan:
    """A level that only one of them has."""
    nothing = Plan()
    return overlaid(nothing, plan) if mark == "added" else overlaid(plan, nothing)


def _differs(both: Sequence[Node]) -> Mark:
    """Whether a node of both is not the same."""
    old, new = both
    same = (old.shape, old.use, [row.text for row in old.rows]) == (new.shape, new.use, [row.text for row in new.rows])
    return "" if same else "changed"


def _row(rows: Sequence[Row], mark: Mark) -> Row:
    """An operation of both."""
    text = " → ".join(dict.fromkeys(row.text for row in rows))
    return Row(rows[-1].name, text, rows[-1].family, rows[-1].path, mark)
