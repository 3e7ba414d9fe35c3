"""The network of a language model with a memory, as a spec of its own."""

from __future__ import annotations

from netspec.dims import Dim, named
from netspec.graph.model import Graph
from netspec.views.cached.levels import repeated
from netspec.views.cached.rules import RULES
from netspec.views.cached.writing import Cached, Uncacheable, Writing, tokens_of


def cached(graph: Graph, output: str, *, single: bool = False) -> Cached:
    """The network as a spec of its next tokens; `output` is the one that has the scores.

    A `single` one is given one token each time, so that nothing is hidden from it. Raises Uncacheable with the first
    step that cannot go on from what was read before.
    """
    tokens, length = tokens_of(graph)
    if not isinstance(length, Dim) or length != named(str(length)):
        raise Uncacheable(f"it takes {length} tokens at a time and no fewer")
    writing = Writing(graph, tokens, str(length), RULES, repeated, single)
    writing.level(graph.root, "")
    return writing.finished(graph.results[output])
