"""The arranged picture as SVG text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.sax.saxutils import escape

from netspec.views.picture.layout import PAD, ROW, TITLE, TURN
from netspec.views.picture.plan import Edge, Node, Plan, Row
from netspec.words import printable

COLOURS: Final = {
    "convolution": "#3b82f6",
    "linear": "#8b5cf6",
    "recurrent": "#0d9488",
    "attention": "#0d9488",
    "embedding": "#0891b2",
    "normalisation": "#94a3b8",
    "activation": "#f59e0b",
    "pooling": "#22c55e",
    "dropout": "#cbd5e1",
}
"""By the family of the operation; those of none have another."""
OTHER: Final = "#ec4899"

STYLE: Final = """\
text { font: 11.5px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1e293b; white-space: pre }
.shape { paint-order: stroke; stroke: #f8fafc; stroke-width: 4px; stroke-linejoin: round }
.name { font-weight: 600 } .quiet { fill: #64748b } .shape { fill: #64748b; font-size: 10.5px }
.level { fill: #64748b; fill-opacity: .06; stroke: #94a3b8 } .node { fill: #fff; stroke: #94a3b8 }
.head { fill: #64748b; fill-opacity: .1 }
.end { fill: #e2e8f0; stroke: #94a3b8 } .edge { fill: none; stroke: #475569; stroke-width: 1.2 }
.added { stroke: #14654a; stroke-width: 2 } .removed { stroke: #9b2c2c; stroke-width: 2; stroke-dasharray: 5 4 }
.changed { stroke: #92400e; stroke-width: 2; stroke-dasharray: 2 2 }
.paper { fill: #fff } .arrow { fill: #475569 }
@media (prefers-color-scheme: dark) {
.paper { fill: #14181f } text { fill: #e6eaf0 } .quiet, .shape { fill: #a3adbd } .shape { stroke: #14181f }
.level, .node, .end { stroke: #7b8798 } .level, .head { fill: #a3adbd } .node { fill: #1c222c } .end { fill: #2b3442 }
.edge { stroke: #94a3b8 } .arrow { fill: #94a3b8 }
.added { stroke: #4fd1a5 } .removed { stroke: #fca5a5 } .changed { stroke: #fbbf24 }
}"""
SIGNS: Final = {"": "", "added": "+ ", "removed": "− ", "changed": "~ "}  # noqa: RUF001  as wide as the others
ARROW: Final = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
    'markerUnits="userSpaceOnUse" orient="auto">'
    '<path class="arrow" d="M0,0.5 L8,4 L0,7.5 z"/></marker>'
)
MARGIN: Final = 20.0


def document(plan: Plan, title: str) -> str:
    """The whole picture."""
    width, height = plan.width + 2 * MARGIN, plan.height + 2 * MARGIN
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<title>{_safe(title)}</title>",
        f"<style>\n{STYLE}\n</style>",
        f"<defs>{ARROW}</defs>",
        '<rect class="paper" width="100%" height="100%"/>',
        *_level(plan, MARGIN, MARGIN),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _level(plan: Plan, x: float, y: float) -> Iterator[str]:
    """A level: its boxes, and the lines between them."""
    yield f'<g transform="translate({_n(x)},{_n(y)})">'
    for node in plan.all:
        yield from _node(node)
    for edge in plan.edges:
        yield from _edge(edge, plan)
    for node in plan.nodes:
        yield from _shape(node, [e for e in node.gives if e.target.role != "exit"], plan)
    yield "</g>"


def _shape(node: Node, edges: list[Edge], plan: Plan) -> Iterator[str]:
    """What a node gives, beside the line that leads away; a level around says it for what leaves through it."""
    if not edges:
        return
    x, y = node.x + node.outs[0], node.y + node.height + 11
    ends = [plan.passes[e][0].x if e in plan.passes else e.target.x + e.target.ins[e.into] for e in edges
            if e not in plan.lanes]  # fmt: skip
    if ends and max(ends) < x - 1:
        yield _text(x + 7, y, node.shape, "shape")
    else:
        yield _text(x - 7, y, node.shape, "shape", ' text-anchor="end"')


def _node(node: Node) -> Iterator[str]:
    """A box, or a level in one; further ones behind it where it stands for several."""
    if node.inside is not None:
        for behind in (6, 3) if node.count > 1 else ():
            yield _box(node.x + behind, node.y + behind, node.width, node.height, "node")
        if node.count > 1:
            yield _box(node.x, node.y, node.width, node.height, "node")
        yield _box(node.x, node.y, node.width, node.height, f"level {node.mark}".rstrip())
        yield _box(node.x, node.y, node.width, TITLE, "head")
        yield _named(node.x + 10, node.y + 16, SIGNS[node.mark] + node.title, node.use)
        if node.count > 1:
            yield _text(node.x + node.width - 10, node.y + 16, f"x {node.count}", "name", ' text-anchor="end"')
        yield from _level(node.inside, node.x, node.y + TITLE)
    elif node.rows:
        yield _box(node.x, node.y, node.width, node.height, f"node {node.mark}".rstrip())
        for i, row in enumerate(node.rows):
            yield from _row(row, node.x, node.y + 4 + i * ROW)
    elif node.title:
        kind, round = ("level", 6) if node.use else ("end", 14)
        yield _box(node.x, node.y, node.width, node.height, f"{kind} {node.mark}".rstrip(), round)
        yield _named(node.x + PAD, node.y + 18, SIGNS[node.mark] + node.title, node.use or node.shape)


def _row(row: Row, x: float, y: float) -> Iterator[str]:
    """A line in a box, with the colour of its family."""
    colour = COLOURS.get(row.family, OTHER)
    yield f'<rect x="{_n(x + 4)}" y="{_n(y + 2)}" width="4" height="{_n(ROW - 4)}" rx="2" fill="{colour}"/>'
    yield _named(x + PAD, y + 14, (SIGNS[row.mark] + row.name).rstrip(), row.text)


def _edge(edge: Edge, plan: Plan) -> Iterator[str]:
    """A line from box to box, past what lies between them."""
    source, target = edge.source, edge.target
    x, y = source.x + source.outs[edge.out], source.y + source.height
    to_x, to_y = target.x + target.ins[edge.into], target.y
    if edge in plan.lanes:
        lane, turn = plan.lanes[edge], y + (TURN if source.height else TURN / 2)
        if edge in plan.aside and target.height:
            points = [(x, y), (x, turn), (lane, turn), (lane, to_y + target.height / 2)]
            points.append((target.x + target.width, points[-1][1]))
        else:
            points = [(x, y), (x, turn), (lane, turn), (lane, to_y - TURN), (to_x, to_y - TURN), (to_x, to_y)]
        path = _rounded(points)
    else:
        below = plan.bottoms[source.y]
        path = f"M{_n(x)},{_n(y)} V{_n(below)}"
        for each in plan.passes.get(edge, ()):
            path += _down(x, below, each.x, each.y) + f" V{_n(each.y + each.height)}"
            x, below = each.x, each.y + each.height
        path += _down(x, below, to_x, to_y)
    arrow = ' marker-end="url(#arrow)"' if target.height else ""
    yield f'<path class="{f"edge {edge.mark}".rstrip()}" d="{path}"{arrow}/>'


def _down(x: float, y: float, to_x: float, to_y: float) -> str:
    """The way down from one place to another, straight or as a curve."""
    if abs(x - to_x) < 0.1:
        return f" V{_n(to_y)}"
    return f" C{_n(x)},{_n(to_y)} {_n(to_x)},{_n(y)} {_n(to_x)},{_n(to_y)}"


def _rounded(points: list[tuple[float, float]], radius: float = 6) -> str:
    """A line through `points`, which lie above or beside each other, with round corners."""
    points = [p for i, p in enumerate(points) if i == 0 or p != points[i - 1]]
    path = f"M{_n(points[0][0])},{_n(points[0][1])}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        (ax, ay), (bx, by) = (_towards(corner, other, radius) for other in (before, after))
        path += f" L{_n(ax)},{_n(ay)} Q{_n(corner[0])},{_n(corner[1])} {_n(bx)},{_n(by)}"
    return f"{path} L{_n(points[-1][0])},{_n(points[-1][1])}"


def _towards(start: tuple[float, float], end: tuple[float, float], length: float) -> tuple[float, float]:
    """The point on the way, at most half of it away."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = min(0.5, length / max(1e-9, abs(dx) + abs(dy)))
    return start[0] + dx * share, start[1] + dy * share


def _box(x: float, y: float, width: float, height: float, kind: str, round: float = 6) -> str:
    """A rectangle."""
    size = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" rx="{_n(round)}"'
    return f'<rect class="{kind}" {size}/>'


def _named(x: float, y: float, name: str, text: str, more: str = "") -> str:
    """A name in bold and what it is."""
    parts = [f'<tspan class="name">{_safe(name)}</tspan>'] if name else []
    parts += [f'<tspan class="quiet">{_safe(text)}</tspan>'] if text else []
    return f'<text x="{_n(x)}" y="{_n(y)}"{more}>{"  ".join(parts)}</text>'


def _text(x: float, y: float, text: str, kind: str, more: str = "") -> str:
    """A text."""
    return f'<text x="{_n(x)}" y="{_n(y)}" class="{kind}"{more}>{_safe(text)}</text>'


def _safe(text: str) -> str:
    """A text that no viewer takes for markup."""
    return escape(printable(text))


def _n(number: float) -> str:
    """A number in as few characters as show it to a tenth."""
    return f"{number:.1f}".removesuffix(".0")
