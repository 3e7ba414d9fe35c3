"""Networks that are proposed, as lines of a spec."""

from __future__ import annotations

from math import log2

from netspec.proposals.proposal import Goal

SMALLEST = 6
"""Points of a side to which a map is brought down, about."""
LARGE = 128
"""Points of a side from which on the first convolution already halves it."""


def perceptron(goal: Goal) -> list[str]:
    """For samples of numbers."""
    return ["layers:", "  - fc 64, relu, dropout 0.1", "  - fc 64, relu, dropout 0.1", f"  - {goal.head}"]


def convolutional(height: int, width: int, goal: Goal) -> list[str]:
    """For images: convolutions whose maps are halved until little is left of them."""
    side = min(height, width)
    large = side >= LARGE
    halvings = min(5, int(log2(side / SMALLEST))) if side > SMALLEST else 0
    widths = [32, 64, 128, 128, 256, 256]
    lines = ["layers:"]
    for i in range(halvings):
        smaller = "s2 p1 nobias, bn, relu" if large and i == 0 else "p1 nobias, bn, relu, pool 2"
        lines.append(f"  - conv {widths[i]} k3 {smaller}")
    lines.append(f"  - conv {widths[halvings]} k3 p1 nobias, bn, relu")
    return [*lines, f"  - gap, dropout 0.2, {goal.head}"]


def tokens(vocabulary: int, goal: Goal) -> list[str]:
    """For rows of whole numbers that stand for words."""
    return ["layers:", f"  - embedding {vocabulary} 64, mean 1", "  - fc 64, relu, dropout 0.1", f"  - {goal.head}"]


def reading(vocabulary: int) -> list[str]:
    """The steps that make a vector of a text: what stands in each stretch of words, wherever that is."""
    return [f"embedding {vocabulary} 64 padding_idx=0", "transpose 1 2", "conv 128 k3 same", "relu", "amax 2"]


def segmenting(height: int, width: int, goal: Goal) -> list[str]:
    """For images with a class for each point: convolutions that keep the size and look ever farther."""
    ways = ("32 k3 same", "32 k3 d2 same", "64 k3 d4 same", "64 k3 d8 same")
    far = [way for way in ways if min(height, width) > 16 or "d8" not in way]
    return ["layers:", *(f"  - conv {way} nobias, bn, relu" for way in far), f"  - {goal.head}"]
