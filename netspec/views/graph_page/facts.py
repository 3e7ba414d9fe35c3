"""Facts about the steps of a network, as the outline of its page says them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from netspec.graph.model import Step
from netspec.spec import Spec
from netspec.views.graph_page.places import code_lines
from netspec.views.picture.overlay import woven
from netspec.views.picture.plan import Mark, called
from netspec.views.table import Row, bytes_said, counted, shape, steps, summary

HEADS: Final = ("operation", "input", "output", "parameters", "MACs", "memory")
ARROW: Final = " → "
NOWHERE: Final = ("", 0)


@dataclass(frozen=True, slots=True)
class Text:
    """A text that lines of the outline lead to."""

    key: str
    """What its lines are called by: `s1` of `s1-12`."""
    name: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A step, or an input, as the outline says it."""

    path: str
    name: str
    depth: int
    cells: tuple[str, ...]
    """As the heads say."""
    spec: tuple[str, int] = NOWHERE
    """The key of the text where it is written, and the line."""
    code: tuple[str, int] = NOWHERE
    """The same for the printed source."""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says about a network."""

    facts: Mapping[str, Fact]
    """By what `called` calls their steps, in the order of running."""
    texts: Sequence[Text]


def told(spec: Spec, key: str = "") -> Told:
    """The facts of a network, and the texts that it stands in; `key` tells them from those of another."""
    graph, source = spec.graph, spec.document.source
    code = spec.source()
    lines, names = code_lines(graph, code), called(graph)
    files: dict[int, Text] = {id(source.file): Text(f"{key}s", source.file.name, source.file.lines)}
    facts = {f"in {row.path}": _fact(row) for row in summary(graph).rows[: len(graph.root.inputs)]}
    for step, row in steps(graph):
        place = source.place(step.at)
        held = files.setdefault(id(place.file), Text(f"{key}s{len(files)}", place.file.name, place.file.lines))
        at = (held.key, place.line) if place.line <= len(place.file.lines) else NOWHERE
        code_at = (f"{key}c", lines[step]) if step in lines else NOWHERE
        facts[names[step]] = replace(_fact(row, step), spec=at, code=code_at)
    printed = Text(f"{key}c", f"The printed code of {graph.name}", code.splitlines())
    return Told(facts, [*files.values(), printed])


def _fact(row: Row, step: Step | None = None) -> Fact:
    """A row of the summary as a fact."""
    given = ", ".join(shape(value.tensor) for value in step.inputs) if step is not None else ""
    output = ", ".join(map(shape, row.output))
    memory = "" if row.level else bytes_said(row.memory)
    cells = (row.op, given, output, counted(row.parameters), counted(row.macs), memory)
    return Fact(row.path, row.name, row.depth, cells)


def together(before: Told, after: Told) -> Told:
    """The facts of two networks, those of both in one line, with what changed in it."""
    names = woven([*before.facts], [*after.facts])
    facts = {name: _both(before.facts.get(name), after.facts.get(name)) for name in names}
    said = ((after, "after"), (before, "before"))
    return Told(facts, [replace(text, name=f"{text.name}, {when}") for told, when in said for text in told.texts])


def _both(old: Fact | None, new: Fact | None) -> Fact:
    """A step of two networks, or of one of them."""
    if old is None or new is None:
        first = new or old
        assert first is not None
        return replace(first, mark="added" if old is None else "removed")
    cells = tuple(a if a == b else f"{a or 0}{ARROW}{b or 0}" for a, b in zip(old.cells, new.cells, strict=True))
    return replace(new, cells=cells, mark="" if cells == new.cells else "changed")
