"""The network as DOT, which Graphviz and what reads its files lay out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.views.picture.flat import Flat, headline, rows
from netspec.views.picture.plan import Mark, Plan
from netspec.words import one_line

STYLES: Final[dict[Mark, str]] = {
    "": "",
    "added": 'color="#14654a", penwidth=2',
    "removed": 'color="#9b2c2c", penwidth=2, style=dashed',
    "changed": 'color="#92400e", penwidth=2, style=dotted',
}


def dot(plan: Plan, title: str) -> str:
    """A directed graph, with levels as clusters."""
    flat = Flat(plan)
    lines = [
        f"digraph {_quoted(title)} {{",
        '  node [shape=box, fontname="Courier", fontsize=10]',
        '  edge [fontname="Courier", fontsize=9]',
        '  graph [fontname="Courier", fontsize=10, labeljust=l]',
        *_level(plan, flat, "  "),
    ]
    for line in flat.lines:
        label = f"label={_quoted(line.shape)}" if line.shape else ""
        lines += [f"  n{line.source} -> n{line.target}{_listed(label, STYLES[line.mark])}"]
    return "\n".join([*lines, "}"]) + "\n"


def _level(plan: Plan, flat: Flat, indent: str) -> Iterator[str]:
    """The boxes of a level, and its levels around theirs."""
    for node in plan.all:
        if node not in flat.numbers:
            continue
        number, style = flat.numbers[node], STYLES[node.mark]
        if node.inside is not None:
            yield f"{indent}subgraph cluster{number} {{"
            yield f"{indent}  graph" + _listed(f"label={_quoted(headline(node))}", style)
            yield from _level(node.inside, flat, indent + "  ")
            yield f"{indent}}}"
        else:
            said = "".join(f"{_escaped(row)}\\l" for row in rows(node)) if node.rows else _escaped(headline(node))
            form = "shape=oval" if node.role else ""
            yield f"{indent}n{number}" + _listed(f'label="{said}"', form, style)


def _listed(*attributes: str) -> str:
    """Attributes behind what they are of; nothing where there are none."""
    some = [each for each in attributes if each]
    return f" [{', '.join(some)}]" if some else ""


def _quoted(text: str) -> str:
    """A text between quotes."""
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    """A text in which nothing is an escape of DOT's."""
    return one_line(text).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
