"""Stateless operations, one file a family: arithmetic, joining, reshaping, reducing, attention."""

FAMILIES: dict[str, str] = {}
"""Each family file and every word that it answers to; a test holds this against the classes."""
