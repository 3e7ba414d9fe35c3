"""Pictures as PNG, by resvg: one file to install, with no library of the system behind it, and the same everywhere."""

from __future__ import annotations

from typing import Final

from netspec.optional import need

ZOOM: Final = 2
"""Pixels for a point of the picture."""


def png(svg: str) -> bytes:
    """An SVG as a PNG on white. Raises UsageError where the package that draws it is not installed."""
    resvg = need("resvg_py", "a PNG", "png")
    return bytes(resvg.svg_to_bytes(svg_string=svg, background="#ffffff", zoom=ZOOM))
