"""Readers of the graph: tables, Python source, JSON Schema, reference pages."""
