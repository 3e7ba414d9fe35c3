"""Prints a network as the Python that a careful person would have written."""

from netspec.views.code.root_arguments import source

__all__ = ["source"]
