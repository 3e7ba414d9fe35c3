"""The page of a network: a graph to walk through, and an outline with the same facts that needs no script."""

from netspec.views.graph_page.page import compared, page

__all__ = ["compared", "page"]
