"""Prints a network as the Python that a careful person would have written."""

from netspec.views.code.module import printed, source

__all__ = ["printed", "source"]
