"""Every catalogue of the language in one place."""

from __future__ import annotations

from netspec import layers, ops
from netspec.catalogue import Catalogue
from netspec.layers.base import Op

OPERATIONS = Catalogue(
    "operation",
    Op,
    {f"netspec.layers.{file}": words for file, words in layers.FAMILIES.items()}
    | {f"netspec.ops.{file}": words for file, words in ops.FAMILIES.items()},
)
"""Everything a row of the network can name, besides blocks."""
