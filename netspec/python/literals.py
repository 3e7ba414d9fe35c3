"""Values as Python source."""

from __future__ import annotations

from typing import Any

from netspec.python.expressions import text
from netspec.python.nodes import valued


def literal(value: Any) -> str:
    """`value` as Python source: only numbers, words, None, and tuples and lists of them. Raises TypeError."""
    return text(valued(value))
