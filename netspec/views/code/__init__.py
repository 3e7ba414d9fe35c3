"""Prints a network as the Python that a careful person would have written."""

from netspec.views.code.bound import bound
from netspec.views.code.module import source

__all__ = ["bound", "source"]
