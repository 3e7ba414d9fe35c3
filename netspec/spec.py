"""A spec as an object: read once, checked whole, and turned into whatever is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.errors import Problem, SpecError
from netspec.graph.expand import expand
from netspec.graph.model import Graph
from netspec.language.document import Document, read_document
from netspec.source import Source, override, read_file, read_text, report

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Spec:
    """A spec that fits together. Made by `load` and `loads`, which raise SpecError for one that does not."""

    document: Document
    graph: Graph
    """The network with every block expanded and every shape known."""
    warnings: tuple[Problem, ...] = field(default=())

    @property
    def name(self) -> str:
        return self.graph.name

    def source(self) -> str:
        """The network as a readable Python file that needs only torch."""
        return self._printed

    @cached_property
    def _printed(self) -> str:
        from netspec.views.code import source

        return source(self.graph)

    def build(self) -> nn.Module:
        """A freshly initialised torch module, made by running the very text that `source` gives."""
        from netspec.runtime.module import build

        return build(self)


def load(path: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """The spec in the file at `path`, with `section.key=value` overrides laid over it.

    Raises SpecError with every problem found, each with its file, line and column.
    """
    return _checked(override(read_file(path), list(overrides)))


def loads(text: str, overrides: Sequence[str] = (), name: str = "<spec>") -> Spec:
    """The same for a spec that is already in memory."""
    return _checked(override(read_text(text, name), list(overrides)))


def _checked(source: Source) -> Spec:
    document, problems = read_document(source)
    graph, more = expand(document)
    problems += more
    errors = [p for p in problems if p.severity == "error"]
    if errors:
        raise SpecError(problems, report(problems, source))
    return Spec(document, graph, tuple(problems))
