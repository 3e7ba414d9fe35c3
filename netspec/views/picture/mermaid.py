"""The network as Mermaid, which wikis and code hosts draw where it stands in a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netspec.json_text import json_text
from netspec.views.picture.flat import Flat, headline, rows
from netspec.views.picture.plan import Mark, Plan
from netspec.words import one_line

PLAIN: Final = frozenset(" .,()=-_+*/:→−~")  # noqa: RUF001  a sign of the comparison
"""What is no letter and still says nothing to Mermaid between quotes."""
STYLES: Final[dict[Mark, str]] = {
    "added": "stroke:#14654a,stroke-width:2px",
    "removed": "stroke:#9b2c2c,stroke-width:2px,stroke-dasharray:5 4",
    "changed": "stroke:#92400e,stroke-width:2px,stroke-dasharray:2 2",
}


def mermaid(plan: Plan, title: str) -> str:
    """A flowchart, with levels as subgraphs."""
    flat = Flat(plan)
    lines = ["---", f"title: {json_text(one_line(title))}", "---", "flowchart TD", *_level(plan, flat, "  ")]
    for line in flat.lines:
        said = f'|"{_safe(line.shape)}"|' if line.shape else ""
        lines.append(f"  n{line.source} {'-.->' if line.mark == 'removed' else '-->'}{said} n{line.target}")
    for mark, style in STYLES.items():
        if marked := [f"n{number}" for node, number in flat.numbers.items() if node.mark == mark]:
            lines += [f"  classDef {mark} {style}", f"  class {','.join(marked)} {mark}"]
    return "\n".join(lines) + "\n"


def _level(plan: Plan, flat: Flat, indent: str) -> Iterator[str]:
    """The boxes of a level, and its levels around theirs."""
    for node in plan.all:
        if node not in flat.numbers:
            continue
        name = f"n{flat.numbers[node]}"
        if node.inside is not None:
            yield f'{indent}subgraph {name}["{_safe(headline(node))}"]'
            yield from _level(node.inside, flat, indent + "  ")
            yield f"{indent}end"
        else:
            start, end = ("([", "])") if node.role else ("[", "]")
            yield f'{indent}{name}{start}"{"<br>".join(map(_safe, rows(node)))}"{end}'


def _safe(text: str) -> str:
    """A text in which Mermaid, and a page that it is drawn in, find nothing to do."""
    return "".join(c if c.isalnum() or c in PLAIN else f"#{ord(c)};" for c in one_line(text))
