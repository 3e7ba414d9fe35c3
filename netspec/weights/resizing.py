"""How weights of another size are made to fit, as far as shapes tell: the words, and what each of them takes."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Final

from netspec.tensors import show

RESIZES: Final = {
    "mean": "each of the new ones is the mean of all that were there",
    "extend": "those that were there stay, and more of them are their mean",
    "slice": "the first of those that were there",
    "repeat": "those that were there, over and over, until there are enough",
    "interpolate": "a grid of places, such as an image's patches, is drawn larger or smaller",
    "stretch": "a row of places is drawn longer or shorter",
}
"""The ways to resize, and what each makes along the axes that differ."""
TOKENS: Final = 16
"""Places before a grid that are none of it, such as that of a class token, at most."""
Shape = tuple[int, ...]


def misfit(word: str, found: Shape, wanted: Shape) -> str:
    """Why a word cannot make one shape of another; empty where it can."""
    if len(found) != len(wanted):
        return f"{word} keeps the number of axes"
    if 0 in (*found, *wanted):
        return f"{word} makes nothing of nothing"
    axes = differing(found, wanted)
    match word:
        case "mean" | "extend" | "stretch" if len(axes) > 1:
            return f"{word} changes one axis, and {len(axes)} differ"
        case "extend" if found[axes[0]] > wanted[axes[0]]:
            return "extend makes more of them, and there are fewer here"
        case "slice" if any(found[axis] < wanted[axis] for axis in axes):
            return "slice leaves some out, and there are more here"
        case "interpolate" if len(axes) == 2:
            return "" if axes[1] == axes[0] + 1 else "interpolate draws a map of two axes that lie beside each other"
        case "interpolate" if len(axes) > 2:
            return f"interpolate draws a grid, and {len(axes)} axes differ"
        case "interpolate" if grid(found[axes[0]], wanted[axes[0]]) is None:
            text = f"{found[axes[0]]} and {wanted[axes[0]]} places are no square grids with as many others before each"
            return f"{text}; of a row of places it is stretch"
    return ""


def differing(found: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """The axes whose sizes differ."""
    return [axis for axis, (a, b) in enumerate(zip(found, wanted, strict=True)) if a != b]


def grid(found: int, wanted: int) -> tuple[int, int, int] | None:
    """How many places stand before a square grid in both counts, and the sides of the grids; None where none fits."""
    for others in range(min(TOKENS, found, wanted)):
        sides = isqrt(found - others), isqrt(wanted - others)
        if (found - others, wanted - others) == (sides[0] ** 2, sides[1] ** 2):
            return others, *sides
    return None


def shapes(found: Shape, wanted: Shape) -> str:
    """Both shapes as a sentence has them."""
    return f"{show(found)} there and {show(wanted)} here"
