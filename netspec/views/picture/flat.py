"""A plan as boxes in levels and lines from box to box, for programs that lay out graphs themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netspec.views.picture.plan import Edge, Mark, Node, Plan
from netspec.views.picture.svg import SIGNS


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two boxes, by their numbers, and what goes along it."""

    source: int
    target: int
    shape: str
    mark: Mark


class Flat:
    """The boxes of a plan with a number each, and the lines between them, past the edges of levels."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.numbers: dict[Node, int] = {}
        self.around: dict[Node, tuple[Node, int]] = {}
        """The level that a place where values enter belongs to, and the number of the place."""
        self._count(plan)
        self.lines = list(dict.fromkeys(self._lines(plan)))

    def _count(self, plan: Plan) -> None:
        """Number the boxes of a level and of those within."""
        for node in plan.all:
            if node.title or node.rows:
                self.numbers[node] = len(self.numbers)
            if node.inside is not None:
                self.around.update({entry: (node, i) for i, entry in enumerate(node.inside.entries)})
                self._count(node.inside)

    def _lines(self, plan: Plan) -> Iterator[Line]:
        """The lines that end in a level, or within one of it."""
        for node in plan.all:
            if node.inside is not None:
                yield from self._lines(node.inside)
            elif node in self.numbers:
                for edge in node.takes:
                    yield from (self._line(source, node, edge) for source in self._sources(edge))

    def _line(self, source: Node, target: Node, edge: Edge) -> Line:
        """A line from a box."""
        shape = "" if source.role else source.shape  # what comes in says its shape itself
        return Line(self.numbers[source], self.numbers[target], shape, edge.mark)

    def _sources(self, edge: Edge) -> Iterator[Node]:
        """The boxes that an edge comes from, through the places where values leave and enter levels."""
        left = [edge]
        while left:
            edge = left.pop()
            node = edge.source
            if node.inside is not None:
                left += node.inside.exits[edge.out].takes
            elif node in self.numbers:
                yield node
            elif node in self.around:
                level, place = self.around[node]
                left += [each for each in level.takes if each.into == place]


def headline(node: Node) -> str:
    """What a level, an input or an output is called, and what it is."""
    times = f"x {node.count}" if node.count > 1 else ""
    about = node.use or (node.shape if node.role else "")
    return "  ".join(filter(None, (SIGNS[node.mark] + node.title, about, times)))


def rows(node: Node) -> list[str]:
    """The operations of a box; of a box that has none what it is called."""
    found = [SIGNS[row.mark] + "  ".join(filter(None, (row.name, row.text))) for row in node.rows]
    return found or [headline(node)]
