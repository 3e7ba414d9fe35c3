"""Which parameters of a network are arguments of its class."""

from __future__ import annotations

from netspec.graph.expand import expand
from netspec.sections.document import Document
from netspec.views.code import module


def source(document: Document) -> str:
    """The network of a document as a Python file that needs only torch. Its last class is the network's own."""
    graph, _ = expand(document, traced=True)
    return module.source(graph)
