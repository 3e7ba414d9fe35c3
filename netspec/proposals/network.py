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
    halvings = max(0, min(5, int(log2(max(side, 1) / SMALLEST)))) if side > SMALLEST else 0
    widths = [32, 64, 128, 128, 256]
    lines = ["layers:"]
    for i in range(halvings):
        stride = " s2" if i == 0 and large else ""
        lines.append(f"  - conv {widths[i]} k3{stride} p1 nobias, bn, relu" + (", pool 2" if not stride else ""))
    lines += [f"  - conv {widths[min(halvings, 4)]} k3 p1 nobias, bn, relu", f"  - gap, dropout 0.2, {goal.head}"]
    return lines


def tokens(vocabulary: int, goal: Goal) -> list[str]:
    """For rows of whole numbers that stand for words."""
    return ["layers:", f"  - embedding {vocabulary} 64, mean 1", "  - fc 64, relu, dropout 0.1", f"  - {goal.head}"]
